"""The hand-over of a shift: what happened with which burst, and what is still open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from mxtvhf.desk.burst_list import BurstLine
from mxtvhf.desk.comments import Comment
from mxtvhf.desk.files import DeskFiles
from mxtvhf.models.times import second_text
from mxtvhf.reporting.announcement.model import Decision, Release


@dataclass(frozen=True)
class HandoverEntry:
    """A burst of the shift."""

    line: BurstLine
    decisions: tuple[tuple[Decision, Release | None], ...]
    """Made since the beginning of the shift, oldest first; with what was released by them."""
    comments: tuple[Comment, ...]
    """Written since then."""


@dataclass(frozen=True)
class Handover:
    """All bursts of a shift."""

    since: datetime
    until: datetime
    entries: tuple[HandoverEntry, ...]
    """Those that need somebody first, then the youngest."""

    @property
    def open(self) -> tuple[HandoverEntry, ...]:
        """The bursts that need somebody, whenever they came."""
        return tuple(entry for entry in self.entries if entry.line.needs_you)

    @property
    def text(self) -> str:
        """The hand-over as plain text, for a mail or a log book."""
        lines = [f"MXT-VHF hand-over, {second_text(self.since)} to {second_text(self.until)} UTC"]
        number = len(self.entries)
        lines += [f"{number} burst{'' if number == 1 else 's'}, {len(self.open)} open"]
        for entry in self.entries:
            lines += ["", *_entry_text(entry)]
        return "\n".join(lines) + "\n"


def handover(lines: Sequence[BurstLine], files: DeskFiles, *, since: datetime, until: datetime) -> Handover:
    """Put the hand-over of a shift together.

    Parameters
    ----------
    lines
        The list of bursts, as of `burst_lines`.
    files
        Where decisions and comments are read.
    since, until
        The shift. A burst belongs to it if T0, its newest run, a decision or a comment lies in it, and in any
        case while it needs somebody.
    """
    found = (_entry(line, files, since, until) for line in lines)
    entries = [one for one in found if one.line.needs_you or _is_of_shift(one, since, until)]
    return Handover(since=since, until=until, entries=tuple(entries))


def _entry(line: BurstLine, files: DeskFiles, since: datetime, until: datetime) -> HandoverEntry:
    decided = [files.decided(line.burst_id, run_id) for run_id in line.run_ids]
    made = [
        (one.decision, one.release)
        for one in decided
        if one.decision is not None and since <= one.decision.decided_at <= until
    ]
    written = files.comments.of(line.burst_id) if line.is_main else ()
    return HandoverEntry(
        line=line,
        decisions=tuple(sorted(made, key=lambda one: one[0].decided_at)),
        comments=tuple(one for one in written if since <= one.written <= until),
    )


def _is_of_shift(entry: HandoverEntry, since: datetime, until: datetime) -> bool:
    moments: Iterable[datetime] = (entry.line.since, entry.line.latest)
    has_news = bool(entry.decisions or entry.comments)
    return has_news or any(since <= moment <= until for moment in moments)


def _entry_text(entry: HandoverEntry) -> list[str]:
    line = entry.line
    mark = "" if line.kind == "live" else f" ({line.kind})"
    text = [f"{line.burst_id}{mark}: {line.state}, T0 {second_text(line.since)}"]
    if line.best is not None:
        radius = "" if line.best.r90_arcsec is None else f', R90 {line.best.r90_arcsec:.0f}"'
        text.append(f"  {' '.join(line.best.sexagesimal_text)}{radius}; {line.verdict} {line.verdict_words}")
    for decision, release in entry.decisions:
        number = f", announcement {release.number}" if release else ""
        comment = f": {decision.comment}" if decision.comment else ""
        verb = {"approve": "approved", "reject": "rejected"}[decision.choice]
        text.append(f"  {verb} by {decision.decided_by}, {second_text(decision.decided_at)}{number}{comment}")
    text += [f"  {one.author}, {second_text(one.written)}: {one.text}" for one in entry.comments]
    return text
