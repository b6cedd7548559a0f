"""What Airflow's runs tell people: a decision is wanted, a run failed."""

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
    """Return the event that the Burst Advocate is asked about a report.

    Parameters
    ----------
    report
        What is to be decided about.
    desk
        Address of the desk; None: not known.
    now
        When the question was put, UTC.
    """
    subject = subject_of(report.burst_id, is_test=report.is_test)
    return Occurrence(
        key=f"decision-{safe_name(report.run_id)}",
        event="decision_wanted",
        subject=subject,
        raised=now,
        title=f"{subject_name(subject)}: decision wanted",
        body=report_body(
            report,
            what="A decision about this result is wanted",
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
    """Return the event that a run failed; parameters as of `decision_wanted`."""
    subject = subject_of(burst_id, is_test=is_test)
    return Occurrence(
        key=f"failed-{safe_name(run_id)}",
        event="run_failed",
        subject=subject,
        raised=now,
        title=f"{subject_name(subject)}: analysis failed",
        body=plain_body(
            what=f"Run {run_id} failed: {one_line(reason or 'see the log of its tasks', LONGEST_REASON)}",
            do=f"Look at the earlier results and at the log; call the operator. {ACKNOWLEDGE}",
            link=desk_link(desk, burst_id, run_id),
        ),
    )
