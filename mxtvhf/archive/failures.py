"""Currently failing parts of the intake, ``archive/failing/<part>.json``; see `mxtvhf.intake.parts`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import AwareDatetime

from mxtvhf.models.kept import KeptModel, read_or_set_aside

OTHER_MISSIONS = "other missions"
"""Last words of the names of parts that receive no message of ours; their failure delays no alert."""
FAILING_S = 180.0
"""A failing part updates its record more often than this; older records are from ended listeners."""


class PartFailure(KeptModel):
    """Record of a failing part of the intake, ``failing/<part>.json``."""

    part: str
    reason: str
    failures: int
    """Number of consecutive failures."""
    since: AwareDatetime
    """Time of the first of these failures."""
    last: AwareDatetime


def failing_parts(archive_root: Path) -> list[PartFailure]:
    """Return the currently failing parts of all listeners on an archive, sorted by name."""
    oldest = datetime.now(UTC) - timedelta(seconds=FAILING_S)
    found = [
        read_or_set_aside(path, PartFailure) for path in sorted(failing_folder(archive_root).glob("*.json"))
    ]
    return [failure for failure in found if failure is not None and failure.last >= oldest]


def failing_folder(archive_root: Path) -> Path:
    """Return the folder of the records."""
    return archive_root / "failing"
