"""The list of bursts: those that need a person first, then the newest."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from mxtvhf.archive.products import ReportSummary
from mxtvhf.crosscheck.model import BurstVerdict
from mxtvhf.desk.files import DeskFiles
from mxtvhf.desk.notice_result import kind_of_notices, notice_result
from mxtvhf.desk.shown_run import newest_reported
from mxtvhf.desk.states import State, kind_of
from mxtvhf.models.ids import RunKind
from mxtvhf.models.position import Position
from mxtvhf.reporting.announcement.model import Release
from mxtvhf.workflow.runs import Run

FOLDED_AFTER = timedelta(days=1)
"""Age of a burst with notices only after which the list may fold it."""
MOST_UNFOLDED = 5
"""Number of old bursts with notices only that the list shows without a fold."""


@dataclass(frozen=True)
class BurstLine:
    """Line of the list: a burst, its tests, or its replays."""

    burst_id: str
    kind: RunKind
    state: State
    address: str
    """Address of its page, relative to the list."""
    since: datetime
    """T0, or else the time when its first run was created, UTC; for the order of the list."""
    verdict: str
    """Verdict in a word; empty without a report, and for reports older than the verdict."""
    verdict_words: str
    """What follows the verdict in its line; before a report, the notice that gave the position, or the reason
    of a failed run."""
    best: Position | None
    """Announced position, or else the recommended one; before a report, that of a notice."""
    latency_s: float | None
    """Time from the arrival of both alert and packets to the first report of the displayed run, s."""
    updates: int
    """Number of its runs."""
    latest: datetime
    """Time when the newest run was created, or else when the first input arrived, UTC."""
    trigger_time: datetime | None = None
    """T0 from the report or the notices, UTC; None if unknown."""
    state_words: str = ""
    """State with the number of the circular."""
    is_updating: bool = False
    """True while a newer run than the displayed one is running."""
    run_ids: tuple[str, ...] = ()
    """Run ids of the line, newest first."""
    announcement: int | None = None
    """Number of the last announcement of the burst; None if it is retracted, and without one."""

    @property
    def needs_you(self) -> bool:
        """True if a person has to act: on a decision, a retraction, or a damaged record."""
        is_to_retract = self.state is State.RETRACTED and self.announcement is not None
        return is_to_retract or self.state in (State.AWAITING_DECISION, State.UNREADABLE)

    @property
    def is_main(self) -> bool:
        """True unless the line is that of the replays."""
        return self.kind is not RunKind.REPLAY

    @property
    def has_notices_only(self) -> bool:
        """True while only notices have arrived."""
        return self.state in (State.RECEIVING, State.NO_PHOTONS)


@dataclass(frozen=True)
class ListSections:
    """Sections of the list of bursts."""

    needs_you: tuple[BurstLine, ...]
    """Bursts that need a decision or an action."""
    bursts: tuple[BurstLine, ...]
    notices_only: tuple[BurstLine, ...]
    """Old bursts with notices only; empty if they are few, which are then listed with the others."""


def list_sections(lines: Sequence[BurstLine], now: datetime) -> ListSections:
    """Divide the list into sections; the order of the lines is kept.

    Parameters
    ----------
    lines
        Lines from `burst_lines`.
    now
        Current time, UTC; a burst younger than ``FOLDED_AFTER`` is never folded.
    """
    old = [
        line
        for line in lines
        if line.has_notices_only and not line.needs_you and now - line.since > FOLDED_AFTER
    ]
    folded = frozenset(old) if len(old) > MOST_UNFOLDED else frozenset()
    return ListSections(
        needs_you=tuple(line for line in lines if line.needs_you),
        bursts=tuple(line for line in lines if not line.needs_you and line not in folded),
        notices_only=tuple(line for line in lines if line in folded),
    )


def burst_lines(
    runs: Iterable[Run],
    receiving: Mapping[str, datetime],
    asked: Collection[str],
    files: DeskFiles,
    *,
    answers: Mapping[str, str] | None = None,
    failures: Mapping[str, str] | None = None,
) -> list[BurstLine]:
    """Return the lines of the list of bursts.

    Parameters
    ----------
    runs
        All runs, newest first.
    receiving
        Burst id -> time of its first input, UTC; bursts without a run are listed as receiving.
    asked
        Ids of the runs with an open decision.
    files
        Source of reports and releases.
    answers
        Run id -> ``Approve`` or ``Reject``, of decisions that are not on disk yet.
    failures
        Run id -> reason of its failure.

    Returns
    -------
    list of BurstLine
        Bursts that need a person first, then the newest.
    """
    groups: dict[tuple[str, RunKind], list[tuple[Run, ReportSummary | None]]] = {}
    for run in runs:
        if run.burst_id is not None:
            report = files.summary(run.burst_id, run.run_id)
            groups.setdefault((run.burst_id, kind_of(run.run_id, report, is_test=run.is_test)), []).append(
                (run, report)
            )
    lines = [
        _line(burst, kind, members, asked, answers or {}, failures or {}, files)
        for (burst, kind), members in groups.items()
    ]
    known = {burst for burst, _ in groups}
    lines += [_waiting(burst, since, files) for burst, since in receiving.items() if burst not in known]
    return sorted(lines, key=lambda line: (line.needs_you, line.since), reverse=True)


def first_report_latency(report: ReportSummary, first_written: datetime | None) -> float | None:
    """Return the time from the arrival of both alert and packets to the first report, s."""
    moments = (report.time_of("alert_received"), report.time_of("packets_received"))
    received = max((moment for moment in moments if moment is not None), default=None)
    if received is None:
        return None
    return ((first_written or report.written) - received).total_seconds()


def verdict_words(report: ReportSummary) -> str:
    """Return the facts of a report's verdict, see `headline_words`."""
    return headline_words(report.headline, report.verdict)


