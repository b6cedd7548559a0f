"""The state of one burst: its notices, packets, attitude and planned runs."""

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
"""Pattern of the sequence number that begins the file names of a planned run."""


class PlannedRun(KeptModel):
    """A run planned by the intake, as written once to ``planned/<sequence>.json``."""

    run_id: str
    conf: RunConf
    cause: Literal["notice", "photons"]
    """What caused the run: a new notice, or enough new photons."""
    reason: str
    """The cause as text."""
    is_test: bool
    is_retraction: bool = False
    photons: int = 0
    """Number of photons in its packets; 0 for a run without packets."""
    packets: int = 0
    """Number of distinct valid packets."""
    planned: AwareDatetime

    @property
    def notice_file(self) -> str:
        """Return the file name of the notice, a digest of its bytes as received."""
        return PurePosixPath(self.conf.alert).name


class Submission(KeptModel):
    """The outcome of submitting a planned run, as written to ``planned/<sequence>.posted.json``."""

    outcome: Literal["accepted", "taken", "refused", "withdrawn"]
    """Airflow has the run; another input uses its run id; Airflow rejected it; the burst was retracted."""
    reason: str | None = None
    posted: AwareDatetime


@dataclass(frozen=True)
class Notice:
    """A notice of the burst.

    Attributes
    ----------
    alert
        The parsed notice.
    path
        The archived file.
    received
        Time of first reception, UTC.
    files
        Names of all archived files with the same content, its own first; one notice can arrive by two
        transports in two spellings. The names are digests of the received bytes and never change.
    """

    alert: Alert
    path: Path
    received: datetime
    files: tuple[str, ...]


@dataclass(frozen=True)
class BurstState:
    """The state of a burst at one moment.

    Attributes
    ----------
    burst_id
        SVOM's identifier of the burst.
    notices
        Notices with different content, in the order of reception.
    vhf
        Archived VHF messages with their times of reception (UTC), in the order of reception.
    photons
        Number of photons in all messages that can be placed on the sky; 0 without a pointing.
    packets
        Number of distinct valid packets in all messages; 0 without a pointing.
    runs
        Planned runs in the order of their sequence numbers, without those whose run id another input uses.
    waiting
        Those of `runs` that Airflow does not have yet.
    last_sequence
        Highest sequence number in use.
    attitude
        The attitude product received last; None before the first one.
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

    @property
    def has_messages(self) -> bool:
        """Return True if the reception of at least one message is on record."""
        return bool(self.notices or self.vhf or self.attitude)

    def with_run(self, run: PlannedRun) -> BurstState:
        """Return the state with one more planned run."""
        return replace(
            self,
            runs=(*self.runs, run),
            waiting=(*self.waiting, run),
            last_sequence=run.conf.sequence,
        )


def read_burst_state(archive: Archive, burst_id: str) -> BurstState:
    """Read the state of a burst from the archive. The caller holds the lock of the burst."""
    planned = planned_runs(archive, burst_id)
    vhf = tuple((path, received) for path, received in archive.vhf(burst_id).items() if _is_there(path))
    attitudes = [path for path in archive.attitudes(burst_id) if _is_there(path)]
    raw = b"".join(path.read_bytes() for path, _ in vhf)
    photons, packets = _measure(raw, burst_id, has_attitude=bool(attitudes))
    # File names count even if a record is unreadable, so that no number is used for two runs.
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
    """Return the planned runs of a burst and their submissions, in the order of their sequence numbers.

    An unreadable record is set aside, see `read_or_set_aside`. A run without a record of its submission is
    submitted again; Airflow then answers that it already has the run.
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
        # A later version wrote the file, or it is damaged. It is only written after Airflow was asked.
        return Submission(outcome="accepted", posted=run.planned)
    return submission


def planned_folder(archive: Archive, burst_id: str) -> Path:
    """Return the folder of the planned runs of a burst."""
    return archive.root / burst_id / "planned"


def submission_path(archive: Archive, run: PlannedRun) -> Path:
    """Return the path of the submission record of a planned run."""
    return planned_folder(archive, run.conf.burst_id) / f"{run.conf.sequence:04d}.posted.json"


def _notices(archive: Archive, burst_id: str) -> tuple[Notice, ...]:
    found: list[Notice] = []
    for path, received in archive.first_notices(burst_id).items():
        if not _is_there(path):
            continue
        try:
            alert = read_alert(path.read_bytes(), name=str(path))
        except InvalidInput as error:
            # Only valid notices have a receipt, so an earlier version of this program accepted this one.
            log_once(f"burst {burst_id}: archived notice ignored: {error}")
            continue
        same = next((place for place, known in enumerate(found) if known.alert == alert), None)
        if same is None:
            found.append(Notice(alert, path, received, (path.name,)))
        else:
            found[same] = replace(found[same], files=(*found[same].files, path.name))
    return tuple(found)


def _is_there(path: Path) -> bool:
    """Return True if a file with a receipt exists. A restored archive may lack it."""
    if path.is_file():
        return True
    log_once(f"{path}: missing, although its receipt is logged; restore it from a backup")
    return False


def _measure(raw: bytes, burst_id: str, *, has_attitude: bool) -> tuple[int, int]:
    try:
        stream = decode_stream(raw, burst_id, name="VHF messages")
    except InvalidInput:
        return 0, 0
    if not (has_attitude or len(stream.attitude)):
        # No photon can be placed on the sky before the first pointing packet or attitude product.
        return 0, 0
    # The limits of the policy count photons, and one photon can have several pixel entries.
    return len(reconstruct(stream.photons).photons), stream.counts.good
