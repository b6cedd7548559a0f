import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.models.intervals import elapsed

LENGTHS = st.lists(st.floats(0.1, 1000.0), min_size=1, max_size=6)


@given(
    lengths=LENGTHS, gaps=st.lists(st.floats(0.0, 1000.0), min_size=6, max_size=6), start=st.floats(0.0, 1e9)
)
def test_the_elapsed_fraction_grows_in_the_gtis_and_is_constant_in_the_gaps(lengths, gaps, start):
    stop = start + np.cumsum(np.array(lengths) + gaps[: len(lengths)])
    gti = np.stack([stop - lengths, stop], axis=1)
    over = np.concatenate([[0.0], np.cumsum(np.diff(gti).ravel())]) / np.diff(gti).sum()
    # Mission times are known to 1e-7 s.
    assert elapsed(gti[:, 0], gti) == pytest.approx(over[:-1], abs=1e-5)
    assert elapsed(gti[:, 1], gti) == pytest.approx(over[1:], abs=1e-5)
    assert elapsed(gti.mean(axis=1), gti) == pytest.approx(0.5 * (over[:-1] + over[1:]), abs=1e-5)
    between = 0.5 * (gti[1:, 0] + gti[:-1, 1])
    assert elapsed(between, gti) == pytest.approx(over[1:-1], abs=1e-5)


def test_the_elapsed_fraction_is_0_before_and_1_after_the_observation():
    gti = np.array([[10.0, 20.0], [40.0, 70.0]])
    np.testing.assert_allclose(
        elapsed([[0.0, 15.0], [30.0, 40.0], [55.0, 99.0]], gti), [[0.0, 0.125], [0.25, 0.25], [0.625, 1.0]]
    )


def test_an_interval_without_length_changes_nothing():
    gti = np.array([[10.0, 20.0], [25.0, 25.0], [30.0, 40.0]])
    np.testing.assert_allclose(elapsed([15.0, 25.0, 35.0], gti), [0.25, 0.5, 0.75])
