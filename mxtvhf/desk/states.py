"""Where a burst stands, in one word, and of which kind its run is."""

from __future__ import annotations

from enum import StrEnum

from mxtvhf.archive.products import ReportSummary
from mxtvhf.models.ids import RunKind, kind_of_run
from mxtvhf.reporting.announcement.model import Decision, Release
from mxtvhf.reporting.announcement.request import APPROVE
from mxtvhf.workflow.runs import AirflowState, Run


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
    NOT_RELEASED = "refused"
    """What the Burst Advocate approved may not be released: the page says why."""
    RELEASED = "released, not sent"
    """The texts of the announcement are in the archive; nobody was sent any of them."""
    SENT = "released, sent"
    """The texts are in the archive, and at least one channel took the announcement."""
    SUBMITTED = "submitted"
    """A person submitted its circular to GCN and recorded the number."""
    WITHDRAWN = "announcement retracted"
    """We retracted what we had announced."""
    REJECTED = "rejected"
    RETRACTED = "retracted"
    UNREADABLE = "unreadable record"
    """The record of the decision or of the announcement is damaged: see the page of the burst."""
    NO_PHOTONS = "no photons yet"
    """Notices came, and no packets that a run could analyse."""
    FAILED = "failed"


def kind_of(run_id: str, report: ReportSummary | None, *, is_test: bool | None = None) -> RunKind:
    """Return the kind of a run by its id or, where the id does not say, by its report or its alert.

    Parameters
    ----------
    run_id, report
        The run and its latest report.
    is_test
        The role of its alert says so; a run may never have a report.
    """
    by_id = kind_of_run(run_id)
    if by_id is not RunKind.REPLAY and report is not None and report.is_replay:
        return RunKind.REPLAY
    if by_id is RunKind.LIVE and (is_test or (report is not None and report.is_test)):
        return RunKind.TEST
    return by_id


def state_of(
    run: Run,
    report: ReportSummary | None,
    *,
    is_retracted: bool = False,
    is_asked: bool = False,
    answer: str | None = None,
    is_refused: bool = False,
    decision: Decision | None = None,
    release: Release | None = None,
    is_submitted: bool = False,
    is_unreadable: bool = False,
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
    answer
        What they answered, ``Approve`` or ``Reject``: some seconds pass until the decision is on disk.
    is_refused
        What was approved may not be announced: a newer result was, or the burst was retracted.
    decision, release
        What was decided, and announced last.
    is_submitted
        The number of its GCN Circular was recorded.
    is_unreadable
        What was decided or announced cannot be read.
    """
    if is_retracted:
        return State.RETRACTED
    if is_unreadable:
        return State.UNREADABLE
    if release is not None:
        if release.is_retraction:
            return State.WITHDRAWN
        if is_submitted:
            return State.SUBMITTED
        return State.SENT if release.is_sent else State.RELEASED
    if is_asked:
        return State.AWAITING_DECISION
    if decision is not None:
        if decision.choice == "reject":
            return State.REJECTED
        return State.NOT_RELEASED if is_refused else State.APPROVED
    if answer is not None:
        return State.APPROVED if answer == APPROVE else State.REJECTED
    return _state_of_run(run, report)


def _state_of_run(run: Run, report: ReportSummary | None) -> State:
    if report is not None and report.status == "final":
        return State.FINAL
    if run.state in (AirflowState.QUEUED, AirflowState.RUNNING):
        return State.PRELIMINARY if report else State.RUNNING
    return State.NO_PHOTONS if run.state is AirflowState.SUCCESS and not report else State.FAILED
