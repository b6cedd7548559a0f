"""Request of a decision; a light module, since every parse of the DAG imports it."""

from __future__ import annotations

from pydantic import Field

from mxtvhf.archive.products import ReportSummary
from mxtvhf.errors import NothingToDo
from mxtvhf.models.base import Model
from mxtvhf.models.ids import BurstId
from mxtvhf.settings import LONGEST_S

APPROVE, REJECT = "Approve", "Reject"
"""Options of the answer."""


class DecisionRequest(Model):
    """``dag_run.conf`` of ``mxt_vhf_decision``, whose run id is that of the run with the report."""

    burst_id: BurstId = Field(description="SVOM burst id; the run id is that of the run of mxt_vhf")
    answer_within_s: float | None = Field(
        default=None,
        gt=0.0,
        le=LONGEST_S,
        description="Seconds to wait for an answer; empty for the default",
    )


def is_askable(report: ReportSummary | None) -> bool:
    """Return True if there is a report that needs a decision."""
    try:
        if report is not None:
            check_askable(report)
    except NothingToDo:
        return False
    return report is not None


def check_askable(report: ReportSummary) -> None:
    """Check that a report needs a decision.

    Raises
    ------
    NothingToDo
        It is a replay, the burst is retracted, or there is no position.
    """
    if report.is_replay:
        raise NothingToDo(f"{report.run_id}: a replay is not announced")
    if report.is_retracted:
        raise NothingToDo(f"{report.run_id}: the burst was retracted; its result is not announced")
    if report.best_position is None:
        raise NothingToDo(f"{report.run_id}: no position to announce")
