import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.events.patterns import INVALID_GRADE, pile_up_fraction, reconstruct
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.calibration import default_calibration
from mxtvhf.instrument.pixels import RawMask
from mxtvhf.simulator.photons import simulate_photons
from mxtvhf.simulator.readout import read_out


def entries(*rows, time=0.0):
    """Return pixel entries (column, row, pulse height[, time])."""
    rows = sorted(((*row, time)[:4] for row in rows), key=lambda row: row[3])
    x, y, pha, times = (np.array(column) for column in zip(*rows, strict=True))
    return PhotonList(times.astype(np.float64), x.astype(np.int16), y.astype(np.int16), pha.astype(np.int32))


def events(found):
    """Return the rows as a set of (column, row, pulse height, grade)."""
    rows = found.rows
    return {tuple(map(int, row)) for row in zip(rows.x, rows.y, rows.pha, found.grade, strict=True)}


# Pulse heights around the main pixel at (100, 50); the row above comes first.
@pytest.mark.parametrize(
    ("grade", "island"),
    [
        (0, ["   ", " 9 ", "   "]),
        (1, [" 4 ", " 9 ", "   "]),
        (2, ["   ", " 94", "   "]),
        (3, ["   ", " 9 ", " 4 "]),
        (4, ["   ", "49 ", "   "]),
        (5, [" 4 ", " 93", "   "]),
        (6, ["   ", " 93", " 4 "]),
        (7, ["   ", "39 ", " 4 "]),
        (8, [" 4 ", "39 ", "   "]),
        (9, [" 41", " 93", "   "]),
        (10, ["   ", " 93", " 41"]),
        (11, ["   ", "39 ", "14 "]),
        (12, ["14 ", "39 ", "   "]),
    ],
)
def test_each_pattern_of_one_photon_is_one_event(grade, island):
    given_ = [
        (99 + column, 51 - row, 100 * int(pha))
        for row, line in enumerate(island)
        for column, pha in enumerate(line)
        if pha != " "
    ]
    total = sum(pha for _, _, pha in given_)
    for order in (given_, given_[::-1]):
        found = reconstruct(entries(*order))
        assert events(found) == {(100, 50, total, grade)}
        assert len(found.photons) == 1
        assert len(found.rejected) == 0
    pixels = ["singles", "doubles", "triples", "quadruples"][len(given_) - 1]
    counts = found.counts()
    assert counts.model_dump() == {
        name: int(name == pixels) for name in ("singles", "doubles", "triples", "quadruples")
    } | {"invalid_pixels": 0, "pile_up": 0.0}
    assert counts.pixels == len(given_)


@pytest.mark.parametrize(
    "rows",
    [
        [(10, 5, 30), (11, 5, 50), (12, 5, 40)],
        [(10, 5, 30), (10, 6, 50), (10, 7, 40)],
        [(10, 5, 1), (11, 5, 2), (10, 6, 3), (11, 6, 4), (12, 6, 5)],
        [(10, 5, 1), (11, 5, 2), (11, 6, 3), (12, 6, 5)],
        [(10 + step, 5, 400) for step in range(100)],
    ],
    ids=["line", "column", "five", "s", "noisy row"],
)
def test_an_invalid_pattern_is_kept_unchanged_and_is_not_a_photon(rows):
    found = reconstruct(entries(*rows, (200, 200, 7)))
    assert events(found) == {*((*row, INVALID_GRADE) for row in rows), (200, 200, 7, 0)}
    assert found.photons.pha.tolist() == [7]
    assert len(found.rejected) == found.counts().invalid_pixels == len(rows)


@pytest.mark.parametrize(
    "rows",
    [
        [(10, 5, 30), (11, 6, 50)],
        [(10, 5, 30, 0.0), (11, 5, 50, 0.1)],
        [(255, 5, 30), (0, 6, 50)],
        [(10, 255, 30, 0.0), (10, 0, 50, 0.1)],
        [(10, 5, 30), (12, 5, 50)],
        [(10, 5, 30), (10, 5, 50), (11, 5, 20)],
    ],
    ids=["corner", "next frame", "end of a row", "end of a frame", "a pixel between", "one pixel twice"],
)
def test_photons_that_do_not_touch_in_one_frame_stay_apart(rows):
    found = reconstruct(entries(*rows))
    assert (found.grade == 0).all()
    assert sorted(found.photons.pha) == sorted(row[2] for row in rows)


def test_times_that_differ_by_a_rounding_error_are_of_one_frame():
    found = reconstruct(entries((10, 5, 30, 2.9e8), (11, 5, 50, 2.9e8 + 6e-8)))
    assert events(found) == {(11, 5, 80, 4)}


def test_a_sum_above_the_last_channel_is_counted_in_it():
    assert events(reconstruct(entries((10, 5, 4000), (11, 5, 3000)))) == {(10, 5, 4095, 2)}


