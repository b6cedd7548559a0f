from dataclasses import replace

import numpy as np
import pytest

from benchmarks.realsky.optics import Optics
from mxtvhf.instrument.calibration import default_calibration
from mxtvhf.instrument.constants import pixel_scale_arcsec
from mxtvhf.instrument.psf import CoreShape
from mxtvhf.localisation import shape as shape_module
from mxtvhf.localisation.counts import Counts
from mxtvhf.localisation.likelihood import free_width, maximise
from mxtvhf.localisation.position import default_psf, detector_image, localise
from mxtvhf.localisation.shape import with_free_shape

PSF = default_psf()
PLACE = np.array([120.3, 130.2])


def photons(seed, number, *, background=300, optics=None):
    rng = np.random.default_rng(seed)
    source = (optics or Optics()).places(*PLACE, number, rng)
    return np.rint(np.concatenate([rng.uniform(-0.5, 255.5, (2, background)), source], axis=1))


def both(x, y, psf=PSF):
    """Return the fits with a fixed and with a free shape."""
    counts = Counts.from_image(detector_image(x, y), np.ones((256, 256)))
    fit = maximise(counts, psf, (*PLACE, 11.0))
    used = free_width(counts, psf, fit)
    stretch = float(np.log(used.core_fwhm_arcmin / psf.core_fwhm_arcmin))
    fit = maximise(counts, used, (fit.x, fit.y, fit.log_ratio))
    return fit, with_free_shape(counts, psf, fit, stretch)


def known_exactly(psf=PSF):
    return replace(psf, core_fwhm_sigma=0.0, shape_errors=CoreShape())


def with_skew(sigma, probability=1.0):
    errors = replace(PSF.shape_errors, skew_x=sigma, skew_y=sigma)
    return replace(PSF, shape_errors=errors, skew_probability=probability)


def test_the_roll_is_recovered_and_the_position_is_unbiased():
    optics = Optics(rotation_deg=10.0)
    fits = [both(*photons(seed, 3000, optics=optics)) for seed in range(8)]
    rolls = np.degrees([shape.shape.roll for _, shape in fits])
    assert rolls.mean() == pytest.approx(10.0, abs=1.0)
    assert rolls.std() < 1.5
    errors = np.array([[shape.x, shape.y] - PLACE for _, shape in fits])
    assert (np.abs(errors.mean(axis=0)) < 3.0 * errors.std(axis=0) / np.sqrt(len(errors)) + 0.05).all()


@pytest.mark.parametrize("number", [60, 300, 3000])
def test_with_the_true_psf_the_position_is_that_of_a_fixed_shape(number):
    moved = []
    for seed in range(6):
        fit, shape = both(*photons(seed, number), with_skew(0.0))
        moved.append(np.hypot(shape.x - fit.x, shape.y - fit.y) / np.hypot(*fit.sigma))
        assert shape.source_fraction == pytest.approx(fit.source_fraction, rel=0.1)
    assert np.mean(moved) < 0.25


def test_few_photons_keep_the_calibrated_shape():
    for seed in range(5):
        shape = both(*photons(seed, 40))[1].shape
        deviation = shape.parameters - PSF.shape.parameters
        assert (np.abs(deviation) < 1.5 * PSF.shape_sigma).all()


@pytest.mark.parametrize("number", [100, 3000])
def test_the_error_grows_with_the_uncertainty_of_the_skew(number):
    x, y = photons(1, number)
    extra = [both(x, y, with_skew(skew))[1].extra_sigma for skew in (0.0, 0.05, 0.15)]
    assert extra[0] < extra[1] < extra[2]


def test_the_radius_includes_the_error_of_the_shape():
    x, y = photons(2, 3000)
    exact = localise(x, y, psf=known_exactly())
    found, wide = (localise(x, y, psf=with_skew(skew)) for skew in (0.05, 0.15))
    assert exact.shape is None
    assert exact.r90 < found.r90 < wide.r90
    assert found.shape.extra_sigma > 0.2


