import numpy as np
import pytest

from mxtvhf.analysis.constants import analysis_constants
from mxtvhf.analysis.psf_width import SourcePsf
from mxtvhf.analysis.regions import regions_at
from mxtvhf.errors import InvalidInput
from mxtvhf.instrument.calibration import default_calibration

PSF = default_calibration().psf
RULES = analysis_constants().width
ALL = np.ones((256, 256))


def regions(source, radius=40.0):
    return regions_at(128.0, 128.0, radius, psf=source.psf, exposure=ALL)


def source_of(width, n_source=300.0, n_background=100.0, calibration=PSF):
    return SourcePsf.of(
        calibration, width, 128.0, 128.0, n_source=n_source, n_background=n_background, exposure=ALL
    )


def test_the_fitted_width_is_taken():
    assert source_of(7.2, 1e6).psf.core_fwhm_arcmin == pytest.approx(7.2, rel=0.001)
    assert source_of(None).psf.core_fwhm_arcmin == PSF.core_fwhm_arcmin


def test_few_photons_leave_the_width_farther_from_the_calibration_than_the_localisation_did():
    """It was drawn to the calibration by an error of 0.15; here that is 0.3."""
    widths = [source_of(12.0, number).psf.core_fwhm_arcmin for number in (1e6, 100.0, 30.0)]
    assert widths[0] < widths[1] < widths[2]
    four_times = RULES.least_sigma**2 / PSF.core_fwhm_sigma**2
    assert source_of(12.0, 1e-3).psf.core_fwhm_arcmin == pytest.approx(10.0 * 1.2**four_times, rel=0.01)


def test_a_width_that_the_calibration_knows_exactly_has_no_error():
    exact = PSF.model_copy(update={"core_fwhm_sigma": 0.0})
    source = source_of(10.0, calibration=exact)
    assert (source.width_sigma, source.fraction_sigma(regions(source))) == (0.0, 0.0)


def test_photons_make_the_fraction_better_known_than_the_calibration():
    few, some, many = (source_of(10.0, number) for number in (5.0, 300.0, 30_000.0))
    sigmas = [source.fraction_sigma(regions(source)) for source in (few, some, many)]
    narrow, wide = (
        regions(source_of(10.0 * factor, 1e6)).effective_fraction
        for factor in (1.0 - RULES.least_sigma, 1.0 + RULES.least_sigma)
    )
    assert sigmas[0] == pytest.approx((narrow - wide) / (2.0 * regions(few).effective_fraction), rel=0.1)
    assert sigmas == sorted(sigmas, reverse=True)
    assert sigmas[2] < 0.01


def test_the_error_of_the_width_is_that_of_a_fit():
    """Against the scatter of best widths of simulated images."""
    source, rng = source_of(10.0, 2000.0, 500.0), np.random.default_rng(1)
    factors = np.linspace(0.8, 1.25, 46)
    images = np.array([source.psf.scaled(factor).image(128.0, 128.0) for factor in factors])
    images /= images.sum(axis=(1, 2), keepdims=True)
    best = []
    for _ in range(60):
        image = rng.poisson(2000.0 * images[20] + 500.0 / 65536)
        seen = image > 0
        logs = np.log(2000.0 * images[:, seen] + 500.0 / 65536) @ image[seen]
        best.append(np.log(factors[logs.argmax()]))
    assert source.width_sigma == pytest.approx(np.std(best), rel=0.35)


@pytest.mark.parametrize("width", [0.0, -1.0, float("nan"), float("inf")])
def test_widths_that_are_none(width):
    with pytest.raises(InvalidInput, match="fitted width of the core"):
        source_of(width)
