"""Occurrences about Airflow's runs: a decision is needed, or a run failed."""

from __future__ import annotations

from datetime import datetime

from mxtvhf.models.files import safe_name
from mxtvhf.models.text import one_line
from mxtvhf.notification.burst_events import desk_link, subject_name, subject_of
from mxtvhf.notification.message import ACKNOWLEDGE, plain_body, report_body
from mxtvhf.notification.model import Occurrence
from mxtvhf.reporting.report.model import Report

LONGEST_REASON = 300


def decision_wanted(report: Report, *, desk: str | None, now: datetime) -> Occurrence:
    """Return the occurrence that the Burst Advocate must decide about a report.

    Parameters
    ----------
    report
        Report that needs the decision.
    desk
        Address of the desk; None if it is unknown.
    now
        Time of the question, UTC.
    """
    subject = subject_of(report.burst_id, is_test=report.is_test)
    return Occurrence(
        key=f"decision-{safe_name(report.run_id)}",
        event="decision_wanted",
        subject=subject,
        raised=now,
        title=f"{subject_name(subject)}: decision needed",
        body=report_body(
            report,
            what="Decision needed about this result",
            do=f"Approve or reject it. {ACKNOWLEDGE}",
            link=desk_link(desk, report.burst_id, report.run_id),
        ),
        run_id=report.run_id,
        verdict=str(report.verdict),
        position=report.best_position,
    )


def run_failed(
    burst_id: str, run_id: str, *, is_test: bool, reason: str | None, desk: str | None, now: datetime
) -> Occurrence:
    """Return the occurrence that a run failed, with parameters as of `decision_wanted`."""
    subject = subject_of(burst_id, is_test=is_test)
    return Occurrence(
        key=f"failed-{safe_name(run_id)}",
        event="run_failed",
        subject=subject,
        raised=now,
        title=f"{subject_name(subject)}: analysis failed",
        body=plain_body(
            what=f"Run {run_id} failed: {one_line(reason or 'see the task logs', LONGEST_REASON)}",
            do=f"Check the earlier results and the task logs, and call the operator. {ACKNOWLEDGE}",
            link=desk_link(desk, burst_id, run_id),
        ),
    )
