"""Select archived inputs for replay and plan their start times."""

from __future__ import annotations

import logging
from collections.abc import Container, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import AwareDatetime

from mxtvhf.archive.archive import Archive, ArchivedInput
from mxtvhf.archive.inputs import MAX_ALERT_BYTES, read_limited
from mxtvhf.errors import InvalidInput
from mxtvhf.models.base import Model
from mxtvhf.models.files import safe_name, sha256_of
from mxtvhf.models.ids import REPLAY_MARK
from mxtvhf.models.run_conf import RunConf
from mxtvhf.notices.voevent import read_alert
from mxtvhf.workflow.replay_request import ReplayRequest

log = logging.getLogger(__name__)

MAX_RUN_ID = 200
"""Longest run id of a replay, characters; Airflow allows 250, our file names 200."""


class Replay(Model):
    """An archived input that is run again."""

    run_id: str
    conf: RunConf
    original: str
    """Run id of the original run."""
    received: AwareDatetime
    """When the original run received the input."""


def select_replays(archive: Archive, request: ReplayRequest, *, at: datetime) -> list[Replay]:
    """Choose archived inputs, newest first.

    Inputs with the same alert, packets and attitude are chosen once, even if several runs had them. Replays
    are left out. Inputs that cannot be run again, because the alert is unreadable or a file was never
    received, are left out with a line in the log.

    Parameters
    ----------
    archive
        Archive of the inputs.
    request
        Selection and largest number.
    at
        Time of the replay, a part of the run ids ``<run_id>__replay_<time>``.
    """
    mark = f"{REPLAY_MARK}{at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}"
    seen: set[tuple[str, str | None, str | None]] = set()
    chosen: dict[str, Replay] = {}
    for entry in sorted(_originals(archive, request), key=_reception, reverse=True):
        if entry.content in seen:
            continue
        if len(chosen) == request.limit:
            log.info("more than %d inputs selected; older ones are left out", request.limit)
            break
        seen.add(entry.content)
        if _is_replayable(entry, archive):
            run_id = _replay_run_id(entry, mark, taken=chosen.keys())
            chosen[run_id] = Replay(
                run_id=run_id, conf=entry.conf, original=entry.run_id, received=entry.received
            )
    return list(chosen.values())


def schedule(
    replays: Sequence[Replay], start: datetime, speed: float | None
) -> list[tuple[Replay, datetime]]:
    """Return the start time of each replay.

    Parameters
    ----------
    replays
        In any order.
    start
        Start time of the first one.
    speed
        Playback speed: 1 keeps the original spacing of the inputs, 10 is ten times faster; None sends all at
        once.

    Returns
    -------
    list of (Replay, datetime)
        In the order of reception.
    """
    ordered = sorted(replays, key=lambda replay: (replay.received, replay.run_id))
    if speed is None:
        return [(replay, start) for replay in ordered]
    return [(replay, start + (replay.received - ordered[0].received) / speed) for replay in ordered]


def _originals(archive: Archive, request: ReplayRequest) -> Iterator[ArchivedInput]:
    for burst_id in filter(request.wants, archive.bursts()):
        yield from (entry for entry in archive.inputs(burst_id) if not entry.is_replay)


def _reception(entry: ArchivedInput) -> tuple[datetime, str]:
    return entry.received, entry.run_id


def _is_replayable(entry: ArchivedInput, archive: Archive) -> bool:
    """Return True if every file of the input was received and the alert is readable."""
    missing = [name for name in entry.content if name and not Path(name).is_relative_to(archive.root)]
    try:
        if missing:
            raise InvalidInput(f"{missing[0]} is not in the archive")
        alert = read_alert(read_limited(Path(entry.conf.alert), MAX_ALERT_BYTES), name=entry.conf.alert)
        if alert.burst_id != entry.burst_id:
            raise InvalidInput(f"the alert belongs to burst {alert.burst_id}")
    except InvalidInput as error:
        log.info("input of run %s left out of the replay: %s", entry.run_id, error)
        return False
    return True


def _replay_run_id(entry: ArchivedInput, mark: str, *, taken: Container[str]) -> str:
    """Name a replay after the original run, with a digest if that name is invalid, too long or taken."""
    name = safe_name(entry.run_id)
    room = MAX_RUN_ID - len(mark)
    if name != entry.run_id or len(name) > room or name + mark in taken:
        digest = sha256_of("\n".join([entry.run_id, *filter(None, entry.content)]).encode())[:12]
        name = f"{name[: room - 1 - len(digest)]}~{digest}"
    return name + mark
