"""Whether and about what the Burst Advocate is asked; imported wherever the DAG is read."""

from __future__ import annotations

from pydantic import Field

from mxtvhf.archive.products import ReportSummary
from mxtvhf.errors import NothingToDo
from mxtvhf.models.base import Model
from mxtvhf.models.ids import BurstId

APPROVE, REJECT = "Approve", "Reject"
"""The two answers."""


class DecisionRequest(Model):
    """``dag_run.conf`` of ``mxt_vhf_decision``: which run's report is to be decided about."""

    burst_id: BurstId = Field(description="SVOM burst id; the run id is that of the run of mxt_vhf")
    answer_within_s: float | None = Field(
        default=None, gt=0.0, description="Seconds to wait for an answer; empty: as the installation is set"
    )


def is_askable(report: ReportSummary | None) -> bool:
    """Tell whether there is a report, and anything in it to ask about."""
    try:
        if report is not None:
            check_askable(report)
    except NothingToDo:
        return False
    return report is not None


def check_askable(report: ReportSummary) -> None:
    """Tell whether there is anything to ask about a report.

    Raises
    ------
    NothingToDo
        A replay, a retracted burst, or no position.
    """
    if report.is_replay:
        raise NothingToDo(f"{report.run_id}: a replay is not announced")
    if report.is_retracted:
        raise NothingToDo(f"{report.run_id}: the burst was retracted, its result is not announced")
    if report.best_position is None:
        raise NothingToDo(f"{report.run_id}: no position to announce")
