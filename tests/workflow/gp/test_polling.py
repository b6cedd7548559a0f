"""When GP is asked again, and when a job is given up."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.workflow.gp.contract import GpBusy, GpState, GpStatus, GpUnknownJobError
from mxtvhf.workflow.gp.polling import Polling

RUNNING = GpStatus(process_id="a7", state=GpState.RUNNING)


def test_a_job_that_gp_does_not_know_is_given_up_after_the_grace():
    polling = Polling(1.0, unknown_grace_s=15.0, clock=itertools.count(0.0, 5.0).__next__)
    polling.failed(GpUnknownJobError("404"))
    polling.failed(GpUnknownJobError("404"))
    with pytest.raises(GpUnknownJobError):
        polling.failed(GpUnknownJobError("404"))


def test_the_grace_begins_anew_when_gp_knows_the_job_again():
    polling = Polling(1.0, unknown_grace_s=15.0, clock=itertools.count(0.0, 10.0).__next__)
    for _ in range(10):
        polling.failed(GpUnknownJobError("404"))
        polling.answered(RUNNING)


def test_failing_polls_are_spaced_further_and_further_until_gp_answers():
    polling = Polling(1.0)
    pauses = []
    for _ in range(8):
        polling.failed(GpBusy("503"))
        pauses.append(polling.pause_s(3600.0))
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert polling.last == "503"
    polling.answered(RUNNING)
    assert (polling.pause_s(3600.0), polling.last) == (1.0, "still RUNNING")


def test_gp_may_say_when_to_ask_again():
    polling = Polling(1.0)
    polling.failed(GpBusy("503", retry_after=20.0))
    assert polling.pause_s(3600.0) == 20.0


@given(st.lists(st.sampled_from(["busy", "unknown", "running"])), st.floats(0.0, 100.0))
def test_no_pause_is_longer_than_what_is_left(polls, left):
    polling = Polling(0.5, unknown_grace_s=1e9)
    for poll in polls:
        if poll == "running":
            polling.answered(RUNNING)
        else:
            polling.failed(GpBusy("503") if poll == "busy" else GpUnknownJobError("404"))
        assert 0.0 <= polling.pause_s(left) <= left
