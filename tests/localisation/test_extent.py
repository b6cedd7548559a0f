import zlib

import numpy as np
import pytest

from benchmarks.realsky.facts import pixel_arcmin
from benchmarks.realsky.optics import Optics, on_detector
from benchmarks.realsky.scene import draw
from benchmarks.realsky.shapes import shape_cases
from mxtvhf.instrument.psf import ExtendedPsf
from mxtvhf.localisation.extent import wider_fits
from mxtvhf.localisation.position import default_psf, localise
from mxtvhf.localisation.sources import find_sources
from support.fields import draw_field

PSF = default_psf()
PLACE = (120.0, 125.0)


class Patch:
    """Return photons of a uniform disc, convolved with the PSF, instead of a point source."""

    def __init__(self, radius_arcmin):
        self.radius = radius_arcmin / pixel_arcmin()

    def places(self, x, y, count, rng):
        radius, angle = self.radius * np.sqrt(rng.random(5 * count)), rng.uniform(0.0, 2.0 * np.pi, 5 * count)
        drawn = np.array([[x], [y]]) + radius * np.stack([np.cos(angle), np.sin(angle)])
        drawn = drawn + Optics().offsets(drawn.shape[1], rng)
        return drawn[:, on_detector(drawn)][:, :count]


class Gaussian:
    """Return photons of a Gaussian brightness, convolved with the PSF, instead of a point source."""

    def __init__(self, sigma_arcmin):
        self.sigma = sigma_arcmin / pixel_arcmin()

    def places(self, x, y, count, rng):
        drawn = np.array([[x], [y]]) + self.sigma * rng.standard_normal((2, 5 * count))
        drawn = drawn + Optics().offsets(drawn.shape[1], rng)
        return drawn[:, on_detector(drawn)][:, :count]


def found(seed, optics, number):
    sources, _ = find_sources(draw_field(seed, [(*PLACE, number)], optics=optics).counts(), PSF, None)
    return sources


@pytest.mark.parametrize(("number", "at_least"), [(150, 0.5), (300, 0.7)])
def test_diffuse_emission_is_one_extended_source(number, at_least):
    extended, alone = [], []
    for seed in range(5):
        sources = found(seed, Patch(15.0), number)
        alone.append(len(sources) == 1)
        brightest = max(sources, key=lambda source: source.photons)
        extended.append(isinstance(brightest.psf, ExtendedPsf))
    assert np.mean(extended) > at_least
    assert np.mean(alone) > 0.7


@pytest.mark.parametrize(
    ("core_fwhm_arcmin", "number"), [(6.0, 300), (10.0, 60), (10.0, 3000), (13.0, 300), (13.0, 3000)]
)
def test_a_core_of_any_likely_width_is_a_point_source(core_fwhm_arcmin, number):
    for seed in range(3):
        (source,) = found(100 + seed, Optics(core_fwhm_arcmin), number)
        assert not isinstance(source.psf, ExtendedPsf)


@pytest.mark.parametrize("trial", [6, 27])
def test_rotated_arms_are_no_extended_source(trial):
    """The radius of an extended source would not include the error of the PSF shape."""
    case = next(
        case
        for case in shape_cases()
        if case.name == "optics: arms rotated 10 degrees" and case.sources[0].counts == 5000
    )
    own = zlib.crc32(f"{case.name} {case.sources[0].counts}".encode())
    drawn = draw(case, np.random.default_rng((41, own, trial)))
    found = localise(drawn.column, drawn.row, find_hot_pixels=False)
    assert not isinstance(found.evidence.psf, ExtendedPsf)
    assert np.degrees(found.shape.shape.roll) == pytest.approx(10.0, abs=2.0)
    error = np.hypot(*(np.array([found.x, found.y]) - drawn.places[0]))
    assert 60.0 * pixel_arcmin() * error <= found.r90


def test_a_point_source_beside_diffuse_emission_stays_a_point_source():
    rng = np.random.default_rng(0)
    field = draw_field(7, [(60.0, 60.0, 200)])
    x, y = np.rint(Patch(15.0).places(180.0, 190.0, 400, rng))
    # The same energies and times as the source photons.
    like = rng.integers(300, 500, x.size)
    whole = type(field)(
        np.append(field.x, x), np.append(field.y, y),
        np.append(field.pha, field.pha[like]), np.append(field.time, field.time[like]),
    )  # fmt: skip
    sources, _ = find_sources(whole.counts(), PSF, None)
    by_place = {
        place: min(sources, key=lambda one: np.hypot(one.fit.x - place[0], one.fit.y - place[1]))
        for place in ((60.0, 60.0), (180.0, 190.0))
    }
    assert [isinstance(one.psf, ExtendedPsf) for one in by_place.values()] == [False, True]


def test_the_width_of_a_gaussian_brightness_is_recovered():
    widths = [found(seed, Gaussian(6.0), 600)[0].psf.sigma_pixel for seed in range(4)]
    assert np.mean(widths) == pytest.approx(6.0 / pixel_arcmin(), rel=0.2)


def test_a_bright_extended_source_is_not_explained_by_the_shape_of_the_psf():
    for seed in range(3):
        assert isinstance(found(seed, Gaussian(6.0), 3000)[0].psf, ExtendedPsf)


def test_extent_is_also_tested_for_a_psf_of_known_width():
    counts = draw_field(1, [(*PLACE, 500)], optics=Patch(15.0)).counts()
    exact = type(PSF)(core_fwhm_sigma=0.0)
    source = found(1, Patch(15.0), 500)[0]
    wider = wider_fits(counts, exact, source.fit)
    assert wider.is_extended
    assert wider.best >= max(wider.point, wider.log_likelihood)
