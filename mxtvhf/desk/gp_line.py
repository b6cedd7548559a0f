"""How GP's analysis of a burst stands, in a word and a remark."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mxtvhf.crosscheck.model import GpOutcome, GpProgress
from mxtvhf.reporting.report.model import Report
from mxtvhf.workflow.runs import Run

REMARKS = {
    GpProgress.NO_DETECTION: "GP found no source",
    GpProgress.FAILED: "see the details of the run",
    GpProgress.TIMED_OUT: "no answer in time",
    GpProgress.NOT_REACHED: "see the details of the run",
    GpProgress.NOT_ASKED: "no observation known",
}
NOT_INDEPENDENT = "reference GP, not independent (same method and photons)"


@dataclass(frozen=True)
class GpLine:
    """What the page says of GP."""

    word: str
    remark: str
    requested: datetime | None = None
    """When GP was asked, while it is at work; None before that, and after its end."""
    reason: str | None = None
    """Why there is no position, in GP's or our own words."""


def gp_line(run: Run | None, report: Report) -> GpLine:
    """Tell how GP's analysis stands.

    Parameters
    ----------
    run
        The run of the report; while it goes on it knows more of GP than a preliminary report.
    report
        What is shown.
    """
    outcome = report.gp
    if report.status == "preliminary" and run is not None:
        if run.gp is not None:
            outcome = run.gp
        elif run.ended is None:
            return GpLine(GpProgress.RUNNING, "" if run.gp_requested else "being asked", run.gp_requested)
        else:
            outcome = GpOutcome(available=False, progress=GpProgress.FAILED, reason=None)
    remark = REMARKS.get(outcome.word, "")
    if outcome.word is GpProgress.RECEIVED:
        remark = NOT_INDEPENDENT if outcome.is_reference else outcome.process_id or ""
    return GpLine(outcome.word, remark, reason=outcome.reason)
