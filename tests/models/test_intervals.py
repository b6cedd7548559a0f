import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.models.intervals import difference, length, overlap, union

SETS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=6)
CELLS = np.arange(12) + 0.5


def covered(intervals):
    """Return the cells of unit length that the intervals cover."""
    return {cell for cell in CELLS for start, stop in intervals if start <= cell < stop}


@given(first=SETS, second=SETS)
def test_interval_operations_are_set_operations(first, second):
    one, other = covered(first), covered(second)
    for found, expected in (
        (union(first), one),
        (overlap(first, second), one & other),
        (difference(first, second), one - other),
    ):
        assert covered(found) == expected
        assert length(found) == len(expected)
        assert np.all(np.diff(found.ravel()) > 0)


def test_all_of_the_time_has_no_ends():
    always = [[-np.inf, np.inf]]
    assert overlap([[1.0, 2.0], [3.0, 4.0]], always).tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert difference(always, [[1.0, 2.0]]).tolist() == [[-np.inf, 1.0], [2.0, np.inf]]
    assert difference([[1.0, 2.0]], always).shape == (0, 2)
    assert overlap([[1.0, 2.0]], []).shape == (0, 2)
    assert length(union([])) == pytest.approx(0.0)
