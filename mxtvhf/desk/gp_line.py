"""The progress of GP's analysis in a word and a remark."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mxtvhf.crosscheck.model import GpOutcome, GpProgress
from mxtvhf.reporting.report.model import Report
from mxtvhf.workflow.runs import Run

REMARKS = {
    GpProgress.NO_DETECTION: "GP detected no source",
    GpProgress.FAILED: "see the details of the run",
    GpProgress.TIMED_OUT: "no answer in time",
    GpProgress.NOT_REACHED: "see the details of the run",
    GpProgress.NOT_ASKED: "observation unknown",
}
NOT_INDEPENDENT = "reference GP, not independent: our method, and data that include our photons"


@dataclass(frozen=True)
class GpLine:
    """Progress of GP's analysis for the page."""

    word: str
    remark: str
    requested: datetime | None = None
    """Time of the request while GP is running, UTC; None before and after."""
    reason: str | None = None
    """Reason why GP gave no position; None if it did, or is running."""


def gp_line(run: Run | None, report: Report) -> GpLine:
    """Return the progress of GP's analysis.

    Parameters
    ----------
    run
        Run of the report; during the run it is more current than the preliminary report.
    report
        The displayed report.
    """
    outcome = report.gp
    if report.status == "preliminary" and run is not None:
        if run.gp is not None:
            outcome = run.gp
        elif run.ended is None:
            return GpLine(
                GpProgress.RUNNING, "" if run.gp_requested else "request being sent", run.gp_requested
            )
        else:
            outcome = GpOutcome(available=False, progress=GpProgress.FAILED, reason=None)
    remark = REMARKS.get(outcome.word, "")
    if outcome.word is GpProgress.RECEIVED:
        remark = NOT_INDEPENDENT if outcome.is_reference else outcome.process_id or ""
    return GpLine(outcome.word, remark, reason=outcome.reason)
