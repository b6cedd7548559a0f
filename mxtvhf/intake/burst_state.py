"""All that is known of one burst: its notices, its packets so far, its attitude, the runs that it got."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import AwareDatetime

from mxtvhf.archive.archive import Archive
from mxtvhf.errors import InvalidInput
from mxtvhf.events.patterns import reconstruct
from mxtvhf.models.kept import KeptModel, log_once, read_or_set_aside
from mxtvhf.models.run_conf import RunConf
from mxtvhf.notices.alert import Alert
from mxtvhf.notices.voevent import read_alert
from mxtvhf.telemetry import decode_stream

SEQUENCE = "[0-9]" * 4
"""Start of the names of a planned run's files."""


class PlannedRun(KeptModel):
    """A run that the intake wants, as written to ``planned/<sequence>.json``; it never changes."""

    run_id: str
    conf: RunConf
    cause: Literal["notice", "photons"]
    """A new notice, or so many photons."""
    reason: str
    """The same in words."""
    is_test: bool
    is_retraction: bool = False
    photons: int = 0
    """In its packets; 0 for a run without packets."""
    packets: int = 0
    """Distinct sound packets."""
    planned: AwareDatetime

    @property
    def notice_file(self) -> str:
        """Name of its notice's file, by which the notice is known: a digest of the bytes as received."""
        return PurePosixPath(self.conf.alert).name


class Submission(KeptModel):
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
    files
        Names of all kept files that say the same (two ways, two spellings), its own first. As digests of the
        bytes as received they are the same in every version of this software.
    """

    alert: Alert
    path: Path
    received: datetime
    files: tuple[str, ...]


@dataclass(frozen=True)
class BurstState:
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
    attitude
        The attitude product that came last; None: none came.
    """

    burst_id: str
    notices: tuple[Notice, ...]
    vhf: tuple[tuple[Path, datetime], ...]
    photons: int
    packets: int
    runs: tuple[PlannedRun, ...]
    waiting: tuple[PlannedRun, ...]
    last_sequence: int
    attitude: Path | None = None

    def with_run(self, run: PlannedRun) -> BurstState:
        """Return the state with one more run planned."""
        return replace(
            self,
            runs=(*self.runs, run),
            waiting=(*self.waiting, run),
            last_sequence=run.conf.sequence,
        )


def read_burst_state(archive: Archive, burst_id: str) -> BurstState:
    """Read what the archive holds of a burst; call it under the burst's lock."""
    planned = planned_runs(archive, burst_id)
    vhf = tuple((path, received) for path, received in archive.vhf(burst_id).items() if _is_there(path))
    attitudes = [path for path in archive.attitudes(burst_id) if _is_there(path)]
    raw = b"".join(path.read_bytes() for path, _ in vhf)
    photons, packets = _measure(raw, burst_id, has_attitude=bool(attitudes))
    # The names count also where the records cannot be read: a number is never used for two runs.
    sequences = [int(path.name[:4]) for path in planned_folder(archive, burst_id).glob(f"{SEQUENCE}.*")]
    sequences += [entry.conf.sequence for entry in archive.inputs(burst_id)]
    return BurstState(
        burst_id=burst_id,
        notices=_notices(archive, burst_id),
        vhf=vhf,
        photons=photons,
        packets=packets,
        runs=tuple(run for run, submission in planned if submission is None or submission.outcome != "taken"),
        waiting=tuple(run for run, submission in planned if submission is None),
        last_sequence=max(sequences, default=0),
        attitude=attitudes[-1] if attitudes else None,
    )


def planned_runs(archive: Archive, burst_id: str) -> list[tuple[PlannedRun, Submission | None]]:
    """Return the planned runs of a burst with what became of them, in the order of their sequence.

    A record that cannot be read is set aside, see `read_or_set_aside`. A run whose submission is lost is
    submitted again, and Airflow answers that it has it.
    """
    found = []
    for path in sorted(planned_folder(archive, burst_id).glob(f"{SEQUENCE}.json")):
        run = read_or_set_aside(path, PlannedRun)
        if run is not None:
            found.append((run, _submission(path.with_suffix(".posted.json"), run)))
    return found


def _submission(path: Path, run: PlannedRun) -> Submission | None:
    submission = read_or_set_aside(path, Submission)
    if submission is None and path.exists():
        # Of a later version, or on a bad sector; whoever wrote it had asked Airflow.
        return Submission(outcome="accepted", posted=run.planned)
    return submission


def planned_folder(archive: Archive, burst_id: str) -> Path:
    """Folder of the planned runs of a burst."""
    return archive.root / burst_id / "planned"


def submission_path(archive: Archive, run: PlannedRun) -> Path:
    """File that says what became of a planned run."""
    return planned_folder(archive, run.conf.burst_id) / f"{run.conf.sequence:04d}.posted.json"


def _notices(archive: Archive, burst_id: str) -> tuple[Notice, ...]:
    found: list[Notice] = []
    for path, received in archive.first_notices(burst_id).items():
        if not _is_there(path):
            continue
        try:
            alert = read_alert(path.read_bytes(), name=str(path))
        except InvalidInput as error:
            # Only sound notices have a receipt: it was sound by an earlier version of this program.
            log_once(f"burst {burst_id}: kept notice left out: {error}")
            continue
        same = next((place for place, known in enumerate(found) if known.alert == alert), None)
        if same is None:
            found.append(Notice(alert, path, received, (path.name,)))
        else:
            found[same] = replace(found[same], files=(*found[same].files, path.name))
    return tuple(found)


def _is_there(path: Path) -> bool:
    """Tell whether a file that has a receipt was kept, too; a restored archive may lack it."""
    if path.is_file():
        return True
    log_once(f"{path}: missing, though its receipt was logged; restore it from a backup")
    return False


def _measure(raw: bytes, burst_id: str, *, has_attitude: bool) -> tuple[int, int]:
    try:
        stream = decode_stream(raw, burst_id, name="VHF messages")
    except InvalidInput:
        return 0, 0
    if not (has_attitude or len(stream.attitude)):
        # Until the first pointing packet or attitude product no photon can be placed on the sky.
        return 0, 0
    # Pixels of one photon count once: limits of the policy are photons.
    return len(reconstruct(stream.photons).photons), stream.counts.good
