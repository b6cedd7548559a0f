import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.instrument.constants import pixel_scale_arcsec
from mxtvhf.localisation.position import localise
from mxtvhf.localisation.prior import PositionPrior
from mxtvhf.simulator.photons import simulate_photons

PRIOR = PositionPrior(x=120.0, y=80.0, sigma=9.0, trust=0.9)
GRID = np.arange(0.0, 256.0)


def burst(seed, x, y, counts=25, background=300):
    rng = np.random.default_rng(seed)
    return simulate_photons(x=x, y=y, counts=counts, background=background, start=0.0, stop=9.0, rng=rng)


def test_the_mean_density_of_the_prior_is_one():
    assert np.exp(PRIOR.log_ratio(GRID, GRID[:, np.newaxis])).mean() == pytest.approx(1.0, abs=1e-6)


@given(x=st.floats(0, 255), y=st.floats(0, 255), sigma=st.floats(2.0, 60.0), trust=st.floats(0.01, 1.0))
def test_derivatives_of_the_prior(x, y, sigma, trust):
    prior = PositionPrior(120.0, 80.0, sigma, trust)
    gradient, hessian = prior.derivatives(x, y)
    step = 1e-3
    for k, (dx, dy) in enumerate(step * np.eye(2)):
        ahead, behind = prior.log_ratio(x + dx, y + dy), prior.log_ratio(x - dx, y - dy)
        assert gradient[k] == pytest.approx((ahead - behind) / (2 * step), abs=1e-4)
        slope_ahead, slope_behind = prior.derivatives(x + dx, y + dy)[0], prior.derivatives(x - dx, y - dy)[0]
        np.testing.assert_allclose(hessian[k], (slope_ahead - slope_behind) / (2 * step), atol=1e-4)


def test_a_prior_agrees_with_positions_within_both_errors():
    exact, loose = (0.0, 0.0), (20.0, 20.0)
    assert PRIOR.holds(120.0 + 2.9 * 9.0, 80.0, exact)
    assert not PRIOR.holds(120.0 + 3.1 * 9.0, 80.0, exact)
    assert PRIOR.holds(120.0, 80.0 - 5.0 * 9.0, loose)


@pytest.mark.slow
def test_a_prior_makes_a_faint_source_inside_it_significant():
    with_prior = without = 0
    for seed in range(40):
        photons = burst(seed, 122.0, 78.0, counts=35)
        with_prior += localise(photons.x, photons.y, prior=PRIOR).detected
        without += localise(photons.x, photons.y).detected
    assert with_prior > without + 8


def test_a_prior_does_not_create_a_source():
    rng = np.random.default_rng(5)
    for _ in range(60):
        assert not localise(*rng.integers(0, 256, (2, 300)), prior=PRIOR).detected


def test_a_bright_source_far_from_the_circle_is_still_found():
    photons = burst(1, 30.0, 220.0, counts=200)
    found = localise(photons.x, photons.y, prior=PRIOR)
    alone = localise(photons.x, photons.y)
    assert found.detected
    assert np.hypot(found.x - alone.x, found.y - alone.y) * pixel_scale_arcsec() < 0.1 * alone.r90


def test_a_prior_reduces_the_radius():
    photons = burst(2, 121.0, 79.0, counts=80)
    assert localise(photons.x, photons.y, prior=PRIOR).r90 < localise(photons.x, photons.y).r90
