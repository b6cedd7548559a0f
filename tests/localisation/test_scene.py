from dataclasses import replace

import numpy as np
import pytest

from mxtvhf.localisation.counts import Counts
from mxtvhf.localisation.likelihood import SourceFit
from mxtvhf.localisation.position import default_psf
from mxtvhf.localisation.scene import Factors, Scene, SceneSource
from support.fields import draw_field

PSF = default_psf()
PLACES = ((100.0, 60.0), (180.0, 190.0))
PARTS = np.array([0.4, 0.2])
COLUMNS_OFF = np.ones((256, 256))
COLUMNS_OFF[:, 60:80] = 0.0
COLUMNS_OFF[:, 120:] = 0.5


def at(x, y, probabilities=None):
    """Return a fit at a position."""
    return SourceFit(x, y, 11.0, 0.3, 0.0, 0.0, (1.0, 1.0), 0.0, probabilities)


def background_of(seed=1, good=None, **case):
    field = draw_field(seed, [(*PLACES[0], 200), (*PLACES[1], 100)], background=200, **case)
    return Scene.of_background(field.counts(good))


def with_both(scene):
    return scene.with_sources(tuple(SceneSource.of(scene.counts, PSF, at(*place)) for place in PLACES), PARTS)


@pytest.mark.parametrize("good", [None, COLUMNS_OFF], ids=["all pixels", "columns off"])
def test_all_fractions_add_up_to_one(good):
    empty = background_of(good=good)
    grouped = Scene.of_background(
        replace(empty.counts, groups=np.arange(11) % 2, vignetting=(0.0, 0.25))
    )  # fmt: skip
    for scene in (
        empty,
        with_both(empty),
        with_both(empty).without(0),
        with_both(empty).without(1).without(0),
        grouped,
        with_both(grouped).without(1),
    ):
        assert scene.background_fraction + scene.source_fractions.sum() == pytest.approx(1.0)
        assert scene.background_fraction > 0.0
        assert (scene.source_fractions >= 0.0).all()
        energy, *others = scene.parts
        assert energy.sum() == pytest.approx(1.0)
        for parts in others:
            assert parts.sum() == pytest.approx(len(scene.factors.members[0]))
            assert (parts >= 0.0).all()


def test_a_scene_is_the_sum_of_a_source_and_the_rest():
    whole = with_both(background_of())
    for index, source in enumerate(whole.sources):
        part, rest = whole.source_fractions[index], whole.without(index)
        np.testing.assert_allclose((1.0 - part) * rest.density + part * source.density, whole.density)
        np.testing.assert_allclose((1.0 - part) * rest.overall + part * source.spectrum, whole.overall)
    assert whole.without(0).sources == whole.sources[1:]


def test_without_its_sources_a_fitted_scene_is_the_background():
    empty = background_of()
    again = with_both(empty).without(1).without(0)
    assert again.background_fraction == pytest.approx(1.0)
    # The fit of the background goes on until a round gains less than 0.02.
    assert again.fitted().log_likelihood == pytest.approx(empty.log_likelihood, abs=0.2)
    np.testing.assert_allclose(again.fitted().density, empty.density, rtol=0.1)


@pytest.mark.parametrize("good", [np.ones((256, 256)), COLUMNS_OFF], ids=["all pixels", "columns off"])
def test_the_overall_density_is_the_mean_over_the_good_pixels(good):
    """The mean is computed by moving the energy and time of one photon to every pixel."""
    ungrouped = background_of(good=good).counts
    counts = replace(ungrouped, groups=np.arange(11) % 2, vignetting=(0.0, 0.25))
    scene = with_both(Scene.of_background(counts))
    pixels = np.flatnonzero(good)
    row, column = np.divmod(pixels, 256)
    for photon in (0, 57, 210):

        def everywhere(values, photon=photon):
            return np.repeat(values[:, photon : photon + 1], pixels.size, axis=1)

        these = scene.counts
        counts = Counts(
            column, row, np.ones(pixels.size), good, np.full(pixels.size, these.weights[photon]),
            spectra=everywhere(these.spectra), courses=everywhere(these.courses),
            groups=these.groups, vignetting=these.vignetting,
        )  # fmt: skip
        spread = replace(
            scene,
            counts=counts,
            factors=Factors.of(counts),
            sources=tuple(SceneSource.of(counts, PSF, at(*place)) for place in PLACES),
        )
        np.testing.assert_allclose(spread.overall, scene.overall[photon], rtol=1e-9)
        mean = np.average(spread.density, weights=good.ravel()[pixels])
        assert mean == pytest.approx(scene.overall[photon], rel=1e-9)


