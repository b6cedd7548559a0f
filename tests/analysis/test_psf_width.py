import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mxtvhf.analysis.constants import analysis_constants
from mxtvhf.analysis.psf_width import SourcePsf
from mxtvhf.analysis.regions import regions_at
from mxtvhf.events.drift_corrected import DriftCorrectedPhotons
from mxtvhf.instrument.calibration import default_calibration
from mxtvhf.instrument.pixels import ExposureMap
from mxtvhf.instrument.psf import LobsterEyePsf

CALIBRATED = default_calibration().psf
PSF = LobsterEyePsf.of(CALIBRATED)
RULES = analysis_constants().width


def photons_of(rng, width, n_source, n_background, exposure=None):
    """Return photons of a source at (128, 120) with a given core width (arcmin), on a flat background."""
    exposure = np.ones((256, 256)) if exposure is None else exposure
    image = exposure * PSF.scaled(width / PSF.core_fwhm_arcmin).image(128.0, 120.0)
    mean = n_source * image / image.sum() + n_background * exposure / exposure.sum()
    y, x = np.nonzero(counts := rng.poisson(mean))
    y, x = (np.repeat(axis, counts[counts > 0]).astype(np.int16) for axis in (y, x))
    zeros = np.zeros(x.size)
    return DriftCorrectedPhotons(zeros, x, y, zeros.astype(np.int32), ExposureMap(exposure))


def fitted(photons, calibration=CALIBRATED):
    return SourcePsf.fitted(calibration, photons, 128.0, 120.0, np.asarray(photons.exposure))


@pytest.mark.parametrize("width", [6.0, 10.0, 13.0])
@pytest.mark.parametrize(("source", "background"), [(120, 300), (3000, 300)])
def test_the_interval_of_the_width_holds_it(width, source, background):
    rng = np.random.default_rng(source)
    found = [fitted(photons_of(rng, width, source, background)) for _ in range(40)]
    pulls = [np.log(one.psf.core_fwhm_arcmin / width) / one.width_sigma for one in found]
    # 68 % and three standard errors of 7 %; with few photons the prior shifts all of them in one direction.
    assert 0.46 < np.mean(np.abs(pulls) < 1.0) < 0.9
    assert abs(np.mean(pulls)) < 1.0
    if source == 3000:
        assert np.std(pulls) == pytest.approx(1.0, abs=0.35)
        assert np.median([one.psf.core_fwhm_arcmin for one in found]) == pytest.approx(width, rel=0.02)


def test_without_photons_the_width_is_the_calibrated_one():
    nothing = fitted(photons_of(np.random.default_rng(1), 10.0, 0.0, 0.0))
    assert nothing.psf.core_fwhm_arcmin == CALIBRATED.core_fwhm_arcmin
    assert nothing.width_sigma == RULES.least_sigma


def test_a_width_that_the_calibration_knows_exactly_is_taken():
    exact = CALIBRATED.model_copy(update={"core_fwhm_sigma": 0.0})
    source = fitted(photons_of(np.random.default_rng(2), 6.0, 3000.0, 100.0), exact)
    assert (source.psf.core_fwhm_arcmin, source.width_sigma) == (CALIBRATED.core_fwhm_arcmin, 0.0)


def test_pixels_without_exposure_have_no_effect():
    exposure = np.ones((256, 256))
    exposure[:, 100:124] = 0.0
    found = fitted(photons_of(np.random.default_rng(3), 7.0, 3000.0, 300.0, exposure))
    assert found.psf.core_fwhm_arcmin == pytest.approx(7.0, abs=5.0 * 7.0 * found.width_sigma)
    assert found.width_sigma < 0.05


@given(st.integers(0, 20_000), st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_any_photons_give_a_width_and_its_error(number, seed):
    rng = np.random.default_rng(seed)
    where = rng.integers(0, 256, (2, number)) if seed % 2 else np.full((2, number), 125)
    zeros = np.zeros(number)
    x, y = where.astype(np.int16)
    photons = DriftCorrectedPhotons(zeros, x, y, zeros.astype(np.int32), ExposureMap(np.ones((256, 256))))
    found = fitted(photons)
    assert 3.0 < found.psf.core_fwhm_arcmin < 30.0
    assert 0.0 < found.width_sigma <= 1.2 * RULES.least_sigma


def test_photons_reduce_the_error_of_the_fraction():
    rng = np.random.default_rng(4)
    sources = [fitted(photons_of(rng, 10.0, number, 100.0)) for number in (5.0, 300.0, 30_000.0)]
    places = [regions_at(128.0, 120.0, 40.0, psf=one.psf, exposure=np.ones((256, 256))) for one in sources]
    sigmas = [one.fraction_sigma(place) for one, place in zip(sources, places, strict=True)]
    assert sigmas == sorted(sigmas, reverse=True)
    assert sigmas[0] > 0.05
    assert sigmas[2] < 0.01
