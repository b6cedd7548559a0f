import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_st
from scipy.spatial.transform import Rotation

from mxtvhf.errors import InvalidInput
from mxtvhf.instrument.attitude import AttitudeHistory, observing_time, stable_pointing
from mxtvhf.instrument.pointing import Pointing, quaternion_of

HERE = quaternion_of(10.0, 20.0, 30.0)
UNIT = st.lists(st.floats(-1.0, 1.0), min_size=4, max_size=4).map(np.array).filter(lambda q: q @ q > 0.01)
quaternions = UNIT.map(lambda q: q / np.sqrt(q @ q))


def history(flags, *, step=10.0, decs=None):
    quaternion = [quaternion_of(10.0, dec, 30.0) for dec in decs or [20.0] * len(flags)]
    return AttitudeHistory(np.arange(len(flags)) * step, np.array(quaternion), np.array(flags, bool))


def angle_arcsec(first, second):
    return 3600 * np.degrees((first.inv() * second).magnitude())


# ------------------------------------------------------------------ samples


@given(
    time=numpy_st.arrays(float, st.integers(0, 8), elements=st.floats(-1e9, 1e9) | st.just(np.nan)),
    data=st.data(),
)
def test_invalid_samples_are_refused(time, data):
    quaternion = numpy_st.arrays(float, (len(time), 4), elements=st.floats(-2.0, 2.0) | st.just(np.nan))
    quaternion = data.draw(quaternion)
    if len(time):
        quaternion[: len(time) // 2] = HERE
    sound = np.all(np.diff(time) > 0) and np.isfinite(time).all()
    if sound and all(abs(np.sqrt(q @ q) - 1) < 1e-6 for q in quaternion):
        assert len(AttitudeHistory(time, quaternion, np.ones(len(time), bool))) == len(time)
    else:
        cause = r"attitude: sample \d+: .*(expected a finite number|is not after .*|not of unit length)$"
        with pytest.raises(InvalidInput, match=cause):
            AttitudeHistory(time, quaternion, np.ones(len(time), bool))


@given(st.lists(st.tuples(st.integers(0, 20), quaternions, st.booleans()), min_size=1, max_size=20))
def test_samples_in_any_order_are_arranged_and_repeats_are_dropped(samples):
    time, quaternion, stable = zip(*samples, strict=True)
    found = AttitudeHistory.from_samples(time, quaternion, stable)
    assert found.time.tolist() == sorted(set(time))
    for moment, given_then, flag in zip(found.time, found.quaternion, found.stable, strict=True):
        first = time.index(moment)
        np.testing.assert_array_equal(given_then, quaternion[first])
        assert flag == stable[first]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"time": np.array([0.0, 10.0, 10.0])}, "sample 2: time 10.000000 is not after 10.000000"),
        ({"time": np.array([0.0, 10.0, 5.0])}, "sample 2: time 5.000000 is not after 10.000000"),
        ({"time": np.array([0.0, np.nan, 5.0])}, "sample 1: time is nan; expected a finite number"),
        ({"quaternion": np.tile(1.01 * HERE, (3, 1))}, "sample 0: quaternion is not of unit length"),
        ({"quaternion": np.full((3, 4), 1e200)}, "sample 0: quaternion is not of unit length"),
        ({"quaternion": np.tile(HERE, (2, 1))}, "3 times, but quaternions"),
        ({"stable": np.ones(4, bool)}, "3 times, but quaternions"),
    ],
)
def test_impossible_samples_are_refused(change, cause):
    sound = {"time": np.arange(3.0), "quaternion": np.tile(HERE, (3, 1)), "stable": np.ones(3, bool)}
    with pytest.raises(InvalidInput, match=cause):
        AttitudeHistory(**(sound | change))


def test_a_history_is_read_back_from_its_file():
    attitude = history([1, 0, 1])
    again = AttitudeHistory.from_bytes(attitude.to_bytes())
    np.testing.assert_array_equal(again.quaternion, attitude.quaternion)
    assert again.stable.tolist() == [True, False, True]


# ------------------------------------------------------------------ interpolation


