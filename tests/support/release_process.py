"""Program that releases or retracts an announcement and can kill itself in the middle."""

import os
import signal
from datetime import UTC, datetime
from pathlib import Path

from mxtvhf.reporting.announcement.change import change
from mxtvhf.reporting.announcement.deliveries import Channels
from mxtvhf.reporting.announcement.model import Decision
from mxtvhf.reporting.announcement.release import release
from mxtvhf.reporting.report.model import Report


def release_and_die(report: bytes, decision: bytes, state: str, webhook: str, kill_at: int) -> None:
    """Release an announcement; SIGKILL follows the ``kill_at``-th write to the disk."""
    _die_at(kill_at)
    release(
        Report.model_validate_json(report),
        Decision.model_validate_json(decision),
        releases=Path(state) / "releases",
        channels=Channels(outbox=Path(state) / "outbox", webhook=Path(webhook)),
        now=datetime.now(UTC),
    )


def retract_and_die(burst_id: str, about: str, state: str, webhook: str, kill_at: int) -> None:
    """Retract an announcement with SIGKILL as in `release_and_die`."""
    _die_at(kill_at)
    now = datetime.now(UTC)
    wanted = Decision(
        run_id=f"{burst_id}__1",
        burst_id=burst_id,
        choice="approve",
        action="retract",
        comment="A particle event.",
        decided_by="Bob",
        decided_at=now,
    )
    change(
        wanted,
        about=about,
        report=None,
        releases=Path(state) / "releases",
        channels=Channels(outbox=Path(state) / "outbox", webhook=Path(webhook)),
        now=now,
    )


def _die_at(kill_at: int) -> None:
    left, synced = kill_at, os.fsync

    def fsync(handle):
        nonlocal left
        synced(handle)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    os.fsync = fsync
