import pytest
from pydantic import ValidationError

from mxtvhf.reporting.announcement.request import DecisionRequest


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e12, float("inf"), float("nan")])
def test_a_time_to_answer_that_is_no_time_is_refused(seconds):
    """A time of more than the calendar has failed in the task, and was tried fifty times."""
    with pytest.raises(ValidationError, match="answer_within_s"):
        DecisionRequest(burst_id="sb26030704", answer_within_s=seconds)


def test_a_time_to_answer_may_be_days():
    assert DecisionRequest(burst_id="sb26030704", answer_within_s=30 * 86400.0).answer_within_s == 2_592_000.0
