import numpy as np
import pytest

from mxtvhf.analysis.psf_width import SourcePsf
from mxtvhf.analysis.regions import regions_at
from mxtvhf.errors import InvalidInput
from mxtvhf.instrument.calibration import default_calibration

PSF = default_calibration().psf
ALL = np.ones((256, 256))


def regions(source, radius=40.0):
    return regions_at(128.0, 128.0, radius, psf=source.psf, exposure=ALL)


def test_the_fitted_width_is_taken():
    assert SourcePsf.of(PSF, 7.2).psf.core_fwhm_arcmin == pytest.approx(7.2)
    assert SourcePsf.of(PSF, None).psf.core_fwhm_arcmin == PSF.core_fwhm_arcmin


def test_photons_make_the_fraction_better_known_than_the_calibration():
    source = SourcePsf.of(PSF, 10.0)
    place = regions(source)
    few, some, many = (
        source.fraction_sigma(place, source.fitted_width_sigma(place, number, 100.0))
        for number in (5.0, 300.0, 30_000.0)
    )
    narrow, wide = (regions(SourcePsf.of(PSF, 10.0 * factor)).effective_fraction for factor in (0.85, 1.15))
    assert few == pytest.approx((narrow - wide) / (2.0 * place.effective_fraction), rel=0.1)
    assert few > some > many
    assert many < 0.01


def test_the_error_of_the_width_is_that_of_a_fit():
    """Against the scatter of best widths of simulated images."""
    source = SourcePsf.of(PSF, 10.0)
    place, rng = regions(source), np.random.default_rng(1)
    factors = np.linspace(0.8, 1.25, 46)
    images = np.array([source.psf.scaled(factor).image(128.0, 128.0) for factor in factors])
    images /= images.sum(axis=(1, 2), keepdims=True)
    best = []
    for _ in range(60):
        image = rng.poisson(2000.0 * images[20] + 500.0 / 65536)
        seen = image > 0
        logs = np.log(2000.0 * images[:, seen] + 500.0 / 65536) @ image[seen]
        best.append(np.log(factors[logs.argmax()]))
    assert source._information(place, 2000.0, 500.0) ** -0.5 == pytest.approx(np.std(best), rel=0.35)


@pytest.mark.parametrize("width", [0.0, -1.0, float("nan"), float("inf")])
def test_widths_that_are_none(width):
    with pytest.raises(InvalidInput, match="fitted width of the core"):
        SourcePsf.of(PSF, width)
