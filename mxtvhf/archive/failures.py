"""The parts of the intake that fail now, ``archive/failing/<part>.json``: see `mxtvhf.intake.parts`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import AwareDatetime

from mxtvhf.models.kept import KeptModel, read_or_set_aside

FAILING_S = 180.0
"""A part that fails writes its record more often than this; an older one is of a listener that has ended."""


class PartFailure(KeptModel):
    """A part of the intake that fails, as written to ``failing/<part>.json``."""

    part: str
    reason: str
    failures: int
    """In a row."""
    since: AwareDatetime
    """Time of the first of them."""
    last: AwareDatetime


def failing_parts(archive_root: Path) -> list[PartFailure]:
    """Return the parts that fail now, of all listeners on an archive, by name."""
    oldest = datetime.now(UTC) - timedelta(seconds=FAILING_S)
    found = [
        read_or_set_aside(path, PartFailure) for path in sorted(failing_folder(archive_root).glob("*.json"))
    ]
    return [failure for failure in found if failure is not None and failure.last >= oldest]


def failing_folder(archive_root: Path) -> Path:
    """Return the folder of the records."""
    return archive_root / "failing"
