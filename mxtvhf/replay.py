"""Replays: archived inputs under run ids of their own."""

from __future__ import annotations

import logging
from collections.abc import Container
from datetime import UTC, datetime
from pathlib import Path

from mxtvhf.archive import Archive, ArchivedInput, sha256_of
from mxtvhf.errors import InvalidInput
from mxtvhf.inputs import MAX_ALERT_BYTES, read_limited
from mxtvhf.models import REPLAY_MARK, Model, RunConf, safe_name
from mxtvhf.voevent import read_alert

log = logging.getLogger(__name__)

MAX_RUN_ID = 200
"""Longest run id of a replay: Airflow allows 250 characters, our file names hold 200 of them."""


class Replay(Model):
    """One archived input, to be run again."""

    run_id: str
    conf: RunConf


def select_replays(
    archive: Archive, *, at: datetime, burst_id: str | None = None, limit: int = 5
) -> list[Replay]:
    """Choose archived inputs, newest first.

    The same alert with the same packets is chosen once, whatever runs it was given to. Left out are replays
    themselves and, with a line in the log, inputs that cannot become a run: an unreadable alert, or packets
    that never were received.

    Parameters
    ----------
    archive
        Where the inputs are kept.
    at
        Time of the replay; part of the run ids, ``<run_id>__replay_<time>``.
    burst_id
        Only this burst; None: all.
    limit
        How many at most.
    """
    mark = f"{REPLAY_MARK}{at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}"
    originals = [entry for entry in archive.inputs(burst_id) if not entry.is_replay]
    seen: set[tuple[str, str | None]] = set()
    chosen: dict[str, Replay] = {}
    for entry in sorted(originals, key=lambda entry: (entry.received, entry.run_id), reverse=True):
        if len(chosen) == limit:
            break
        if entry.content in seen:
            continue
        seen.add(entry.content)
        if _is_sound(entry, archive):
            run_id = _replay_run_id(entry, mark, taken=chosen.keys())
            chosen[run_id] = Replay(run_id=run_id, conf=entry.conf)
    return list(chosen.values())


def _is_sound(entry: ArchivedInput, archive: Archive) -> bool:
    """Tell whether all that was given was received and the alert can be read."""
    missing = [name for name in entry.content if name and not Path(name).is_relative_to(archive.root)]
    try:
        if missing:
            raise InvalidInput(f"not in the archive: {missing[0]}")
        alert = read_alert(read_limited(Path(entry.conf.alert), MAX_ALERT_BYTES), name=entry.conf.alert)
        if alert.burst_id != entry.burst_id:
            raise InvalidInput(f"the alert is of burst {alert.burst_id}")
    except InvalidInput as error:
        log.info("input of run %s is not replayed: %s", entry.run_id, error)
        return False
    return True


def _replay_run_id(entry: ArchivedInput, mark: str, *, taken: Container[str]) -> str:
    """Name a replay after its input's run; a digest where that is no good name or not the only one."""
    name = safe_name(entry.run_id)
    room = MAX_RUN_ID - len(mark)
    if name != entry.run_id or len(name) > room or name + mark in taken:
        digest = sha256_of("\n".join([entry.run_id, *filter(None, entry.content)]).encode())[:12]
        name = f"{name[: room - 1 - len(digest)]}~{digest}"
    return name + mark
