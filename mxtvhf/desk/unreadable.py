"""Inputs that could not be read, until somebody has seen them: the quarantine without what was dismissed.

::

    desk/dismissed.jsonl     one `Dismissal` a line

The quarantine itself keeps everything.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, Field

from mxtvhf.archive.archive import Archive, QuarantineNote
from mxtvhf.errors import InvalidInput
from mxtvhf.models.kept import KeptModel
from mxtvhf.models.kept_lines import append_record, read_records


class Dismissal(KeptModel):
    """Somebody has seen an unreadable input."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Of its bytes."""
    dismissed_by: str
    """As Airflow knows them."""
    dismissed: AwareDatetime


class UnreadableInputs:
    """The quarantine of an archive, and who has seen what of it."""

    def __init__(self, archive: Archive, root: Path) -> None:
        self._archive = archive
        self._path = root / "dismissed.jsonl"

    def open(self) -> list[QuarantineNote]:
        """Return the notes that nobody dismissed, newest first.

        The same bytes that come again after they were dismissed count anew.
        """
        seen: dict[str, datetime] = {}
        for one in read_records(self._path, Dismissal):
            seen[one.sha256] = max(one.dismissed, seen.get(one.sha256, one.dismissed))
        return [
            note
            for note in self._archive.quarantined()
            if note.sha256 not in seen or note.time > seen[note.sha256]
        ]

    def dismiss(self, sha256: str, *, by: str, now: datetime) -> None:
        """Note that somebody has seen an input; the bytes and their notes stay in the quarantine.

        Raises
        ------
        InvalidInput
            No unreadable input has this digest.
        """
        if sha256 not in {note.sha256 for note in self._archive.quarantined()}:
            raise InvalidInput(f"no unreadable input {sha256:.64}")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        append_record(self._path, Dismissal(sha256=sha256, dismissed_by=by, dismissed=now))
