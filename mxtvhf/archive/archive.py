"""Archive of raw inputs, which are stored as received before they are processed.

::

    archive/<burst>/alerts/<sha256>.xml           content-addressed: equal files are stored once
    archive/<burst>/alerts/received.jsonl         reception times of the valid notices of the burst
    archive/<burst>/vhf/<sha256>.bin              VHF messages as the network sends them, some packets each
    archive/<burst>/vhf/received.jsonl            their reception times
    archive/<burst>/packets/<sha256>.bin          packets of a run: a file as given, or all messages so far
    archive/<burst>/packets/received.jsonl        their reception times
    archive/<burst>/planned/<sequence>.json       runs planned by the intake, see ``mxtvhf.intake``
    archive/<burst>/retracted.json                retraction of the burst; -test: of a test with its id
    archive/<burst>/inputs/<run>__<digest>.json   alert and packets of a run
    archive/quarantine/<sha256>.bin + .json       unreadable inputs, with the reason
    archive/alive                                 empty; touched in every cycle of the intake
    archive/failing/<part>.json                   failing part of the intake, until it works again

Nothing is ever changed or removed: ``received.jsonl`` only grows, and every other file is written once, under
a temporary name, synced and then renamed. (The exceptions are the intake's spool folders ``incoming/`` and
``open/``, whose files are removed when they are filed, and ``failing/``, whose files are removed when the
part works again.) A record that cannot be read is renamed to ``<name>.<digest>.unreadable``, see
`mxtvhf.models.kept`.
"""

from __future__ import annotations

import fcntl
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import AwareDatetime

from mxtvhf.errors import InvalidInput
from mxtvhf.models.files import safe_name, sha256_of, write_once
from mxtvhf.models.ids import BURST_ID_PATTERN, BurstId
from mxtvhf.models.kept import KeptModel, log_once, read_kept, read_or_set_aside
from mxtvhf.models.kept_lines import append_record, read_records
from mxtvhf.models.run_conf import RunConf
from mxtvhf.models.text import escaped

MAX_RECORD_NAME = 150
"""Number of characters of the run id in the name of its record; a digest makes the name unique."""


class ArchivedInput(KeptModel):
    """Record of the input of one run."""

    run_id: str
    burst_id: BurstId
    conf: RunConf
    """Run configuration whose ``alert``, ``packets`` and ``attitude`` point into the archive; an input that
    could not be archived keeps the name given by the run."""
    received: AwareDatetime
    is_replay: bool = False

    @property
    def content(self) -> tuple[str, str | None, str | None]:
        """Return alert, packets and attitude; equal for two runs with the same input bytes."""
        return self.conf.alert, self.conf.packets, self.conf.attitude


class Receipt(KeptModel):
    """A line of ``received.jsonl``: one reception of a file."""

    file: str
    """Name of the archived file."""
    received: AwareDatetime
    source: str | None = None
    """Source, e.g. ``NATS mxtvhf.in.packets.hbk``; None if a run named the file."""


class Retraction(KeptModel):
    """Retraction of a burst by a notice."""

    ivorn: str
    received: AwareDatetime


class QuarantineNote(KeptModel):
    """Note about an unreadable input, with the reason."""

    sha256: str = ""
    """SHA-256 of the bytes in ``quarantine/<sha256>.bin``. Notes of version 0.1.0 have it only in their file
    names."""
    input: str
    """Name given by the run or the intake."""
    reason: str
    size: int
    """Number of bytes in quarantine."""
    time: AwareDatetime


