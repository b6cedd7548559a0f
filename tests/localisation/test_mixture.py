import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mxtvhf.localisation.mixture import KnownSums, mixture_fractions


@st.composite
def mixtures(draw):
    """Return densities of some components at some entries, their photons, and the prior photons."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    components, entries = draw(st.integers(1, 6)), draw(st.integers(1, 150))
    density = rng.exponential(size=(components, entries))
    density[rng.random(density.shape) < draw(st.sampled_from([0.0, 0.5]))] = 0.0
    # No entry may have the density 0 in all components.
    density[0] = np.maximum(density[0], 0.05)
    number = rng.integers(1, draw(st.sampled_from([2, 30])), entries).astype(float)
    return density, number, draw(st.sampled_from([0.0, 0.3, 10.0])) * rng.random(components)


def log_likelihood(parts, density, number, expected):
    seen = expected > 0.0
    with np.errstate(divide="ignore"):
        return number @ np.log(parts @ density) + expected[seen] @ np.log(parts[seen])


def by_expectation_maximisation(density, number, expected, steps=3000):
    parts = np.full(len(density), 1.0 / len(density))
    for _ in range(steps):
        parts = parts * (density / (parts @ density) @ number) + expected
        parts /= parts.sum()
    return parts


@given(mixtures())
@settings(max_examples=25, deadline=None)
def test_the_fractions_agree_with_expectation_maximisation(mixture):
    ours, theirs = (
        log_likelihood(way(*mixture), *mixture) for way in (mixture_fractions, by_expectation_maximisation)
    )
    assert ours > theirs - 1e-3


@given(mixtures(), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_the_fractions_are_valid_for_any_starting_point(mixture, seed):
    start = np.random.default_rng(seed).dirichlet(np.full(len(mixture[0]), 0.3))
    parts, again = mixture_fractions(*mixture), mixture_fractions(*mixture, start)
    for one in (parts, again):
        assert (one >= 0.0).all()
        assert one.sum() == pytest.approx(1.0, rel=1e-12)
    assert log_likelihood(again, *mixture) == pytest.approx(log_likelihood(parts, *mixture), abs=2e-3)


def test_the_fraction_of_two_components_maximises_the_likelihood():
    rng = np.random.default_rng(1)
    energy = np.where(rng.random(2000) < 0.3, rng.exponential(0.5, 2000), rng.uniform(0.0, 10.0, 2000))
    density = np.stack([2.0 * np.exp(-2.0 * energy), np.full(2000, 0.1)])
    part = mixture_fractions(density, np.ones(2000), np.zeros(2))[0]
    tried = np.linspace(0.001, 0.999, 999)
    highest = tried[
        np.log(np.outer(tried, density[0]) + np.outer(1.0 - tried, density[1])).sum(axis=1).argmax()
    ]
    assert part == pytest.approx(highest, abs=1e-3)
    assert part == pytest.approx(0.3, abs=0.05)


@given(mixtures())
@settings(max_examples=20, deadline=None)
def test_a_duplicated_component_changes_nothing(mixture):
    density, number, expected = mixture
    parts = mixture_fractions(density, number, expected)
    twice = mixture_fractions(np.vstack([density, density[:1]]), number, np.append(expected, 0.0))
    one, other = parts @ density, twice @ np.vstack([density, density[:1]])
    assert number @ np.log(other) == pytest.approx(number @ np.log(one), abs=0.01 + 0.1 * expected.sum())


def test_a_single_photon_belongs_to_the_component_with_the_highest_density():
    parts = mixture_fractions(np.array([[1.0], [3.0], [2.0]]), np.ones(1), np.zeros(3))
    assert parts == pytest.approx([0.0, 1.0, 0.0], abs=1e-3)


def test_prior_photons_count_like_observed_photons():
    density = np.array([[1.0, 0.0], [0.0, 1.0]])
    parts = mixture_fractions(density, np.array([30.0, 10.0]), np.array([0.0, 20.0]))
    assert parts == pytest.approx([0.5, 0.5], abs=1e-3)


def test_a_single_component_has_the_fraction_one():
    assert mixture_fractions(np.full((1, 7), 0.2), np.ones(7), np.ones(1)) == pytest.approx([1.0])


def test_a_fraction_that_starts_at_zero_can_grow():
    density = np.array([[1.0, 1.0, 1.0], [5.0, 5.0, 5.0]])
    assert mixture_fractions(density, np.ones(3), np.zeros(2), np.array([1.0, 0.0]))[1] > 0.99


@pytest.mark.parametrize("begin", [0.0, 1e-12, 0.1, 0.9])
def test_prior_photons_alone_give_a_fraction_from_any_start(begin):
    density = np.stack([np.ones(1000), np.full(1000, 1e-9)])
    parts = mixture_fractions(density, np.ones(1000), np.array([0.0, 0.3]), np.array([1.0 - begin, begin]))
    # The sum of the first fractions is not favoured: it is 1 here.
    assert parts[1] == pytest.approx(0.3 / 1000.3, rel=0.05)


def test_known_sums_of_fractions_keep_their_ratio():
    density = np.array([[1.0, 0.2], [0.5, 1.0], [0.4, 3.0], [0.1, 0.1]])
    members = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    number = np.array([30.0, 70.0])
    free = mixture_fractions(density, number, np.zeros(3))
    sums = KnownSums(members, np.array([9e5, 1e5]))
    parts = mixture_fractions(density, number, np.zeros(3), sums=sums)
    assert free[2] > 0.3
    assert parts[2] / parts[:3].sum() == pytest.approx(0.1, abs=1e-3)
    # Prior photons do not change the summed fraction of the first components.
    best = [0.9 * density[0] + 0.1 * density[2], 0.9 * density[1] + 0.1 * density[2], density[3]]
    assert parts[3] == pytest.approx(mixture_fractions(np.array(best), number, np.zeros(2))[2], abs=0.01)
