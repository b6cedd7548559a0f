"""The state of a burst in one or two words, and the kind of its run."""

from __future__ import annotations

from enum import StrEnum

from mxtvhf.archive.products import ReportSummary
from mxtvhf.models.ids import RunKind, kind_of_run
from mxtvhf.reporting.announcement.model import Decision, Release
from mxtvhf.reporting.announcement.request import APPROVE
from mxtvhf.workflow.runs import AirflowState, Run


class State(StrEnum):
    """State of a burst."""

    RECEIVING = "receiving"
    """Notices or packets have arrived; no run has started yet."""
    RUNNING = "running"
    PRELIMINARY = "preliminary"
    """A report without GP exists; the run continues."""
    FINAL = "final"
    AWAITING_DECISION = "awaiting decision"
    APPROVED = "approved"
    """The Burst Advocate approved the result; the announcement is not released yet."""
    NOT_RELEASED = "refused"
    """The Burst Advocate approved the result, but it may not be released; the page gives the reason."""
    RELEASED = "released, not sent"
    """The texts of the announcement are in the archive; no channel has sent them."""
    SENT = "released, sent"
    """The texts are in the archive, and at least one channel accepted the announcement."""
    SUBMITTED = "submitted"
    """A person submitted the circular to GCN and recorded its number."""
    WITHDRAWN = "announcement retracted"
    """We retracted our announcement."""
    REJECTED = "rejected"
    RETRACTED = "retracted"
    UNREADABLE = "unreadable record"
    """The record of the decision or of the announcement is damaged; see the page of the burst."""
    NO_PHOTONS = "no photons yet"
    """Notices have arrived, but no packets that a run could analyse."""
    FAILED = "failed"

    @property
    def is_announced(self) -> bool:
        """True if the state is that of an announcement that is out."""
        return self in (State.RELEASED, State.SENT, State.SUBMITTED)


def kind_of(run_id: str, report: ReportSummary | None, *, is_test: bool | None = None) -> RunKind:
    """Return the kind of a run: from its id, or else from its report or its alert.

    Parameters
    ----------
    run_id, report
        The run and its latest report.
    is_test
        Role of its alert, for runs without a report; None if unknown.
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
    """Return the state of the burst of a run; decisions take precedence over results.

    Parameters
    ----------
    run, report
        The run and its latest report.
    is_retracted
        SVOM retracted the burst.
    is_asked
        A decision is requested and not answered yet.
    answer
        Answer of the Burst Advocate, ``Approve`` or ``Reject``; the decision is on disk some seconds later.
    is_refused
        The approved result may not be announced: a newer one was, or the burst was retracted.
    decision, release
        Last decision and last announcement.
    is_submitted
        The number of its GCN Circular is recorded.
    is_unreadable
        A record of the decision or of the announcement cannot be read.
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
