import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.instrument.attitude import AttitudeHistory
from mxtvhf.instrument.pointing import quaternion_of
from mxtvhf.workflow.steps.attitude_source import choose_attitude, coverage, disagreement_arcsec

START = 295268612.0
PHOTONS = START + np.linspace(0.0, 300.0, 301)


def history(*times: float, dec_deg: float = -30.0, stable: bool = True) -> AttitudeHistory:
    """Samples so many seconds after the start."""
    quaternion = np.tile(quaternion_of(150.0, dec_deg, 40.0), (len(times), 1))
    return AttitudeHistory(START + np.array(times, float), quaternion, np.full(len(times), stable))


WHOLE = history(*np.arange(0.0, 301.0, 10.0))
HALF = history(*np.arange(0.0, 151.0, 10.0))
NOTHING = history()


def test_without_a_product_the_packets_are_taken_without_a_word() -> None:
    chosen = choose_attitude(WHOLE, None, PHOTONS)
    assert (chosen.attitude, chosen.origin, chosen.notes) == (WHOLE, "packets", ())
    assert choose_attitude(NOTHING, None, PHOTONS).origin is None


def test_without_packets_the_product_is_taken() -> None:
    chosen = choose_attitude(NOTHING, HALF, PHOTONS)
    assert (chosen.origin, chosen.notes) == ("product", ())
    np.testing.assert_array_equal(chosen.attitude.time, HALF.time)
    np.testing.assert_allclose(chosen.attitude.quaternion, HALF.quaternion, atol=1e-15)


def test_of_two_that_cover_the_same_the_product_is_taken_and_it_is_said_why() -> None:
    chosen = choose_attitude(WHOLE, history(*np.arange(0.0, 301.0, 1.0)), PHOTONS)
    assert chosen.origin == "product"
    assert chosen.notes == (
        "attitude from the product SVO-ATT-VHF: it covers 100% of the photons, the pointing packets 100%",
    )


def test_a_product_that_covers_less_is_not_taken() -> None:
    chosen = choose_attitude(WHOLE, HALF, PHOTONS)
    assert (chosen.attitude, chosen.origin) == (WHOLE, "packets")
    assert chosen.notes == (
        "attitude from the pointing packets, not from the product SVO-ATT-VHF: it covers 50% of the photons, "
        "the pointing packets 100%",
    )


def test_a_product_of_a_whole_orbit_adds_no_time_to_the_observation() -> None:
    orbit = history(*np.arange(-3000.0, 3000.0, 7.0))
    chosen = choose_attitude(NOTHING, orbit, PHOTONS).attitude
    assert chosen.time[0] == START
    assert chosen.time[-1] == pytest.approx(START + 300.1, abs=1e-6)
    assert np.isin(chosen.time[1:-1], orbit.time).all()
    assert chosen.stable.all()
    # With pointing packets the observation is as long as these say.
    longer = choose_attitude(history(-20.0, 330.0), orbit, PHOTONS).attitude
    assert (longer.time[0], longer.time[-1]) == (START - 20.0, pytest.approx(START + 330.1, abs=1e-6))


def test_a_cut_through_a_slew_or_a_gap_makes_no_stable_time() -> None:
    orbit = history(-10.0, 10.0, 200.0, 400.0)
    slewing = AttitudeHistory(orbit.time, orbit.quaternion, np.array([False, True, True, True]))
    chosen = choose_attitude(NOTHING, slewing, PHOTONS).attitude
    assert chosen.time.tolist() == [START, START + 10.0, START + 200.0]
    assert chosen.stable.tolist() == [False, True, True]


def test_a_product_of_another_time_is_not_used() -> None:
    later = history(*np.arange(1e4, 1.1e4, 10.0))
    chosen = choose_attitude(NOTHING, later, PHOTONS)
    assert (chosen.origin, len(chosen.attitude)) == (None, 0)
    assert chosen.notes == ("the attitude product SVO-ATT-VHF covers none of the photons and is not used",)
    assert choose_attitude(WHOLE, later, PHOTONS).origin == "packets"


def test_a_gap_is_not_covered() -> None:
    assert coverage(history(0.0, 10.0, 290.0, 300.0), PHOTONS) == pytest.approx(20 / 301, abs=0.01)
    assert coverage(history(0.0), PHOTONS) == coverage(WHOLE, PHOTONS[:0]) == 0.0
    assert coverage(WHOLE, PHOTONS) == 1.0


def test_a_disagreement_is_told() -> None:
    other = history(*np.arange(0.0, 301.0, 10.0), dec_deg=-30.0 + 100.0 / 3600.0)
    chosen = choose_attitude(WHOLE, other, PHOTONS)
    assert chosen.notes[1:] == (
        "the attitude product SVO-ATT-VHF and the pointing packets differ by up to 1.67'",
    )


@given(offset=st.floats(1.0, 3e5))
def test_the_disagreement_is_the_angle_between_both(offset: float) -> None:
    other = history(*np.arange(0.0, 301.0, 10.0), dec_deg=-30.0 + offset / 3600.0)
    assert disagreement_arcsec(WHOLE, other) == pytest.approx(offset, abs=0.05, rel=1e-6)


def test_samples_of_a_slew_or_of_other_times_compare_nothing() -> None:
    assert disagreement_arcsec(history(0.0, 10.0, stable=False), WHOLE) is None
    assert disagreement_arcsec(history(400.0, 410.0), WHOLE) is None
