"""In one word: where a burst stands, and whether it is one of now."""

from __future__ import annotations

from enum import StrEnum

from mxtvhf.archive.products import ReportSummary
from mxtvhf.models.ids import REPLAY_MARK, TEST_MARK
from mxtvhf.reporting.announcement.model import Decision, Release
from mxtvhf.workflow.runs import AirflowState, Run


class Kind(StrEnum):
    """Whether a run is about a burst of now."""

    LIVE = "live"
    TEST = "test"
    REPLAY = "replay"


class State(StrEnum):
    """Where a burst stands."""

    RECEIVING = "receiving"
    """Notices or packets have come; no run was started yet."""
    RUNNING = "running"
    PRELIMINARY = "preliminary"
    """A report without GP is there; the run goes on."""
    FINAL = "final"
    AWAITING_DECISION = "awaiting decision"
    APPROVED = "approved"
    """The Burst Advocate approved; the announcement is not out yet."""
    ANNOUNCED = "announced"
    REJECTED = "rejected"
    RETRACTED = "retracted"
    NOTHING_TO_ANALYSE = "nothing to analyse"
    """The run ended well without a report: a notice without a position, no packets, ..."""
    FAILED = "failed"


def kind_of(run_id: str, report: ReportSummary | None) -> Kind:
    """Tell the kind of a run by its id, or by its report where the id does not say."""
    if REPLAY_MARK in run_id or (report is not None and report.is_replay):
        return Kind.REPLAY
    if run_id.endswith(TEST_MARK) or (report is not None and report.is_test):
        return Kind.TEST
    return Kind.LIVE


def state_of(
    run: Run,
    report: ReportSummary | None,
    *,
    is_retracted: bool = False,
    is_asked: bool = False,
    decision: Decision | None = None,
    release: Release | None = None,
) -> State:
    """Tell where the burst of a run stands; what is decided about it comes before what is computed.

    Parameters
    ----------
    run, report
        The run and its latest report.
    is_retracted
        A notice took the burst back.
    is_asked
        The Burst Advocate is asked for a decision and has not answered.
    decision, release
        What was decided and announced.
    """
    if is_retracted:
        return State.RETRACTED
    if release is not None:
        return State.ANNOUNCED
    if decision is not None:
        return State.APPROVED if decision.choice == "approve" else State.REJECTED
    if is_asked:
        return State.AWAITING_DECISION
    return _state_of_run(run, report)


def _state_of_run(run: Run, report: ReportSummary | None) -> State:
    if report is not None and report.status == "final":
        return State.FINAL
    if run.state in (AirflowState.QUEUED, AirflowState.RUNNING):
        return State.PRELIMINARY if report else State.RUNNING
    return State.NOTHING_TO_ANALYSE if run.state is AirflowState.SUCCESS and not report else State.FAILED
