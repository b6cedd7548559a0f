"""Files of the sky map, each opened by an independent program."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from math import hypot, pi

import healpy
import mocpy
import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import QTable
from hypothesis import given
from hypothesis import strategies as st
from regions import CircleSkyRegion, PolygonSkyRegion, Regions

from mxtvhf.instrument.pointing import Pointing
from mxtvhf.localisation.model import CredibleRegion
from mxtvhf.localisation.position import localise
from mxtvhf.localisation.sky_products import (
    Observed,
    ds9_file,
    is_round,
    joined_cells,
    moc_file,
    write_sky_files,
)
from mxtvhf.models.position import Origin, Position
from mxtvhf.simulator.photons import simulate_photons

POINTING = Pointing(ra_deg=83.6, dec_deg=22.0, roll_deg=30.0)
OBSERVED = Observed(
    "sb26051102", datetime(2026, 5, 11, 3, 4, 5, tzinfo=UTC), "2026-05-11T03:10:00.000", {"psf": "7"}
)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("sky")
    photons = simulate_photons(
        x=100.3, y=60.2, counts=300, background=100, start=0.0, stop=300.0, rng=np.random.default_rng(1)
    )
    found = localise(photons.x, photons.y)
    ra, dec = map(float, POINTING.pixel_to_sky(found.x, found.y))
    position = Position(
        origin=Origin.MXT_VHF, label="photons", ra_deg=ra, dec_deg=dec, r90_stat_arcsec=found.r90,
        r90_sys_arcsec=25.0, r90_arcsec=hypot(found.r90, 25.0),
    )  # fmt: skip
    regions, products = write_sky_files(out, found.posterior, POINTING, position, OBSERVED)
    return out, position, regions, products


def test_products_are_named_with_their_digests(written):
    out, _, regions, products = written
    assert {name: product.path for name, product in products.items()} == {
        "skymap": "skymap.fits",
        "region90": "region90.fits",
        "region90_ds9": "region90.reg",
    }
    for product in products.values():
        assert product.sha256 == sha256((out / product.path).read_bytes()).hexdigest()
    assert [region.part for region in regions] == [0.5, 0.9]
    assert regions[0].area_arcmin2 < regions[1].area_arcmin2


def test_the_sky_map_has_the_keywords_of_the_format(written):
    out, *_ = written
    with fits.open(out / "skymap.fits", checksum=True) as parts:
        parts.verify("exception")
        header, table = parts[1].header, parts[1].data
        assert (header["TTYPE1"], header["TFORM1"]) == ("UNIQ", "K")
        assert (header["TTYPE2"], header["TFORM2"], header["TUNIT2"]) == ("PROBDENSITY", "D", "sr-1")
        expected = {
            "PIXTYPE": "HEALPIX",
            "ORDERING": "NUNIQ",
            "COORDSYS": "C",
            "INDXSCHM": "EXPLICIT",
            "MOCORDER": int(np.log2(table["UNIQ"].max() / 4)) // 2,
            "OBJECT": "sb26051102",
            "INSTRUME": "MXT",
            "DATE-OBS": "2026-05-11T03:04:05.000",
            "DATE": "2026-05-11T03:10:00.000",
            "CREATOR": "MXT-VHF",
            "ORIGIN": "FSC",
        }
        assert {key: header[key] for key in expected} == expected
        assert list(header["COMMENT"]) == ["calibration: psf 7"]
        assert header["MJD-OBS"] == pytest.approx(61171 + (3 * 3600 + 245) / 86400, abs=1e-9)


def test_healpy_finds_the_position_and_all_of_the_probability(written):
    """The map is read as the user guide of LIGO, Virgo and KAGRA does, with the original HEALPix library."""
    out, position, *_ = written
    table = QTable.read(out / "skymap.fits")
    order = (np.log2(table["UNIQ"] / 4) / 2).astype(int)
    index = table["UNIQ"] - 4 * 4**order
    area = np.array([healpy.nside2pixarea(2 ** int(k)) for k in order]) * u.sr
    assert area.sum().to_value(u.sr) == pytest.approx(4 * pi)
    assert (table["PROBDENSITY"] * area).sum().to_value(u.one) == pytest.approx(1.0, abs=1e-9)
    best = table["PROBDENSITY"].argmax()
    ra, dec = healpy.pix2ang(2 ** int(order[best]), int(index[best]), nest=True, lonlat=True)
    peak = SkyCoord(ra, dec, unit="deg")
    here = SkyCoord(position.ra_deg, position.dec_deg, unit="deg")
    assert peak.separation(here).arcsec < 5.0


def test_mocpy_finds_the_same_region_in_the_map_and_in_its_file(written):
    out, position, regions, _ = written
    moc = mocpy.MOC.load(out / "region90.fits")
    from_map = mocpy.MOC.from_multiordermap_fits_file(str(out / "skymap.fits"), cumul_from=0.0, cumul_to=0.9)
    square_arcmin = 4 * pi * (180 * 60 / pi) ** 2
    assert moc.sky_fraction * square_arcmin == pytest.approx(regions[1].area_arcmin2, rel=1e-9)
    # mocpy splits the last cell to get closer to 0.9.
    assert moc.difference(from_map).sky_fraction < 0.01 * moc.sky_fraction
    assert from_map.difference(moc).sky_fraction < 0.01 * moc.sky_fraction
    assert moc.probability_in_multiordermap(QTable.read(out / "skymap.fits")) == pytest.approx(0.9, abs=1e-3)
    here = SkyCoord([position.ra_deg, position.ra_deg + 0.1], [position.dec_deg] * 2, unit="deg")
    assert moc.contains_skycoords(here).tolist() == [True, False]


def test_the_moc_is_as_mocpy_writes_it(written, tmp_path):
    out, *_ = written
    mocpy.MOC.load(out / "region90.fits").save(tmp_path / "again.fits", v1_compatible=True)
    paths = (out / "region90.fits", tmp_path / "again.fits")
    ours, theirs = (fits.getdata(path).field(0).tolist() for path in paths)
    assert ours == theirs
    ours, theirs = (fits.getheader(path, 1) for path in paths)
    for key in ("TTYPE1", "ORDERING", "COORDSYS", "MOCVERS", "MOCDIM", "MOCORD_S", "MOCORDER"):
        assert ours[key] == theirs[key]


@given(st.sets(st.integers(0, 12 * 4**3 - 1), min_size=1))
def test_cells_are_joined_as_mocpy_does(index):
    finest = np.array(sorted(index))
    joined = joined_cells(4 * 4**3 + finest)
    moc = mocpy.MOC.from_healpix_cells(finest.astype(np.uint64), np.uint8(3), np.uint8(3))
    assert joined.tolist() == np.sort(moc.uniq_hpx).tolist()


def test_regions_reads_the_circle(written):
    out, position, *_ = written
    (circle,) = Regions.read(out / "region90.reg", format="ds9")
    assert isinstance(circle, CircleSkyRegion)
    assert circle.center.frame.name == "icrs"
    assert circle.center.ra.deg == pytest.approx(position.ra_deg, abs=1e-6)
    assert circle.center.dec.deg == pytest.approx(position.dec_deg, abs=1e-6)
    assert circle.radius.to_value(u.arcsec) == pytest.approx(position.r90_arcsec, abs=1e-3)
    assert circle.meta["text"] == "sb26051102 MXT-VHF R90"


def test_regions_reads_the_outline_of_a_region_that_is_no_circle(written):
    _, position, (_, region), _ = written
    assert is_round(position, region)
    ra, dec = np.transpose(region.outlines[0])
    long = CredibleRegion(
        part=0.9,
        area_arcmin2=2 * region.area_arcmin2,
        outlines=(tuple(zip((position.ra_deg + 2 * (ra - position.ra_deg)).tolist(), dec, strict=True)),),
    )
    assert not is_round(position, long)
    circle, outline = Regions.parse(ds9_file(position, long, "sb26051102").decode(), format="ds9")
    assert isinstance(circle, CircleSkyRegion)
    assert isinstance(outline, PolygonSkyRegion)
    assert outline.vertices.ra.deg.tolist() == pytest.approx(
        [place[0] for place in long.outlines[0][:-1]], abs=1e-6
    )
    assert outline.meta["text"] == "90 % region"


def test_the_same_input_gives_the_same_bytes(written):
    out, *_ = written
    uniq = fits.getdata(out / "region90.fits")["UNIQ"].astype(np.int64)
    assert moc_file(uniq, OBSERVED) == (out / "region90.fits").read_bytes()
