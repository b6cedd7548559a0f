"""All that is known of one burst: its notices, its packets so far, the runs that it got."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime

from mxtvhf.archive.archive import Archive
from mxtvhf.errors import InvalidInput
from mxtvhf.models.base import Model
from mxtvhf.models.files import sha256_of
from mxtvhf.models.run_conf import RunConf
from mxtvhf.notices.alert import Alert
from mxtvhf.notices.voevent import read_alert
from mxtvhf.telemetry import decode_stream

log = logging.getLogger(__name__)


class PlannedRun(Model):
    """A run that the intake wants, as written to ``planned/<sequence>.json``; it never changes."""

    run_id: str
    conf: RunConf
    cause: Literal["notice", "photons"]
    """A new notice, or so many photons."""
    reason: str
    """The same in words."""
    is_test: bool
    is_retraction: bool = False
    notice: str
    """Key of its alert, see `Notice`."""
    photons: int = 0
    """In its packets; 0 for a run without packets."""
    packets: int = 0
    """Distinct sound packets."""
    planned: AwareDatetime


class Posting(Model):
    """What became of a planned run, as written to ``planned/<sequence>.posted.json``."""

    outcome: Literal["accepted", "taken", "refused", "withdrawn"]
    """Airflow has it; the run id belongs to another input; Airflow will never take it; a retraction came."""
    reason: str | None = None
    posted: AwareDatetime


@dataclass(frozen=True)
class Notice:
    """A notice of the burst.

    Attributes
    ----------
    alert
        As read.
    path
        Where it is kept.
    received
        When it came for the first time, UTC.
    key
        Equal for notices that say the same, also when their bytes differ (two ways, two spellings).
    """

    alert: Alert
    path: Path
    received: datetime
    key: str


@dataclass(frozen=True)
class BurstPicture:
    """What is known of a burst at one moment.

    Attributes
    ----------
    burst_id
        Which burst.
    notices
        Those that say different things, in the order in which they came.
    vhf
        Kept VHF messages in the order in which they came, each with that moment.
    photons, packets
        That all messages together hold: photons that can be placed on the sky (0 without a pointing), and
        distinct sound packets.
    runs
        Planned so far, in the order of their sequence numbers, without those whose run id was taken.
    waiting
        Of these, the ones that Airflow does not have yet.
    last_sequence
        Highest sequence number in use.
    """

    burst_id: str
    notices: tuple[Notice, ...]
    vhf: tuple[tuple[Path, datetime], ...]
    photons: int
    packets: int
    runs: tuple[PlannedRun, ...]
    waiting: tuple[PlannedRun, ...]
    last_sequence: int

    def with_run(self, run: PlannedRun) -> BurstPicture:
        """Return the picture with one more run planned."""
        return replace(
            self,
            runs=(*self.runs, run),
            waiting=(*self.waiting, run),
            last_sequence=run.conf.sequence,
        )


def read_picture(archive: Archive, burst_id: str) -> BurstPicture:
    """Read what the archive holds of a burst; call it under the burst's lock."""
    planned = planned_runs(archive, burst_id)
    vhf = tuple(archive.vhf(burst_id).items())
    photons, packets = _measure(b"".join(path.read_bytes() for path, _ in vhf), burst_id)
    sequences = [run.conf.sequence for run, _ in planned]
    sequences += [entry.conf.sequence for entry in archive.inputs(burst_id)]
    return BurstPicture(
        burst_id=burst_id,
        notices=_notices(archive, burst_id),
        vhf=vhf,
        photons=photons,
        packets=packets,
        runs=tuple(run for run, posting in planned if posting is None or posting.outcome != "taken"),
        waiting=tuple(run for run, posting in planned if posting is None),
        last_sequence=max(sequences, default=0),
    )


def planned_runs(archive: Archive, burst_id: str) -> list[tuple[PlannedRun, Posting | None]]:
    """Return the planned runs of a burst with what became of them, in the order of their sequence."""
    found = []
    for path in sorted(planned_folder(archive, burst_id).glob("[0-9][0-9][0-9][0-9].json")):
        posting = path.with_suffix(".posted.json")
        found.append(
            (
                PlannedRun.model_validate_json(path.read_bytes()),
                Posting.model_validate_json(posting.read_bytes()) if posting.exists() else None,
            )
        )
    return found


def planned_folder(archive: Archive, burst_id: str) -> Path:
    """Folder of the planned runs of a burst."""
    return archive.root / burst_id / "planned"


def posting_path(archive: Archive, run: PlannedRun) -> Path:
    """File that says what became of a planned run."""
    return planned_folder(archive, run.conf.burst_id) / f"{run.conf.sequence:04d}.posted.json"


def _notices(archive: Archive, burst_id: str) -> tuple[Notice, ...]:
    found: dict[str, Notice] = {}
    for path, received in archive.first_notices(burst_id).items():
        try:
            alert = read_alert(path.read_bytes(), name=str(path))
        except InvalidInput as error:
            # Only sound notices have a receipt: it was sound by an earlier version of this program.
            log.error("burst %s: kept notice left out: %s", burst_id, error)
            continue
        key = sha256_of(alert.model_dump_json().encode())[:16]
        found.setdefault(key, Notice(alert, path, received, key))
    return tuple(found.values())


def _measure(raw: bytes, burst_id: str) -> tuple[int, int]:
    try:
        stream = decode_stream(raw, burst_id, name="VHF messages")
    except InvalidInput:
        # None yet, or none that tells the pointing.
        return 0, 0
    return len(stream.photons), stream.counts.good
