"""Bursts that something has come of lately: those that the intake has to look at.

::

    archive/open/<burst>    empty; its time of change tells when it was opened for the last time
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from mxtvhf.models.ids import BURST_ID_PATTERN


class OpenBursts:
    """The open bursts of one archive. Open and close a burst under its lock (`Archive.burst_lock`)."""

    def __init__(self, archive_root: Path) -> None:
        self.folder = archive_root / "open"
        self.folder.mkdir(parents=True, exist_ok=True)

    def open(self, burst_id: str) -> None:
        """Have a burst looked at, now."""
        path, now = self.folder / burst_id, time.time_ns()
        path.touch()
        # The kernel's own stamps have steps of some ms, in which two openings would look like one.
        os.utime(path, ns=(now, now))

    def close(self, burst_id: str) -> None:
        """Leave a burst alone until it is opened again."""
        (self.folder / burst_id).unlink(missing_ok=True)

    def all(self) -> dict[str, int]:
        """Open bursts, each with a number that is another one whenever it is opened again."""
        found = {}
        for path in self.folder.glob("sb*"):
            if not re.fullmatch(BURST_ID_PATTERN, path.name):
                continue
            try:
                found[path.name] = path.stat().st_mtime_ns
            except FileNotFoundError:
                continue
        return found
