"""What of a burst is announced, what is still to do by hand, and what it would be to retract it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from mxtvhf.desk.decision import Draft, drafts_in
from mxtvhf.desk.files import DeskFiles
from mxtvhf.errors import InvalidInput
from mxtvhf.models.kept import log_once
from mxtvhf.models.position import Position
from mxtvhf.reporting.announcement.change import draft_of_retraction, unfinished
from mxtvhf.reporting.announcement.circular import Circular, circular_of
from mxtvhf.reporting.announcement.model import Release, SubmittedCircular
from mxtvhf.reporting.announcement.release import announcement_at
from mxtvhf.reporting.announcement.submission import event_of, submitted_words

RETRACTED_BY_SVOM = "SVOM retracted the burst."
"""The reason that is proposed after a retraction by the mission."""


@dataclass(frozen=True)
class Announced:
    """An announcement, and what a person recorded about it."""

    release: Release
    folder: str
    """Name of the folder of its texts."""
    submission: SubmittedCircular | None

    @property
    def state(self) -> str:
        """Where it stands, in the words of the burst's state."""
        if self.submission is not None:
            return submitted_words(self.submission)
        if self.release.is_retraction:
            return "announcement retracted"
        return "released, sent" if self.release.is_sent else "released, not sent"


@dataclass(frozen=True)
class AnnouncementBox:
    """What the box shows."""

    history: tuple[Announced, ...]
    """Oldest first; the last one is out, or is a retraction."""
    event: str | None
    """Name of the event."""
    circular: Circular | None
    """As a person submits it, with the event's name as it is known now; None of a test, and where the record
    cannot be read."""
    texts: tuple[Draft, ...]
    """Those of the last one, as archived."""
    choices: tuple[Position, ...]
    """Positions of the report shown that can be announced in its place; empty where none can."""
    run_id: str | None
    """Run of that report."""
    retracted: datetime | None
    """When SVOM retracted the burst."""
    draft: str | None
    """The circular of a retraction, where SVOM retracted the burst and ours is still out."""
    unfinished: str | None
    """Who retracts or corrects it, where that stopped before its end."""

    @property
    def last(self) -> Announced:
        """The newest announcement."""
        return self.history[-1]

    @property
    def is_out(self) -> bool:
        """True while something is announced that was not retracted."""
        return not self.last.release.is_retraction

    @property
    def reason(self) -> str:
        """The reason that is proposed for a retraction."""
        return RETRACTED_BY_SVOM if self.retracted else ""


def announcement_box(
    burst_id: str,
    files: DeskFiles,
    *,
    is_test: bool,
    run_id: str | None,
    choices: tuple[Position, ...],
    retracted: datetime | None,
) -> AnnouncementBox | None:
    """Put the box together.

    Parameters
    ----------
    burst_id, is_test
        The burst, or its tests.
    files
        Where releases are read.
    run_id, choices
        The run that is shown, and the positions of its report that can be announced.
    retracted
        When SVOM retracted the burst; None: it did not.

    Returns
    -------
    AnnouncementBox or None
        None where nothing was announced.
    """
    history = announced(burst_id, files, is_test=is_test)
    if not history:
        return None
    folder, last = files.releases / burst_id, history[-1]
    needs_retraction = retracted is not None and not last.release.is_retraction
    return AnnouncementBox(
        history=history,
        event=event_of(folder),
        circular=None if is_test else _circular(folder / last.folder),
        texts=_texts(burst_id, folder / last.folder),
        choices=() if retracted or last.release.is_retraction else choices,
        run_id=run_id,
        retracted=retracted,
        draft=_draft(folder, last.release) if needs_retraction else None,
        unfinished=unfinished(folder, is_test=is_test),
    )


def announced(burst_id: str, files: DeskFiles, *, is_test: bool) -> tuple[Announced, ...]:
    """Return the announcements of a burst, or of its tests, oldest first."""
    found = [
        Announced(release, folder, submission)
        for folder, release, submission in files.announced(burst_id)
        if release.is_test == is_test
    ]
    return tuple(sorted(found, key=lambda one: one.release.number))


def _texts(burst_id: str, folder: Path) -> tuple[Draft, ...]:
    run = quote(folder.name, safe="")
    return drafts_in(folder, lambda name: f"desk/{burst_id}/release/{quote(name)}?run={run}")


def _circular(folder: Path) -> Circular | None:
    try:
        return circular_of(announcement_at(folder))
    except (InvalidInput, OSError) as error:
        log_once(f"{error}; its circular is not shown")
        return None


def _draft(folder: Path, out: Release) -> str | None:
    try:
        return circular_of(draft_of_retraction(folder, out, RETRACTED_BY_SVOM)).body
    except (InvalidInput, OSError) as error:
        log_once(f"{error}; no draft of a retraction is shown")
        return None
