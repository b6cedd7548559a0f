from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mxtvhf.localisation.counts import WEIGHT_POWERS, Counts
from mxtvhf.localisation.scene import Scene
from support.fields import draw_field

GOOD = np.ones((256, 256))


@st.composite
def photons(draw, most=300):
    """Return photons with any weights for three templates, and components of a background."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    number, spread = draw(st.integers(1, most)), draw(st.sampled_from([0.0, 1.0, 8.0]))
    column, row = rng.integers(0, 256, (2, number))
    return Counts.from_photons(
        column, row, np.exp(spread * rng.normal(size=(3, number))), GOOD,
        shares=rng.dirichlet(np.ones(3)), spectra=rng.exponential(size=(4, number)),
        courses=rng.exponential(size=(2, number)),
    )  # fmt: skip


def against_something(counts, seed=1):
    rng = np.random.default_rng(seed)
    density, overall = rng.uniform(0.2, 5.0, (2, counts.number.size))
    return counts.against(density, overall), density, overall


@given(photons())
@settings(max_examples=30, deadline=None)
def test_weights_relative_to_another_density(counts):
    other, density, overall = against_something(counts)
    np.testing.assert_allclose(other.weights * density, counts.weights)
    np.testing.assert_allclose(other.template_weights * density, counts.template_weights)
    np.testing.assert_allclose(other.concentration * overall, density)
    # Without positions, the density of everything else is its mean over the positions.
    np.testing.assert_allclose(other.overall_weights * overall, counts.weights)
    assert other.shares is counts.shares


def test_unweighted_photons_relative_to_another_density():
    counts = Counts.from_image(np.eye(256, dtype=np.int64), GOOD)
    assert counts.overall_weights is None
    assert counts.positions_only.weights is None
    other, density, _ = against_something(counts)
    np.testing.assert_allclose(other.weights, 1.0 / density)


@given(photons())
@settings(max_examples=20, deadline=None)
def test_position_only_weights_contain_no_energies(counts):
    assert counts.positions_only.weights is None
    other, density, overall = against_something(counts)
    places = other.positions_only
    assert places.template_weights is None
    np.testing.assert_allclose(places.weights, overall / density)
    # The source has the energies and times of everything else.
    np.testing.assert_allclose(places.overall_weights, 1.0)


@given(photons())
@settings(max_examples=30, deadline=None)
def test_numbers_by_weight_keep_the_photons_and_the_mean_log_weight(counts):
    other, *_ = against_something(counts)
    low, high = WEIGHT_POWERS
    for one in (counts, other, other.positions_only):
        number = one.numbers()
        assert number.shape == (high + 1 - low,)
        assert number.sum() == pytest.approx(one.total)
        weights = one.overall_weights if one.overall_weights is not None else np.ones(one.number.size)
        mean = np.clip(np.log2(weights), low, high) @ one.number
        assert number @ np.arange(low, high + 1) == pytest.approx(mean, abs=1e-6)


def test_images_and_numbers_agree_for_a_flat_background():
    counts = draw_field(1, [(100.0, 60.0, 100)]).counts()
    images, lowest = counts.images()
    numbers = counts.numbers()
    first = lowest - WEIGHT_POWERS[0]
    np.testing.assert_allclose(images.sum(axis=(1, 2)), numbers[first : first + len(images)], atol=1e-9)


@given(photons(), st.sampled_from([2, 8, 32]))
@settings(max_examples=20, deadline=None)
def test_the_image_of_cells_is_that_of_their_blocks(counts, side):
    for one in (counts, counts.positions_only):
        (images, lowest), (cells, lowest_of_cells) = one.images(), one.images(side)
        size = 256 // side
        summed = images.reshape(-1, size, side, size, side).sum(axis=(2, 4))
        assert lowest_of_cells == lowest
        np.testing.assert_allclose(cells, summed, rtol=1e-12, atol=1e-12)


@given(photons(), st.sampled_from([1, 2, 8, 32]))
@settings(max_examples=30, deadline=None)
def test_rebinning_keeps_the_sums(counts, factor):
    other, *_ = against_something(counts)
    joined = other.rebinned(factor)
    assert joined.block == factor
    assert joined.total == pytest.approx(other.total)
    assert joined.area == pytest.approx(other.area)
    for name in ("weights", "template_weights", "spectra", "courses", "concentration"):
        before, after = getattr(other, name) @ other.number, getattr(joined, name) @ joined.number
        np.testing.assert_allclose(after, before, rtol=1e-9)
    image, rough = np.zeros((256, 256)), np.zeros((256 // factor, 256 // factor))
    np.add.at(image, (other.row, other.column), other.number)
    np.add.at(rough, (joined.row, joined.column), joined.number)
    blocks = image.reshape(256 // factor, factor, 256 // factor, factor).sum(axis=(1, 3))
    np.testing.assert_allclose(rough, blocks)


def test_the_area_of_blocks_is_that_of_the_exposed_pixels():
    good = np.ones((256, 256))
    good[:, 3:40] = 0.25
    counts = Counts.from_photons(np.array([1, 7, 200]), np.array([1, 9, 30]), np.ones(3), good)
    joined = counts.rebinned(8)
    assert joined.area == pytest.approx(good.sum())
    assert joined.good[0, 0] == pytest.approx((3 + 5 * 0.25) / 8)


def test_only_similar_photons_are_merged():
    photons = draw_field(2, [(100.0, 60.0, 3000)], background=3000)
    counts = photons.counts()
    assert counts.total == 6000
    assert counts.number.size < 6000
    exact = photons.weights
    assert counts.template_weights @ counts.number == pytest.approx(exact.sum(axis=1))
    # The fitted background does not depend on merging.
    column, row = photons.x.astype(int), photons.y.astype(int)
    background = photons.background
    one_by_one = Counts(
        column, row, np.ones(column.size), GOOD, counts.shares @ exact,
        template_weights=exact, shares=counts.shares,
        spectra=background.spectra, courses=background.courses,
    )  # fmt: skip
    joined, single = (Scene.of_background(one) for one in (counts, one_by_one))
    np.testing.assert_allclose(joined.parts[0], single.parts[0], atol=0.03)
    assert joined.log_likelihood == pytest.approx(single.log_likelihood, rel=0.02)


def test_the_mean_weight_uses_the_shares_of_the_templates():
    weights = np.array([[1.0, 4.0], [3.0, 2.0]])
    column, row = np.array([1, 2]), np.array([3, 4])
    counts = Counts.from_photons(column, row, weights, GOOD, shares=np.array([0.75, 0.25]))
    np.testing.assert_allclose(counts.weights, [1.5, 3.5])
    np.testing.assert_allclose(Counts.from_photons(column, row, weights, GOOD).weights, [2.0, 3.0])
    np.testing.assert_allclose(counts.averaged_over_templates(np.array([0.0, 1.0])).weights, [3.0, 2.0])


def test_other_weights_keep_the_sums_over_pixels_and_photons():
    good = GOOD.copy()
    good[:, 40:90] = 0.5
    counts = draw_field(1, [(100.0, 60.0, 100)]).counts(good)
    before = counts.total, counts.area, counts.enclosed(np.ones(256), np.ones(256))
    other = counts.averaged_over_templates(np.eye(len(counts.template_weights))[0])
    after = other.total, other.area, other.enclosed(np.ones(256), np.ones(256))
    assert before == after
    fresh = replace(other)
    assert (fresh.total, fresh.area) == before[:2]