class Archive:
    """Archive below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def keep_alert(self, burst_id: str, raw: bytes) -> Path:
        """Archive a VOEvent as received and return its path; equal files are stored once."""
        return self._keep(self.root / burst_id / "alerts", raw, ".xml")

    def keep_packets(self, burst_id: str, raw: bytes) -> Path:
        """Archive a packet stream as received and return its path; equal files are stored once."""
        return self._keep(self.root / burst_id / "packets", raw, ".bin")

    def keep_vhf(self, burst_id: str, raw: bytes) -> Path:
        """Archive a VHF message as received and return its path; equal files are stored once."""
        return self._keep(self.root / burst_id / "vhf", raw, ".bin")

    def keep_attitude(self, burst_id: str, raw: bytes) -> Path:
        """Archive an attitude product as received and return its path; equal files are stored once."""
        return self._keep(self.root / burst_id / "attitude", raw, ".fits")

    def log_receipt(self, kept: Path, received: datetime, source: str | None = None) -> None:
        """Record when an archived file was received; identical records are written once.

        Parameters
        ----------
        kept
            Path returned by `keep_alert`, `keep_vhf`, `keep_packets` or `keep_attitude`.
        received
            Reception time, UTC.
        source
            Source of the file.
        """
        receipt = Receipt(file=kept.name, received=received, source=source)
        append_record(_receipts(kept.parent), receipt, once=True)

    def notices(self, burst_id: str, *, until: datetime) -> dict[Path, datetime]:
        """Return the valid notices of a burst received up to a time, each with its last reception time."""
        folder = self.root / burst_id / "alerts"
        found: dict[Path, datetime] = {}
        for receipt in read_records(_receipts(folder), Receipt):
            if receipt.received <= until:
                path = folder / receipt.file
                found[path] = max(receipt.received, found.get(path, receipt.received))
        return found

    def first_notices(self, burst_id: str) -> dict[Path, datetime]:
        """Return the valid notices of a burst in order of first reception, with that time."""
        return _first_receptions(self.root / burst_id / "alerts")

    def vhf(self, burst_id: str) -> dict[Path, datetime]:
        """Return the VHF messages of a burst in order of first reception, with that time."""
        return _first_receptions(self.root / burst_id / "vhf")

    def attitudes(self, burst_id: str) -> dict[Path, datetime]:
        """Return the attitude products of a burst in order of first reception, with that time."""
        return _first_receptions(self.root / burst_id / "attitude")

    def mark_retracted(self, burst_id: str, retraction: Retraction, *, is_test: bool) -> None:
        """Record that a burst, or a test with its id, was retracted; the first record stays."""
        content = retraction.model_dump_json().encode() + b"\n"
        write_once(self._retraction_path(burst_id, is_test=is_test), content)

    def retraction(self, burst_id: str, *, is_test: bool) -> Retraction | None:
        """Return the retraction of a burst, or of a test with its id; None if it was not retracted.

        An unreadable record also counts as a retraction, because a retracted burst must never be announced.
        """
        path = self._retraction_path(burst_id, is_test=is_test)
        try:
            return read_kept(path, Retraction)
        except FileNotFoundError:
            return None
        except (InvalidInput, OSError) as error:
            log_once(f"{error}; the burst is treated as retracted")
            moment = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            return Retraction(ivorn=f"unknown, {path.name} is unreadable", received=moment)

    def _retraction_path(self, burst_id: str, *, is_test: bool) -> Path:
        return self.root / burst_id / f"retracted{'-test' if is_test else ''}.json"

    @contextmanager
    def burst_lock(self, burst_id: str) -> Iterator[None]:
        """Hold an exclusive lock on the folder of a burst."""
        folder = self.root / burst_id
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def last_receipt(self, kept: Path, *, until: datetime) -> datetime | None:
        """Return the last reception of an archived file up to a time; None if there is no record of one."""
        receipts = read_records(_receipts(kept.parent), Receipt)
        moments = (receipt.received for receipt in receipts if receipt.file == kept.name)
        return max((moment for moment in moments if moment <= until), default=None)

    def keep_input(self, entry: ArchivedInput) -> ArchivedInput:
        """Record the input of a run.

        The first record stays. A retried run keeps the time at which its alert first arrived; if it found
        other packets, another record is added.

        Returns
        -------
        ArchivedInput
            The record, with the time of the first record of this run and alert.
        """
        folder, name = self.root / entry.burst_id / "inputs", safe_name(entry.run_id)[:MAX_RECORD_NAME]
        earlier = [
            known.received
            for known in _inputs(folder.glob(f"{name}__*.json"))
            if (known.run_id, known.conf.alert) == (entry.run_id, entry.conf.alert)
        ]
        entry = entry.model_copy(update={"received": min([*earlier, entry.received])})
        digest = sha256_of(f"{entry.run_id}\n{entry.conf.model_dump_json()}".encode())[:16]
        write_once(folder / f"{name}__{digest}.json", entry.model_dump_json(indent=1).encode() + b"\n")
        return entry

    def original_of(self, replay: ArchivedInput) -> ArchivedInput | None:
        """Return the newest input with the same bytes that is not a replay itself."""
        same = (
            entry
            for entry in self.inputs(replay.burst_id)
            if not entry.is_replay and entry.content == replay.content
        )
        return max(same, key=lambda entry: entry.received, default=None)

    def quarantine(self, raw: bytes, *, name: str, reason: str) -> Path:
        """Store an unreadable input in quarantine with the reason; names in it are escaped, see `escaped`.

        The same bytes with another name or reason get an additional note, ``<sha256>.<digest>.json``.
        """
        path = self._keep(self.root / "quarantine", raw, ".bin")
        name, reason = escaped(name), escaped(reason)
        note = QuarantineNote(
            sha256=path.stem, input=name, reason=reason, size=len(raw), time=datetime.now(UTC)
        )
        content, first = note.model_dump_json(indent=1).encode() + b"\n", path.with_suffix(".json")
        known = read_or_set_aside(first, QuarantineNote)
        if known is not None and (known.input, known.reason) == (name, reason):
            return path
        if not write_once(first, content):
            digest = sha256_of(json.dumps([name, reason]).encode())[:16]
            write_once(path.with_suffix(f".{digest}.json"), content)
        return path

    def quarantined(self) -> list[QuarantineNote]:
        """Return all notes of the quarantine, newest first, also for files without a readable note."""
        folder = self.root / "quarantine"
        notes = [
            note.model_copy(update={"sha256": path.name.split(".")[0]})
            for path in folder.glob("*.json")
            if (note := read_or_set_aside(path, QuarantineNote)) is not None
        ]
        noted = {note.sha256 for note in notes}
        notes += [_without_note(path) for path in folder.glob("*.bin") if path.stem not in noted]
        return sorted(notes, key=lambda note: (note.time, note.sha256), reverse=True)

    def bursts(self) -> list[str]:
        """Return the ids of the archived bursts, ascending."""
        return sorted(
            path.name for path in self.root.glob("sb*") if re.fullmatch(BURST_ID_PATTERN, path.name)
        )

    def has(self, burst_id: str) -> bool:
        """Return True if the archive has files of a burst."""
        return (self.root / burst_id).is_dir()

    def has_messages(self, burst_id: str) -> bool:
        """Return True if the archive has a notice, a VHF message or an attitude product of a burst."""
        folder = self.root / burst_id
        return any(any(folder.glob(pattern)) for pattern in ("alerts/*.xml", "vhf/*.bin", "attitude/*.fits"))

    def inputs(self, burst_id: str | None = None) -> Iterator[ArchivedInput]:
        """Yield all readable input records of one burst or of all bursts, oldest burst first."""
        yield from _inputs(sorted(self.root.glob(f"{burst_id or 'sb*'}/inputs/*.json")))

    def _keep(self, folder: Path, raw: bytes, suffix: str) -> Path:
        path = folder / f"{sha256_of(raw)}{suffix}"
        write_once(path, raw)
        return path


def _inputs(paths: Iterable[Path]) -> Iterator[ArchivedInput]:
    for path in paths:
        record = read_or_set_aside(path, ArchivedInput)
        if record is not None:
            yield record


def _receipts(folder: Path) -> Path:
    return folder / "received.jsonl"


def _without_note(path: Path) -> QuarantineNote:
    about = path.stat()
    return QuarantineNote(
        sha256=path.stem,
        input="unknown",
        reason=f"the note of {path.name} is missing or unreadable; see quarantine/{path.stem}*",
        size=about.st_size,
        time=datetime.fromtimestamp(about.st_mtime, UTC),
    )


def _first_receptions(folder: Path) -> dict[Path, datetime]:
    found: dict[Path, datetime] = {}
    for receipt in read_records(_receipts(folder), Receipt):
        path = folder / receipt.file
        found[path] = min(receipt.received, found.get(path, receipt.received))
    return dict(sorted(found.items(), key=lambda entry: (entry[1], entry[0].name)))
