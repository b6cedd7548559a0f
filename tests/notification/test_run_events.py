"""Notifications about Airflow's runs."""

from mxtvhf.notification.run_events import decision_wanted, run_failed
from support.duty import BURST, NOW
from support.reports import report


def test_a_question_names_the_result_and_the_page_of_its_run():
    occurrence = decision_wanted(report(light=True), desk="https://x/desk", now=NOW)
    assert (occurrence.key, occurrence.subject) == (f"decision-{BURST}__1", BURST)
    assert occurrence.title == f"{BURST}: decision needed"
    assert "Where: RA 14:10:00.0" in occurrence.body
    assert occurrence.body.endswith(f"Page: https://x/desk/{BURST}?run={BURST}__1")


def test_a_failure_is_one_line_for_any_reason():
    reason = "broken\n\x1b[2J" + "x" * 2000
    occurrence = run_failed(BURST, f"{BURST}__2__test", is_test=True, reason=reason, desk=None, now=NOW)
    assert occurrence.subject == f"{BURST}__test"
    what, do = occurrence.body.splitlines()
    assert what.startswith(f"What: Run {BURST}__2__test failed: broken ?[2J")
    assert len(what) < 400
    assert do.startswith("What to do: ")


def test_a_failure_without_a_reason_says_where_to_look():
    occurrence = run_failed(BURST, f"{BURST}__2", is_test=False, reason=None, desk=None, now=NOW)
    assert "see the task logs" in occurrence.body