def test_the_radius_of_few_photons_averages_over_both_shapes():
    """Few photons do not show whether the core is skewed: the variance is the mean of both cases."""
    x, y = photons(3, 100)
    without, maybe, surely = (
        both(x, y, with_skew(0.1, probability))[1].extra_sigma ** 2 for probability in (0.0, 0.5, 1.0)
    )
    assert maybe == pytest.approx(0.5 * (without + surely), rel=0.2)


def test_an_exactly_known_psf_keeps_its_shape():
    x, y = photons(3, 500)
    fit, shape = both(x, y, known_exactly())
    assert shape.shape == CoreShape()
    assert shape.extra_sigma == pytest.approx(0.0, abs=1e-6)
    # The tolerance covers the last Newton step and the sum of the PSF over cells.
    assert np.hypot(shape.x - fit.x, shape.y - fit.y) < 0.1 * np.hypot(*fit.sigma)


def test_a_skew_is_accepted_as_far_as_the_photons_require_it():
    symmetric = [both(*photons(seed, 3000), with_skew(0.1, 0.5)) for seed in range(6)]
    moved = [np.hypot(shape.x - fit.x, shape.y - fit.y) / np.hypot(*fit.sigma) for fit, shape in symmetric]
    assert np.median(moved) < 0.5
    # The half widths are 0.8 and 1.2 times the mean.
    optics = Optics(skew=0.4)
    skewed = [both(*photons(seed, 5000, optics=optics), with_skew(0.3, 0.5))[1] for seed in range(3)]
    mean = np.mean([[one.shape.skew_x, one.shape.skew_y] for one in skewed], axis=0)
    assert mean == pytest.approx([0.2, 0.2], abs=0.06)
    assert np.mean([[one.x, one.y] for one in skewed], axis=0) == pytest.approx(PLACE, abs=2.0)


def test_the_radius_contains_a_bright_source_with_a_skewed_core():
    """The unknown skew causes an error of 3.4 pixels, more than R90 with a fixed shape."""
    alignment = default_calibration().alignment.systematic_r90_arcsec
    inside, wrong = [], []
    for seed in range(12):
        x, y = photons(seed, 3000, optics=Optics(skew=0.2))
        found = localise(x, y, find_hot_pixels=False)
        offset = pixel_scale_arcsec() * np.hypot(found.x - PLACE[0], found.y - PLACE[1])
        inside.append(offset <= np.hypot(found.r90, alignment))
        fit = found.evidence.fit
        wrong.append(pixel_scale_arcsec() * np.hypot(fit.x - PLACE[0], fit.y - PLACE[1]))
    assert np.median(wrong) > 40.0
    assert np.mean(inside) > 0.7


def test_a_wider_core_is_recovered():
    optics = Optics(core_fwhm_arcmin=12.0)
    widths = [both(*photons(seed, 2000, optics=optics))[1].shape.stretch for seed in range(5)]
    assert np.mean(widths) == pytest.approx(np.log(1.2), abs=0.05)


def test_the_gradient_is_that_of_the_likelihood_with_priors():
    x, y = photons(4, 200)
    counts = Counts.from_image(detector_image(x, y), np.ones((256, 256)))
    at = np.array([*PLACE, 11.0, 0.05, 0.1, -0.05, 0.03, -0.02])
    free = np.ones(8, dtype=bool)
    _, gradient, curvature = shape_module._scores(counts, PSF, at, free)
    for k, step in enumerate([1e-3, 1e-3, *6 * [1e-5]]):
        ahead, behind = at.copy(), at.copy()
        ahead[k] += step
        behind[k] -= step
        after, before = (shape_module._scores(counts, PSF, one, free)[0] for one in (ahead, behind))
        assert gradient[k] == pytest.approx((after - before) / (2.0 * step), rel=1e-4, abs=0.01)
    assert (np.linalg.eigvalsh(curvature) > 0.0).all()