def test_of_equal_pulse_heights_the_first_is_the_main_pixel():
    assert events(reconstruct(entries((10, 5, 40), (11, 5, 40)))) == {(10, 5, 80, 2)}


def test_a_bad_pixel_is_not_joined():
    mask = RawMask(np.zeros((256, 256), bool))
    mask[5, 10] = True
    found = reconstruct(entries((10, 5, 900), (11, 5, 40), (11, 6, 60)), mask)
    assert events(found) == {(10, 5, 900, 0), (11, 6, 100, 3)}


def test_an_empty_list_gives_no_events():
    none = np.empty(0)
    found = reconstruct(PhotonList(none, none.astype(np.int16), none.astype(np.int16), none.astype(np.int32)))
    assert len(found.rows) == found.counts().pixels == 0


crowded = st.lists(
    st.tuples(st.integers(0, 5), st.integers(250, 255), st.integers(0, 200), st.sampled_from([0.0, 0.1])),
    min_size=1,
    max_size=30,
    unique_by=lambda row: (row[0], row[1], row[3]),
)


@given(crowded)
def test_reconstruction_agrees_with_a_pixel_by_pixel_search(rows):
    found = reconstruct(entries(*rows))
    expected = []
    left = {(row[3], row[0], row[1]): row[2] for row in rows}
    while left:
        cluster, ahead = {}, [next(iter(left))]
        while ahead:
            time, x, y = pixel = ahead.pop()
            if pixel in left:
                cluster[pixel] = left.pop(pixel)
                ahead += [(time, x + 1, y), (time, x - 1, y), (time, x, y + 1), (time, x, y - 1)]
        wide, high = (len({pixel[axis] for pixel in cluster}) for axis in (1, 2))
        expected += [sum(cluster.values())] if max(wide, high) <= 2 else []
    assert sorted(found.photons.pha) == sorted(expected)
    # Charge and order are preserved, and a second reconstruction changes nothing.
    assert found.rows.pha.sum() == sum(row[2] for row in rows)
    again = reconstruct(found.rows)
    assert len(again.rows) == len(found.rows)
    np.testing.assert_array_equal(again.rows.pha, found.rows.pha)
    np.testing.assert_array_equal(again.is_valid, found.is_valid)


def test_the_simulated_photons_are_reconstructed():
    """Energies (except for charge below the threshold) and pixels agree with the simulated photons."""
    rng = np.random.default_rng(1)
    sent = simulate_photons(x=100.0, y=60.0, counts=300, background=300, start=0.0, stop=300.0, rng=rng)
    read = read_out(sent, rng, gain=default_calibration().gain)
    found = reconstruct(read)
    assert len(read) > 1.3 * len(sent)
    assert len(found.photons) == pytest.approx(len(sent), abs=3)
    lost = sent.pha.sum() - found.photons.pha.sum()
    assert 0 < lost < 0.02 * sent.pha.sum()
    both = min(len(sent), len(found.photons)) // 2
    order = [np.lexsort((list_.x, list_.time))[:both] for list_ in (sent, found.photons)]
    # Nearly all photons are in place; some have another order within their frame.
    apart = np.abs(sent.x[order[0]].astype(int) - found.photons.x[order[1]])
    assert np.mean(apart <= 1) > 0.95


@pytest.mark.parametrize("counts", [3000, 20_000])
def test_the_pile_up_is_estimated(counts):
    """Compare with the simulated photons that overlap another one."""
    rng = np.random.default_rng(2)
    sent = simulate_photons(x=128.0, y=128.0, counts=counts, background=200, start=0.0, stop=60.0, rng=rng)
    frame = np.rint(sent.time / 0.1).astype(int)
    close = sum(
        int(np.sum((frame[:-lag] == frame[lag:])
        & (np.abs(sent.x[:-lag].astype(int) - sent.x[lag:]) <= 1)
        & (np.abs(sent.y[:-lag].astype(int) - sent.y[lag:]) <= 1)))
        for lag in range(1, 80)
    )  # fmt: skip
    found = reconstruct(read_out(sent, rng, gain=default_calibration().gain)).counts()
    assert found.pile_up == pytest.approx(close / len(sent), rel=0.15, abs=3 * np.sqrt(close) / len(sent))


def test_a_hot_pixel_does_not_count_as_pile_up():
    time = 0.1 * np.arange(3000)
    hot = PhotonList(
        time, np.full(3000, 7, np.int16), np.full(3000, 9, np.int16), np.full(3000, 400, np.int32)
    )
    rng = np.random.default_rng(3)
    field = simulate_photons(x=9.0, y=9.0, counts=0, background=300, start=0.0, stop=300.0, rng=rng)
    assert pile_up_fraction(hot.merged(field)) < 1e-3
    assert pile_up_fraction(hot) == 0.0
