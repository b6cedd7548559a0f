"""Releases an announcement in a process of its own, which may kill itself in the middle."""

import os
import signal
from datetime import UTC, datetime
from pathlib import Path

from mxtvhf.reporting.announcement.deliveries import Channels
from mxtvhf.reporting.announcement.model import Decision
from mxtvhf.reporting.announcement.release import release
from mxtvhf.reporting.report import Report


def release_and_die(report: bytes, decision: bytes, state: str, webhook: str, kill_at: int) -> None:
    """Release; be killed (SIGKILL) right behind the ``kill_at``-th time that something reaches the disk."""
    left, synced = kill_at, os.fsync

    def fsync(handle):
        nonlocal left
        synced(handle)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    os.fsync = fsync
    release(
        Report.model_validate_json(report),
        Decision.model_validate_json(decision),
        releases=Path(state) / "releases",
        channels=Channels(outbox=Path(state) / "outbox", webhook=Path(webhook)),
        now=datetime.now(UTC),
    )