def headline_words(headline: str, verdict: str) -> str:
    """Return the facts of a verdict from the end of a headline: the comparison, the catalogues.

    Headlines of version 0.2.0 have the comparison before the verdict.
    """
    *_, comparison, last = ("", *headline.split(" · "))
    if verdict and last.startswith(f"{verdict}, "):
        return last.removeprefix(f"{verdict}, ")
    if verdict and (last == verdict or last.startswith(f"{BurstVerdict.KNOWN_SOURCE} ")):
        source = last.removeprefix(verdict).strip()
        return f"{source}; {comparison}" if source else comparison
    return last


def _line(
    burst_id: str,
    kind: RunKind,
    members: Sequence[tuple[Run, ReportSummary | None]],
    asked: Collection[str],
    answers: Mapping[str, str],
    failures: Mapping[str, str],
    files: DeskFiles,
) -> BurstLine:
    run, report = newest_reported(members)
    is_test = kind is RunKind.TEST
    best, release = report.best_position if report else None, files.decided(burst_id, run.run_id).release
    standing = files.standing(burst_id, run.run_id, is_test=is_test)
    if standing and standing.is_covering:
        release = standing.release
    by_notices = None if report else notice_result(files.alerts(burst_id), is_test=is_test)
    state = files.state(run, report, is_asked=run.run_id in asked, answer=answers.get(run.run_id))
    trigger_time = report.trigger_time if report else by_notices.trigger_time if by_notices else None
    failure = failures.get(run.run_id) if state is State.FAILED else None
    is_other = release is not None and (best is None or best.label != release.position.label)
    return BurstLine(
        burst_id=burst_id,
        kind=kind,
        state=state,
        state_words=files.state_words(run, state),
        address=burst_id if kind is RunKind.LIVE else f"{burst_id}?run={quote(run.run_id, safe='')}",
        since=trigger_time or members[-1][0].created,
        trigger_time=trigger_time,
        # The verdict is about the recommended position; the page gives that of another announced one.
        verdict=report.verdict if report and not is_other else "",
        verdict_words=failure
        or (by_notices.words if by_notices else _words(report, release if is_other else None)),
        best=release.position if release else by_notices.position if by_notices else best,
        latency_s=first_report_latency(report, files.first_written(burst_id, run.run_id)) if report else None,
        updates=len(members),
        is_updating=members[0][0] != run and members[0][0].ended is None,
        announcement=_announcement(burst_id, kind, files),
        run_ids=tuple(member.run_id for member, _ in members),
        latest=members[0][0].created,
    )


def _announcement(burst_id: str, kind: RunKind, files: DeskFiles) -> int | None:
    if kind is RunKind.REPLAY:
        return None
    mine = [one for _, one, _ in files.announced(burst_id) if one.is_test == (kind is RunKind.TEST)]
    last = max(mine, key=lambda one: one.number, default=None)
    return None if last is None or last.is_retraction else last.number


def _words(report: ReportSummary | None, other: Release | None) -> str:
    if other is not None:
        return f"announced position: {other.position.name}, chosen by the Burst Advocate"
    return verdict_words(report) if report else ""


def _waiting(burst_id: str, since: datetime, files: DeskFiles) -> BurstLine:
    alerts = files.alerts(burst_id)
    kind = kind_of_notices(alerts)
    by_notices = notice_result(alerts, is_test=kind is RunKind.TEST)
    return BurstLine(
        burst_id=burst_id,
        kind=kind,
        state=State.RECEIVING,
        address=burst_id,
        since=(by_notices and by_notices.trigger_time) or since,
        trigger_time=by_notices.trigger_time if by_notices else None,
        verdict="",
        verdict_words=by_notices.words if by_notices else "",
        best=by_notices.position if by_notices else None,
        latency_s=None,
        updates=0,
        latest=since,
    )
