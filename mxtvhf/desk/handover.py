"""The hand-over of a shift: what happened to each burst, and what is still open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from mxtvhf.desk.burst_list import BurstLine
from mxtvhf.desk.comments import Comment
from mxtvhf.desk.files import DeskFiles
from mxtvhf.models.angles import radius_text
from mxtvhf.models.ids import RunKind
from mxtvhf.models.times import second_text
from mxtvhf.reporting.announcement.model import Decision, Release, SubmittedCircular


@dataclass(frozen=True)
class HandoverEntry:
    """Burst of the shift."""

    line: BurstLine
    decisions: tuple[Decision, ...]
    """Decisions of the shift, oldest first."""
    announcements: tuple[tuple[Release, SubmittedCircular | None], ...]
    """Announcements and retractions of the shift, each with the number of its circular."""
    comments: tuple[Comment, ...]
    """Comments of the shift, oldest first."""


@dataclass(frozen=True)
class Handover:
    """Bursts of a shift."""

    since: datetime
    until: datetime
    entries: tuple[HandoverEntry, ...]
    """Bursts that need a person first, then the newest."""

    @property
    def open(self) -> tuple[HandoverEntry, ...]:
        """Bursts that need a person, whatever their age."""
        return tuple(entry for entry in self.entries if entry.line.needs_you)

    @property
    def text(self) -> str:
        """Hand-over as plain text, for a mail or a logbook."""
        lines = [f"MXT-VHF hand-over, {second_text(self.since)} to {second_text(self.until)} UTC"]
        number = len(self.entries)
        lines += [f"{number} burst{'' if number == 1 else 's'}, {len(self.open)} open"]
        for entry in self.entries:
            lines += ["", *_entry_text(entry)]
        return "\n".join(lines) + "\n"


def handover(lines: Sequence[BurstLine], files: DeskFiles, *, since: datetime, until: datetime) -> Handover:
    """Return the hand-over of a shift.

    Parameters
    ----------
    lines
        Lines from `burst_lines`.
    files
        Source of decisions and comments.
    since, until
        Start and end of the shift, UTC. A burst belongs to it if T0, its newest run, a decision or a comment
        lies within, and in any case while it needs a person.
    """
    found = (_entry(line, files, since, until) for line in lines)
    entries = [one for one in found if one.line.needs_you or _is_of_shift(one, since, until)]
    return Handover(since=since, until=until, entries=tuple(entries))


def _entry(line: BurstLine, files: DeskFiles, since: datetime, until: datetime) -> HandoverEntry:
    decided = (files.decided(line.burst_id, run_id).decision for run_id in line.run_ids)
    announced = files.announced(line.burst_id) if line.is_main else []
    written = files.comments.of(line.burst_id) if line.is_main else []
    return HandoverEntry(
        line=line,
        decisions=tuple(
            sorted(
                (one for one in decided if one is not None and since <= one.decided_at <= until),
                key=lambda one: one.decided_at,
            )
        ),
        announcements=tuple(
            sorted(
                (
                    (release, circular)
                    for _, release, circular in announced
                    if since <= release.released <= until and release.is_test == (line.kind is RunKind.TEST)
                ),
                key=lambda one: one[0].number,
            )
        ),
        comments=tuple(one for one in written if since <= one.written <= until),
    )


def _is_of_shift(entry: HandoverEntry, since: datetime, until: datetime) -> bool:
    moments: Iterable[datetime] = (entry.line.since, entry.line.latest)
    has_news = bool(entry.decisions or entry.announcements or entry.comments)
    return has_news or any(since <= moment <= until for moment in moments)


def announcement_text(release: Release, submission: SubmittedCircular | None) -> str:
    """Format an announcement with its state: ``announcement 2, sent, GCN 44454``."""
    what = " (retraction)" if release.is_retraction else ""
    circular = f", GCN {submission.circular}" if submission else ""
    return f"announcement {release.number}{what}, {'sent' if release.is_sent else 'not sent'}{circular}"


def _entry_text(entry: HandoverEntry) -> list[str]:
    line = entry.line
    mark = "" if line.kind == "live" else f" ({line.kind})"
    trigger = second_text(line.trigger_time) if line.trigger_time else "unknown"
    text = [f"{line.burst_id}{mark}: {line.state}, T0 {trigger}"]
    if line.best is not None:
        radius = "" if line.best.r90_arcsec is None else f", R90 {radius_text(line.best.r90_arcsec)}"
        text.append(f"  {' '.join(line.best.sexagesimal_text)}{radius}; {line.verdict} {line.verdict_words}")
    for decision in entry.decisions:
        comment = f": {decision.comment}" if decision.comment else ""
        verb = {"approve": "approved", "reject": "rejected"}[decision.choice]
        text.append(f"  {verb} by {decision.decided_by}, {second_text(decision.decided_at)}{comment}")
    text += [
        f"  {announcement_text(release, circular)}, {second_text(release.released)}"
        for release, circular in entry.announcements
    ]
    text += [f"  {one.author}, {second_text(one.written)}: {one.text}" for one in entry.comments]
    return text
