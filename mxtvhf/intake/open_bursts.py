"""The open bursts of an archive, for which the intake may have to plan runs.

::

    archive/open/<burst>    empty file; its modification time is when the burst was last opened
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from mxtvhf.models.ids import BURST_ID_PATTERN


class OpenBursts:
    """The open bursts of one archive. The caller opens and closes a burst under `Archive.burst_lock`."""

    def __init__(self, archive_root: Path) -> None:
        self.folder = archive_root / "open"
        self.folder.mkdir(parents=True, exist_ok=True)

    def open(self, burst_id: str) -> None:
        """Mark a burst as needing attention."""
        path, now = self.folder / burst_id, time.time_ns()
        path.touch()
        # The kernel's own timestamps have steps of some ms, in which two openings would look like one.
        os.utime(path, ns=(now, now))

    def close(self, burst_id: str) -> None:
        """Ignore a burst until it is opened again."""
        (self.folder / burst_id).unlink(missing_ok=True)

    def all(self) -> dict[str, int]:
        """Return the open bursts, each with a number that changes whenever the burst is opened again."""
        found = {}
        for path in self.folder.glob("sb*"):
            if not re.fullmatch(BURST_ID_PATTERN, path.name):
                continue
            try:
                found[path.name] = path.stat().st_mtime_ns
            except FileNotFoundError:
                continue
        return found
