import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_st

from mxtvhf.errors import InvalidInput
from mxtvhf.events.photons import PhotonList


@st.composite
def columns(draw):
    """Return columns with arbitrary values."""
    count = draw(st.integers(0, 6))
    time = draw(
        numpy_st.arrays(float, count, elements=st.floats(0.0, 3.0) | st.just(np.nan) | st.just(np.inf))
    )
    if draw(st.booleans()):
        time = np.sort(time)
    address = st.integers(-1, 256) if draw(st.booleans()) else st.integers(0, 255)
    x, y = (draw(numpy_st.arrays(np.int16, count, elements=address)) for _ in "xy")
    return time, x, y, draw(numpy_st.arrays(np.int32, count, elements=st.integers(-1, 4096)))


@given(columns())
def test_a_photon_list_is_valid_or_refused(given_columns):
    time, x, y, pha = given_columns
    sound = np.isfinite(time).all() and bool((np.diff(time) >= 0).all())
    sound = (
        sound and all(0 <= value <= 255 for value in (*x, *y)) and all(0 <= value <= 4095 for value in pha)
    )
    if sound:
        assert len(PhotonList(*given_columns)) == len(time)
    else:
        with pytest.raises(
            InvalidInput, match=r"photons: (x|y|pha) .* is out of range|not in ascending order"
        ):
            PhotonList(*given_columns)


def test_unequal_columns_are_refused():
    short = np.zeros(2, np.int16)
    with pytest.raises(InvalidInput, match=r"columns of unequal length: \[2, 3\]"):
        PhotonList(np.zeros(3), short, short, np.zeros(3, np.int32))


def test_lists_are_merged_in_time_order():
    first, second = (
        PhotonList(np.array(time), *np.full((2, len(time)), mark, np.int16), np.zeros(len(time), np.int32))
        for time, mark in (([0.0, 1.0, 3.0], 1), ([1.0, 2.0], 2))
    )
    merged = first.merged(second)
    assert merged.time.tolist() == [0.0, 1.0, 1.0, 2.0, 3.0]
    assert merged.x.tolist() == [1, 1, 2, 2, 1]
