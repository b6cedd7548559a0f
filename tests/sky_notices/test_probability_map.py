"""Sky maps of all orderings, and broken ones."""

import gzip
from io import BytesIO

import numpy as np
import pytest
from astropy.io import fits

from mxtvhf.errors import InvalidInput
from mxtvhf.simulator.sky_notices import write_sky_map
from mxtvhf.sky_notices import probability_map
from mxtvhf.sky_notices.probability_map import read_map

SIGMA = 6.0


@pytest.mark.parametrize("ordering", ["NUNIQ", "NESTED", "RING"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_the_density_is_that_of_the_gaussian(ordering, pack):
    sky = read_map(pack(write_sky_map(200.0, 30.0, SIGMA, ordering=ordering, order=5)))
    peak = 1.0 / (2.0 * np.pi * np.radians(SIGMA) ** 2)
    found = sky.density_at([200.0, 200.0, 20.0], [30.0, 42.0, -30.0])
    assert found == pytest.approx([peak, peak * np.exp(-2.0), 0.0], rel=0.1, abs=1e-6 * peak)
    area, inside = sky.area_above(peak * np.exp(-2.0))
    assert inside == pytest.approx(1.0 - np.exp(-2.0), abs=0.02)
    assert area == pytest.approx(sky.area_of(1.0 - np.exp(-2.0)), rel=0.05)


def fits_without_table():
    buffer = BytesIO()
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(buffer)
    return buffer.getvalue()


def edited(ordering="NESTED", **cards):
    with fits.open(BytesIO(write_sky_map(10.0, 10.0, 9.0, order=3, ordering=ordering))) as hdus:
        hdus[1].header.update(cards)
        buffer = BytesIO()
        hdus.writeto(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (edited(ORDERING="NUNIQ"), "no column UNIQ"),
        (edited(ORDERING="SPIRAL"), "expected NUNIQ"),
        (edited(NSIDE=16), "NSIDE 16 needs"),
        (edited(NSIDE=12), "no valid NSIDE"),
        (edited(COORDSYS="G"), "equatorial"),
        (edited("NUNIQ", ORDERING="RING", NSIDE=8), "column UNIQ but ORDERING"),
        (write_sky_map(10.0, 10.0, 9.0, order=3, total=0.5), "not normalised: its total probability is 0.5"),
        (write_sky_map(10.0, 10.0, 9.0, order=3, total=-1.0), "negative"),
        (b"no FITS file", "not a FITS file; expected"),
        (b"\x1f\x8bno gzip", "not valid gzip"),
        (edited()[:4000], "FITS table"),
        (fits_without_table(), "not a FITS table"),
    ],
)
def test_a_broken_map_names_its_fault(raw, reason):
    with pytest.raises(InvalidInput, match=reason):
        read_map(raw)


def test_a_map_is_never_unpacked_beyond_the_limit(monkeypatch):
    monkeypatch.setattr(probability_map, "LARGEST_MAP", 100_000)
    with pytest.raises(InvalidInput, match="more than 100000 bytes"):
        read_map(gzip.compress(bytes(50_000_000)))
