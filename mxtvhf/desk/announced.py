"""The announcements of a burst, the steps left to a person, and the draft of a retraction."""

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
"""Proposed reason after a retraction by the mission."""


@dataclass(frozen=True)
class Announced:
    """An announcement with the number of its circular."""

    release: Release
    folder: str
    """Name of the folder with its texts."""
    submission: SubmittedCircular | None

    @property
    def state(self) -> str:
        """State of the announcement, in the words of `State`."""
        if self.submission is not None:
            return submitted_words(self.submission)
        if self.release.is_retraction:
            return "announcement retracted"
        return "released, sent" if self.release.is_sent else "released, not sent"

    @property
    def out_words(self) -> str:
        """Verb of a sentence about the announcement, which tells whether anybody received it."""
        is_public = self.release.is_sent or self.submission is not None
        return "is out" if is_public else "is released, though not sent,"


@dataclass(frozen=True)
class AnnouncementBox:
    """Content of the announcement box."""

    history: tuple[Announced, ...]
    """Oldest first; the last one is current, or is a retraction."""
    event: str | None
    """Name of the event."""
    circular: Circular | None
    """Circular for submission, with the current name of the event; None for a test, and if the record cannot
    be read."""
    texts: tuple[Draft, ...]
    """Texts of the last announcement, as archived."""
    choices: tuple[Position, ...]
    """Positions of the displayed report that can replace the announced one; may be empty."""
    run_id: str | None
    """Run of the displayed report."""
    retracted: datetime | None
    """Time when SVOM's retraction was received, UTC; None without one."""
    draft: str | None
    """Draft of the circular of the retraction if one is due."""
    unfinished: str | None
    """Author of a retraction or correction that was interrupted; None without one."""

    @property
    def last(self) -> Announced:
        """The newest announcement."""
        return self.history[-1]

    @property
    def is_out(self) -> bool:
        """True while the last announcement is not retracted."""
        return not self.last.release.is_retraction

    @property
    def is_to_retract(self) -> bool:
        """True if SVOM retracted the burst and our announcement is not retracted."""
        return self.retracted is not None and self.is_out

    @property
    def reason(self) -> str:
        """Proposed reason of a retraction."""
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
    """Return the content of the announcement box.

    Parameters
    ----------
    burst_id, is_test
        The burst, or its tests.
    files
        Source of the releases.
    run_id, choices
        The displayed run, and the positions of its report that can be announced.
    retracted
        Time when SVOM's retraction was received, UTC; None without one.

    Returns
    -------
    AnnouncementBox or None
        None if nothing was announced.
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
        log_once(f"{error}; the page does not show its circular")
        return None


def _draft(folder: Path, out: Release) -> str | None:
    try:
        return circular_of(draft_of_retraction(folder, out, RETRACTED_BY_SVOM)).body
    except (InvalidInput, OSError) as error:
        log_once(f"{error}; the page shows no draft of a retraction")
        return None
