import numpy as np
import pytest

from mxtvhf.localisation import localise
from mxtvhf.prior import PositionPrior
from mxtvhf.simulator.sky import simulate_photons
from mxtvhf.upperlimit import empty_upper_limit


def test_without_photons_it_is_that_of_no_counts():
    assert empty_upper_limit() == pytest.approx(2.3026, abs=1e-4)
    assert localise([7] * 50, [9] * 50).upper_limit == pytest.approx(2.3026, abs=1e-4)


@pytest.mark.parametrize(("counts", "background"), [(0, 50), (8, 50), (10, 300), (20, 1000)])
def test_it_is_above_the_truth_nine_times_in_ten(counts, background):
    """Binomial scatter of 150 fields is 2.4 %; the limit of 82 % is more than three of it below 90 %."""
    rng = np.random.default_rng(counts)
    above = []
    for _ in range(150):
        x, y = rng.uniform(20, 235, 2)
        photons = simulate_photons(x=x, y=y, counts=counts, background=background, start=0, stop=9, rng=rng)
        above.append(localise(photons.x, photons.y).upper_limit >= counts)
    assert np.mean(above) > 0.82


def test_it_is_lower_where_a_circle_tells_the_place():
    rng = np.random.default_rng(3)
    limits = []
    for _ in range(30):
        x, y = rng.integers(0, 256, (2, 300))
        prior = PositionPrior(128.0, 128.0, 9.0, 1.0)
        limits.append((localise(x, y).upper_limit, localise(x, y, prior=prior).upper_limit))
    anywhere, there = np.median(limits, axis=0)
    assert there < anywhere < 120.0


def test_it_grows_with_the_square_root_of_the_background():
    rng = np.random.default_rng(4)
    few, many = (
        np.median([localise(*rng.integers(0, 256, (2, n))).upper_limit for _ in range(20)])
        for n in (100, 1600)
    )
    assert 2.5 < many / few < 5.5
