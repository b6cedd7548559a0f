"""The state of one burst: its notices, packets, attitude and planned runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from mxtvhf.archive.archive import Archive
from mxtvhf.errors import InvalidInput
from mxtvhf.events.patterns import reconstruct
from mxtvhf.intake.planned import SEQUENCE, PlannedRun, planned_folder, planned_runs
from mxtvhf.models.kept import log_once
from mxtvhf.notices.alert import Alert
from mxtvhf.notices.voevent import read_alert
from mxtvhf.telemetry.decode import decode_stream


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