def test_the_fit_raises_the_likelihood():
    empty = background_of(sky=0.8)
    flat = replace(
        empty, parts=tuple(np.eye(parts.shape[-1])[0] * np.ones(parts.shape) for parts in empty.parts)
    )
    assert empty.log_likelihood > flat.log_likelihood + 20.0
    whole = with_both(empty)
    assert whole.log_likelihood > empty.log_likelihood + 50.0
    assert whole.positional_log_likelihood > empty.positional_log_likelihood + 50.0
    worse = replace(
        whole,
        source_fractions=0.3 * whole.source_fractions,
        background_fraction=1.0 - 0.3 * whole.source_fractions.sum(),
    )
    assert worse.log_likelihood < whole.log_likelihood
    assert worse.fitted().log_likelihood == pytest.approx(whole.log_likelihood, abs=0.2)


def test_the_sources_have_the_simulated_photons():
    parts = np.mean([with_both(background_of(seed)).source_fractions for seed in range(5)], axis=0)
    assert parts == pytest.approx([0.4, 0.2], abs=0.06)


def test_a_soft_background_is_recovered():
    hard, soft = (background_of(sky=sky) for sky in (0.0, 0.9))
    optics = slice(5, 9)
    assert soft.parts[0][optics].sum() > hard.parts[0][optics].sum() + 0.2


def test_background_through_the_optics_is_constant_in_time():
    """Early soft photons match no background component: the sky background is constant."""
    rng = np.random.default_rng(1)
    size = 400
    soft, early = rng.random(size) < 0.5, np.zeros(size, bool)
    spectra = np.array([np.where(soft, 1e-3, 2.0), np.where(soft, 2.0, 1e-3)])
    for varying in (soft, ~soft):
        early[:] = np.where(varying, rng.random(size) < 0.8, rng.random(size) < 0.5)
        counts = Counts.from_photons(
            *rng.integers(0, 256, (2, size)), np.ones(size), np.ones((256, 256)), spectra=spectra,
            groups=np.array([0, 1]), courses=np.array([np.ones(size), np.where(early, 2.0, 0.0)]),
            vignetting=(0.0, 0.25),
        )  # fmt: skip
        of_early = Scene.of_background(counts).parts[2][1]
        assert (of_early > 0.3) == (varying is not soft)


def test_a_scene_works_with_positions_only():
    field = draw_field(1, [(*PLACES[0], 200)])
    image = np.zeros((256, 256), dtype=np.int64)
    np.add.at(image, (field.y.astype(int), field.x.astype(int)), 1)
    empty = Scene.of_background(Counts.from_image(image, np.ones((256, 256))))
    np.testing.assert_allclose(empty.overall, 1.0)
    whole = empty.with_sources((SceneSource.of(empty.counts, PSF, at(*PLACES[0])),), np.array([0.3]))
    np.testing.assert_allclose(whole.overall, 1.0)
    assert whole.positional_log_likelihood == pytest.approx(whole.log_likelihood)
    assert whole.source_fractions[0] == pytest.approx(0.4, abs=0.1)


def test_the_remaining_photons_have_weights_relative_to_the_scene():
    whole = with_both(background_of())
    counts = whole.photons_to_explain
    np.testing.assert_allclose(counts.weights * whole.density, whole.counts.weights)
    np.testing.assert_allclose(counts.template_weights * whole.density, whole.counts.template_weights)
    np.testing.assert_allclose(counts.concentration * whole.overall, whole.density)


def test_a_well_known_spectrum_is_kept_and_a_misfit_shows_as_a_gain():
    counts = draw_field(3, background=200, sky=0.5).counts()
    flat = np.zeros(len(counts.spectra))
    flat[0] = 1e4
    groups = np.repeat([0, 1], [5, len(flat) - 5])
    free = Scene.of_background(replace(counts, groups=groups, vignetting=(0.0, 0.25)))
    known = Scene.of_background(replace(free.counts, known=flat))
    assert known.parts[0][0] > 0.98 > 0.8 > free.parts[0][0]
    assert known.gain_when_free == pytest.approx(2.0 * (free.log_likelihood - known.log_likelihood), abs=0.5)
    assert known.gain_when_free > 20.0
    assert free.gain_when_free == 0.0


def test_the_only_source_leaves_the_fitted_background():
    empty = background_of()
    whole = with_both(empty)
    single = empty.with_sources(whole.sources[:1], PARTS[:1])
    assert single.refitted_without(0) is empty
    assert whole.refitted_without(0).sources == whole.sources[1:]
    assert whole.refitted_without(0).log_likelihood >= whole.without(0).log_likelihood


def test_a_fit_does_not_depend_on_the_fractions_that_it_starts_from():
    whole = with_both(background_of())
    anew = replace(whole, last=(None, None, None)).fitted()
    assert whole.fitted().log_likelihood == pytest.approx(anew.log_likelihood, abs=0.05)
    np.testing.assert_allclose(whole.fitted().source_fractions, anew.source_fractions, atol=2e-3)