@given(first=quaternions, second=quaternions, sign=st.sampled_from([1.0, -1.0]), part=st.floats(0.0, 1.0))
def test_between_two_samples_the_attitude_turns_at_one_rate(first, second, sign, part):
    samples = Rotation.from_quat([first, second])
    whole = angle_arcsec(samples[0], samples[1])
    if whole > 3600 * 179:
        return  # The direction of rotation is not defined.
    attitude = AttitudeHistory(np.array([5.0, 15.0]), np.array([first, sign * second]), np.ones(2, bool))
    found = Rotation.from_quat(attitude.at(np.array([5.0 + 10.0 * part])))
    assert angle_arcsec(samples[:1], found)[0] == pytest.approx(part * whole, abs=1e-4)
    assert angle_arcsec(found, samples[1:])[0] == pytest.approx((1 - part) * whole, abs=1e-4)


def test_outside_the_samples_the_nearest_holds():
    attitude = history([1, 1], decs=[20.0, 20.001])
    found = Rotation.from_quat(attitude.at(np.array([-100.0, 0.0, 10.0, 1e6])))
    expected = Rotation.from_quat(attitude.quaternion[[0, 0, 1, 1]])
    assert angle_arcsec(found, expected).max() < 1e-6
    alone = Rotation.from_quat(history([1]).at(np.array([-1.0, 1.0])))
    assert angle_arcsec(alone, Rotation.from_quat([HERE, HERE])).max() < 1e-6


def test_an_attitude_without_samples_cannot_be_interpolated():
    with pytest.raises(InvalidInput, match="attitude: no sample"):
        AttitudeHistory(np.empty(0), np.empty((0, 4)), np.empty(0, bool)).at(np.array([1.0]))


# ------------------------------------------------------------------ stable times


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([1, 1, 1], [[-5.0, 49.0]]),
        ([0, 1, 1, 0], [[10.0, 20.0]]),
        ([1, 0, 1, 0, 1], [[-5.0, 0.0], [40.0, 49.0]]),
        ([1, 1, 0, 1, 1], [[-5.0, 10.0], [30.0, 49.0]]),
        ([1], [[-5.0, 30.0]]),
        ([0, 1], [[10.0, 40.0]]),
    ],
)
def test_the_pointing_is_stable_between_and_next_to_stable_samples(flags, expected):
    assert stable_pointing(history(flags), -5.0, 49.0).gti.tolist() == expected


def test_stable_times_stay_inside_the_span():
    assert stable_pointing(history([1, 0, 1, 1]), 12.0, 25.0).gti.tolist() == [[20.0, 25.0]]
    assert stable_pointing(history([0, 1]), 0.0, 5.0).gti.shape == (0, 2)


def gap_of(arcsec):
    """Return a history with a gap of 10 minutes and the given angle between the attitudes on both sides."""
    quaternion = [quaternion_of(10.0, dec, 30.0) for dec in (20.0, 20.0, *[20.0 + arcsec / 3600] * 2)]
    return AttitudeHistory(np.array([0.0, 60.0, 660.0, 670.0]), np.array(quaternion), np.ones(4, bool))


def test_a_gap_with_the_same_pointing_on_both_sides_is_bridged():
    assert stable_pointing(gap_of(0.0), 0.0, 680.0).gti.tolist() == [[0.0, 680.0]]
    assert stable_pointing(gap_of(24.9), 0.0, 680.0).gti.tolist() == [[0.0, 680.0]]


def test_a_gap_with_another_pointing_behind_it_is_not_stable():
    # The pointing stays within 10 arcmin of the main pointing and moves slower than 2 arcsec/s.
    assert stable_pointing(gap_of(25.1), 0.0, 680.0).gti.tolist() == [[0.0, 60.0], [660.0, 680.0]]


def test_a_sample_of_an_unstable_pointing_beside_a_gap_leaves_the_gap():
    attitude = gap_of(0.0)
    slewing = AttitudeHistory(attitude.time, attitude.quaternion, np.array([1, 1, 0, 1], bool))
    assert stable_pointing(slewing, 0.0, 680.0).gti.tolist() == [[0.0, 60.0], [670.0, 680.0]]


def test_a_long_pause_of_photons_and_samples_is_not_observing_time():
    samples, always = np.array([0.0, 60.0, 660.0, 670.0]), [[-np.inf, np.inf]]
    assert observing_time(samples, np.empty(0)).tolist() == [[-np.inf, 60.0], [660.0, np.inf]]
    assert observing_time(samples, np.array([300.0])).tolist() == [
        [-np.inf, 60.0],
        [300.0, 300.1],
        [660.0, np.inf],
    ]
    assert observing_time(samples, np.arange(90.0, 660.0, 50.0)).tolist() == always
    assert observing_time(samples[:2], np.array([500.0])).tolist() == always


