import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.analysis.column_prior import column_of, coordinate_limits, prior_density

LOW, HIGH = coordinate_limits()
GRID = np.linspace(LOW, HIGH, 20_001)


@given(st.none() | st.floats(3e19, 3e22))
def test_the_prior_is_a_density_that_excludes_no_column(galactic):
    density = prior_density(GRID, galactic)
    assert np.trapezoid(density, GRID) == pytest.approx(1.0, abs=0.02)
    assert density.min() > 0.01


@given(st.floats(1e20, 1e22))
def test_the_galactic_column_is_the_most_probable_and_more_is_more_probable_than_less(galactic):
    density = prior_density(GRID, galactic)
    likeliest = float(column_of(GRID[density.argmax()]))
    assert likeliest == pytest.approx(galactic, rel=0.3)
    less, more = prior_density(np.log(np.array([0.2, 3.0]) * galactic + 5e20), galactic)
    assert more > less


def test_no_column_is_the_lower_limit():
    assert float(column_of(np.array(LOW))) == pytest.approx(0.0, abs=1e6)
    assert float(column_of(np.array(HIGH))) == pytest.approx(1e23)
