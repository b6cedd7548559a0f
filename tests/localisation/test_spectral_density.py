import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.instrument.calibration import FWHM_PER_SIGMA, default_calibration
from mxtvhf.instrument.constants import instrument
from mxtvhf.localisation.spectral_density import blurred, measured_energies

CALIBRATION = default_calibration()
AREA, REDISTRIBUTION = CALIBRATION.effective_area, CALIBRATION.redistribution


def measured(density):
    return blurred(density, AREA, REDISTRIBUTION)


def test_the_energies_cover_the_band_evenly():
    low, high = instrument().energy.band_kev
    steps = np.diff(measured_energies())
    assert steps == pytest.approx(np.full(steps.size, steps[0]))
    assert measured_energies()[0] - low == pytest.approx(0.5 * steps[0])
    assert high - measured_energies()[-1] == pytest.approx(0.5 * steps[0], abs=1e-6)


@given(index=st.floats(-1.0, 4.0), factor=st.floats(1e-6, 1e6))
def test_a_measured_spectrum_has_a_mean_of_one_for_any_flux(index, factor):
    one, other = (measured(lambda energy, f=f: f * energy**-index) for f in (1.0, factor))
    assert one.mean() == pytest.approx(1.0)
    assert (one > 0.0).all()
    np.testing.assert_allclose(other, one, rtol=1e-9)


@pytest.mark.parametrize("energy", [0.6, 1.487, 4.0])
def test_a_line_is_as_wide_as_the_resolution(energy):
    line = measured(lambda e: np.where(np.abs(e - energy) < 0.006, 1.0, 0.0))
    weight = line / line.sum()
    mean = weight @ measured_energies()
    width = np.sqrt(weight @ (measured_energies() - mean) ** 2)
    assert mean == pytest.approx(energy, abs=0.01)
    assert width == pytest.approx(REDISTRIBUTION.fwhm(energy) / FWHM_PER_SIGMA, rel=0.05)


def test_a_smooth_spectrum_is_multiplied_by_the_effective_area():
    seen = measured(lambda energy: np.ones_like(energy))
    area = AREA.at(measured_energies())
    inside = (measured_energies() > 3.0) & (measured_energies() < 6.0)
    ratio = (seen / area)[inside]
    assert ratio == pytest.approx(np.full(ratio.size, np.median(ratio)), rel=0.05)
