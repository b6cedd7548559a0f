import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.models.rounding import decimals, rounded


@pytest.mark.parametrize(
    ("error", "places"), [(0.34, 2), (0.099, 2), (0.0949, 3), (48.0, 0), (9.6, 0), (480.0, -1), (2.4e-12, 13)]
)
def test_the_second_digit_of_the_error_is_the_last_one(error, places):
    assert decimals(error) == places


@given(st.floats(-1e6, 1e6), st.floats(1e-12, 1e6))
def test_rounding_is_a_small_part_of_the_error(value, error):
    assert abs(rounded(value, error) - value) <= 0.054 * error + 1e-15 * abs(value)


@pytest.mark.parametrize("error", [None, 0.0, float("inf"), float("nan")])
def test_without_an_error_three_digits_are_kept(error):
    assert rounded(7.24549e-12, error) == 7.25e-12
