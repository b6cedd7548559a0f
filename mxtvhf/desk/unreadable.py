"""Unreadable inputs that nobody has dismissed yet.

::

    desk/dismissed.jsonl     one `Dismissal` per line

The archive keeps every input.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, Field

from mxtvhf.archive.archive import Archive, QuarantineNote
from mxtvhf.errors import InvalidInput
from mxtvhf.models.kept import KeptModel
from mxtvhf.models.kept_lines import append_record, read_records
from mxtvhf.sky_notices.unreadable import unreadable_inputs


class Dismissal(KeptModel):
    """Dismissal of an unreadable input."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of the input."""
    dismissed_by: str
    """Login name."""
    dismissed: AwareDatetime


class UnreadableInputs:
    """Unreadable inputs of an archive, with the dismissals."""

    def __init__(self, archive: Archive, root: Path) -> None:
        self._archive = archive
        self._path = root / "dismissed.jsonl"

    def open(self) -> list[QuarantineNote]:
        """Return the inputs that nobody has dismissed, newest first.

        An input that arrives again after its dismissal is listed again.
        """
        seen: dict[str, datetime] = {}
        for one in read_records(self._path, Dismissal):
            seen[one.sha256] = max(one.dismissed, seen.get(one.sha256, one.dismissed))
        return [
            note
            for note in unreadable_inputs(self._archive)
            if note.sha256 not in seen or note.time > seen[note.sha256]
        ]

    def dismiss(self, sha256: str, *, by: str, now: datetime) -> None:
        """Record the dismissal of an input, which stays in the archive.

        Raises
        ------
        InvalidInput
            No unreadable input has this SHA-256.
        """
        if sha256 not in {note.sha256 for note in unreadable_inputs(self._archive)}:
            raise InvalidInput(f"{sha256:.64}: no unreadable input has this SHA-256. Reload the list.")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        append_record(self._path, Dismissal(sha256=sha256, dismissed_by=by, dismissed=now))
