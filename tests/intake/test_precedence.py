"""Notices of other missions wait while an alert of ours is processed, but never for long."""

import pytest

from mxtvhf.intake.precedence import AT_ONCE, BREAK_S, HOLD_S, LONGEST_S, PAUSE_S, Precedence
from support.clock import Clock


@pytest.fixture
def clock():
    return Clock(1000.0)


@pytest.fixture
def precedence(clock):
    return Precedence(clock)


def take(precedence, number):
    for _ in range(number):
        precedence.other_taken()


def test_without_an_alert_of_ours_nothing_waits(precedence):
    take(precedence, 10_000)
    assert precedence.pause_s == 0.0


def test_the_first_notices_after_an_alert_do_not_wait(precedence):
    take(precedence, 10_000)
    precedence.ours_arrived()
    take(precedence, AT_ONCE)
    assert precedence.pause_s == 0.0
    take(precedence, 1)
    assert precedence.pause_s == PAUSE_S


def test_the_pauses_end_after_the_last_message_of_an_alert(precedence, clock):
    precedence.ours_arrived()
    take(precedence, AT_ONCE + 1)
    clock.now += HOLD_S - 1.0
    precedence.ours_arrived()
    clock.now += HOLD_S - 1.0
    assert precedence.pause_s == PAUSE_S
    clock.now += 1.0
    assert precedence.pause_s == 0.0


def test_packets_that_keep_arriving_never_hold_notices_back_for_longer_than_a_minute(precedence, clock):
    paused, began = [], clock.now
    while clock.now < began + 10.0 * (LONGEST_S + BREAK_S):
        precedence.ours_arrived()
        take(precedence, 1)
        paused.append(precedence.pause_s > 0.0)
        clock.now += 1.0
    longest = max(len(run) for run in "".join("x" if one else " " for one in paused).split())
    assert longest <= LONGEST_S
    assert paused.count(False) >= 10 * BREAK_S


def test_each_alert_after_a_break_is_preferred_again(precedence, clock):
    for _ in range(3):
        precedence.ours_arrived()
        assert precedence.pause_s == 0.0, "the first notices are taken at once"
        take(precedence, AT_ONCE + 1)
        assert precedence.pause_s == PAUSE_S
        clock.now += HOLD_S + BREAK_S