def test_a_fast_motion_is_not_stable_whatever_the_flag_says():
    # The rate is 3 arcsec/s between 20 s and 40 s.
    decs = [20.0, 20.0, 20.0, 20.0 + 30 / 3600, 20.0 + 60 / 3600, 20.0 + 60 / 3600]
    found = stable_pointing(history([1] * 6, decs=decs), 0.0, 50.0)
    assert found.gti.tolist() == [[0.0, 20.0], [40.0, 50.0]]
    ends = stable_pointing(history([1] * 3, decs=[20.0, 20.01, 20.02]), -20.0, 40.0)
    assert ends.gti.shape == (0, 2)


def test_noise_of_samples_in_quick_succession_is_not_motion():
    decs = [20.0 + noise / 3600 for noise in (0, 5, 0, 5, 0)]
    assert stable_pointing(history([1] * 5, step=1.0, decs=decs), 0.0, 4.0).gti.tolist() == [[0.0, 4.0]]


def test_of_two_targets_the_one_observed_longer_is_kept():
    attitude = history([1, 1, 1, 0, 1, 1, 1, 1], decs=[60.0] * 3 + [40.0] + [20.0] * 4)
    found = stable_pointing(attitude, 0.0, 70.0)
    assert found.gti.tolist() == [[40.0, 70.0]]
    assert Pointing.from_quaternion(found.mean).dec_deg == pytest.approx(20.0, abs=1e-9)
    assert found.spread_arcsec < 1e-6


def test_the_mean_is_that_of_the_stable_time():
    # The sample at 20.002 has twice the weight: it stands for 10 s, the others for 5 s each.
    found = stable_pointing(history([1, 1, 1, 0], decs=[20.0, 20.002, 20.002, 60.0]), 0.0, 30.0)
    mean = Pointing.from_quaternion(found.mean)
    assert (mean.ra_deg, mean.dec_deg) == pytest.approx((10.0, 20.0015), abs=1e-7)
    assert found.spread_arcsec == pytest.approx(5.4, abs=1e-3)


def test_the_sign_of_a_quaternion_has_no_effect():
    attitude = AttitudeHistory(np.array([0.0, 10.0]), np.array([HERE, -HERE]), np.ones(2, bool))
    found = stable_pointing(attitude, 0.0, 10.0)
    assert found.spread_arcsec < 1e-6
    assert found.gti.tolist() == [[0.0, 10.0]]


def test_without_stable_pointing_there_is_no_gti():
    found = stable_pointing(history([0, 0]), 0.0, 10.0)
    assert found.gti.shape == (0, 2)
    assert found.spread_arcsec == pytest.approx(0.0, abs=1e-6)
    mean = Pointing.from_quaternion(found.mean)
    assert (mean.ra_deg, mean.dec_deg) == pytest.approx((10.0, 20.0), abs=1e-7)


def test_without_samples_there_is_no_pointing():
    with pytest.raises(InvalidInput, match="attitude: no sample"):
        stable_pointing(AttitudeHistory(np.empty(0), np.empty((0, 4)), np.empty(0, bool)), 0.0, 10.0)


@given(
    flags=st.lists(st.booleans(), min_size=1, max_size=12).filter(any),
    steps=st.lists(st.floats(0.01, 100.0), min_size=12, max_size=12),
    moves=st.lists(st.floats(-300.0, 300.0), min_size=12, max_size=12),
    span=st.tuples(st.floats(-200.0, 1500.0), st.floats(0.0, 1500.0)),
)
def test_gtis_obey_the_limits(flags, steps, moves, span):
    count = len(flags)
    time, offset = np.cumsum(steps)[:count], np.cumsum(moves)[:count] / 3600
    quaternion = np.array([quaternion_of(10.0, 20.0 + d, 30.0) for d in offset])
    start, stop = span[0], span[0] + span[1]
    found = stable_pointing(AttitudeHistory(time, quaternion, np.array(flags)), start, stop)
    edges = found.gti.ravel()
    assert np.all(np.diff(edges) > 0)
    assert np.all((edges >= start) & (edges <= stop))
    for moment in found.gti.mean(axis=1):
        before, after = np.searchsorted(time, moment) - 1, np.searchsorted(time, moment)
        if before < 0 or after == count:
            assert flags[0 if before < 0 else -1]
            assert max(time[0] - moment, moment - time[-1]) <= 30.0
        else:
            assert flags[before]
            assert flags[after]
            step, moved = time[after] - time[before], 3600 * abs(offset[after] - offset[before])
            assert moved <= (25.0 if step > 60.0 else 6.0 + 2.0 * step) + 1e-6
