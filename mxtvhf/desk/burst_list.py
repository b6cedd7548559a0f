"""The list of bursts, newest first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from mxtvhf.archive.products import ReportSummary
from mxtvhf.crosscheck import BurstVerdict, name
from mxtvhf.desk.files import DeskFiles
from mxtvhf.desk.notice_result import kind_of_notices, notice_result
from mxtvhf.desk.shown_run import newest_reported
from mxtvhf.desk.states import State, kind_of
from mxtvhf.models.ids import RunKind
from mxtvhf.models.position import Position
from mxtvhf.reporting.announcement.model import Release
from mxtvhf.workflow.runs import Run

FOLDED_AFTER = timedelta(days=1)
"""Age of a burst after which it may be folded away while only notices came."""
MOST_UNFOLDED = 5
"""So many of them bury nothing."""


@dataclass(frozen=True)
class BurstLine:
    """A burst in the list; its tests and its replays have lines of their own."""

    burst_id: str
    kind: RunKind
    state: State
    address: str
    """Of its page, relative to the list's folder."""
    since: datetime
    """T0 by the report or the notices; where neither gives it, when its first run was created."""
    verdict: str
    """In a word; empty without a report, or in one older than the verdict."""
    verdict_words: str
    """How its best position compares with the others; before a report, the notice that it is from."""
    best: Position | None
    """The announced position; before it the recommended one; before a report that of a notice."""
    latency_s: float | None
    """From the arrival of both alert and packets to the first report of the run that is shown, seconds."""
    updates: int
    """Runs."""
    latest: datetime
    """When the newest run was created; without any, when something of the burst came."""
    state_words: str = ""
    """The state in full, with the number of a circular."""
    is_updating: bool = False
    """True while a run that is newer than the one that is shown goes on."""
    run_ids: tuple[str, ...] = ()
    """Of the burst's runs of this kind, newest first."""
    is_announced: bool = False
    """True when an announcement of the burst is out and was not retracted."""

    @property
    def needs_you(self) -> bool:
        """True when only a person can go on: a decision, an announcement to retract, a damaged record."""
        is_to_retract = self.state is State.RETRACTED and self.is_announced
        return is_to_retract or self.state in (State.AWAITING_DECISION, State.UNREADABLE)

    @property
    def is_main(self) -> bool:
        """True for the line that the burst's own page shows; its replays have others."""
        return self.kind is not RunKind.REPLAY

    @property
    def has_notices_only(self) -> bool:
        """True while nothing but notices came."""
        return self.state in (State.RECEIVING, State.NO_PHOTONS)


@dataclass(frozen=True)
class ListSections:
    """The list of bursts by what the reader has to do with them."""

    needs_you: tuple[BurstLine, ...]
    """An answer or an action is wanted."""
    bursts: tuple[BurstLine, ...]
    notices_only: tuple[BurstLine, ...]
    """Old ones of which only notices came; empty where they are few: they stand among the others then."""


def list_sections(lines: Sequence[BurstLine], now: datetime) -> ListSections:
    """Divide the list; the order of the lines stays.

    Parameters
    ----------
    lines
        As of `burst_lines`.
    now
        A burst whose T0 is younger than ``FOLDED_AFTER`` is never folded away: its first notice is news.
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
) -> list[BurstLine]:
    """List bursts.

    Parameters
    ----------
    runs
        Newest first.
    receiving
        Bursts of which something came, and when; those that have no run are listed as such.
    asked
        Ids of the runs about which a decision is open.
    files
        Where reports and releases are read.
    answers
        Run id -> ``Approve`` or ``Reject``, of the decisions that were made just now.

    Returns
    -------
    list of BurstLine
        Those that need somebody first, then the youngest burst.
    """
    groups: dict[tuple[str, RunKind], list[tuple[Run, ReportSummary | None]]] = {}
    for run in runs:
        if run.burst_id is not None:
            report = files.summary(run.burst_id, run.run_id)
            groups.setdefault((run.burst_id, kind_of(run.run_id, report, is_test=run.is_test)), []).append(
                (run, report)
            )
    lines = [
        _line(burst, kind, members, asked, answers or {}, files) for (burst, kind), members in groups.items()
    ]
    known = {burst for burst, _ in groups}
    lines += [_waiting(burst, since, files) for burst, since in receiving.items() if burst not in known]
    return sorted(lines, key=lambda line: (line.needs_you, line.since), reverse=True)


def first_report_latency(report: ReportSummary, first_written: datetime | None) -> float | None:
    """Return the time from the later of alert and packets to a run's first report, seconds."""
    moments = (report.time_of("alert_received"), report.time_of("packets_received"))
    received = max((moment for moment in moments if moment is not None), default=None)
    if received is None:
        return None
    return ((first_written or report.written) - received).total_seconds()


def verdict_words(report: ReportSummary) -> str:
    """Say what a report's verdict is about, as `headline_words`."""
    return headline_words(report.headline, report.verdict)


def headline_words(headline: str, verdict: str) -> str:
    """Say by the end of a headline what a verdict is about: the known source, the comparison."""
    *_, comparison, last = ("", *headline.split(" · "))
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
    files: DeskFiles,
) -> BurstLine:
    run, report = newest_reported(members)
    best, release = report.best_position if report else None, files.decided(burst_id, run.run_id).release
    by_notices = None if report else notice_result(files.alerts(burst_id), is_test=kind is RunKind.TEST)
    is_other = release is not None and (best is None or best.label != release.position.label)
    state = files.state(run, report, is_asked=run.run_id in asked, answer=answers.get(run.run_id))
    return BurstLine(
        burst_id=burst_id,
        kind=kind,
        state=state,
        state_words=files.state_words(run, state),
        address=burst_id if kind is RunKind.LIVE else f"{burst_id}?run={quote(run.run_id, safe='')}",
        since=(report and report.trigger_time)
        or (by_notices and by_notices.trigger_time)
        or members[-1][0].created,
        # A verdict is about the recommended position; of another one that was announced only the page tells.
        verdict=report.verdict if report and not is_other else "",
        verdict_words=by_notices.words if by_notices else _words(report, release if is_other else None),
        best=release.position if release else by_notices.position if by_notices else best,
        latency_s=first_report_latency(report, files.first_written(burst_id, run.run_id)) if report else None,
        updates=len(members),
        is_updating=members[0][0] != run and members[0][0].ended is None,
        is_announced=_is_announced(burst_id, kind, files),
        run_ids=tuple(member.run_id for member, _ in members),
        latest=members[0][0].created,
    )


def _is_announced(burst_id: str, kind: RunKind, files: DeskFiles) -> bool:
    if kind is RunKind.REPLAY:
        return False
    mine = [one for _, one, _ in files.announced(burst_id) if one.is_test == (kind is RunKind.TEST)]
    return bool(mine) and not max(mine, key=lambda one: one.number).is_retraction


def _words(report: ReportSummary | None, other: Release | None) -> str:
    if other is not None:
        return f"announced position: {name(other.position)}"
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
        verdict="",
        verdict_words=by_notices.words if by_notices else "",
        best=by_notices.position if by_notices else None,
        latency_s=None,
        updates=0,
        latest=since,
    )
