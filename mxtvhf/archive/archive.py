"""The archive: raw inputs as received, kept before anything else is done with them.

::

    archive/<burst>/alerts/<sha256>.xml           content-addressed: the same bytes are kept once
    archive/<burst>/alerts/received.jsonl         when which sound notice of the burst was received
    archive/<burst>/vhf/<sha256>.bin              VHF messages, as the network sends them: some packets each
    archive/<burst>/vhf/received.jsonl
    archive/<burst>/packets/<sha256>.bin          of a run: a file as given, or all messages so far
    archive/<burst>/packets/received.jsonl
    archive/<burst>/planned/<sequence>.json       the runs that the intake wants, see ``mxtvhf.intake``
    archive/<burst>/retracted.json                what took the burst back; -test: a test of its id
    archive/<burst>/inputs/<run>__<digest>.json   which alert and packets a run was given
    archive/quarantine/<sha256>.bin + .json       what could not be read, with the reason
    archive/alive                                 empty; touched by every round of the intake

Nothing is ever changed or removed: ``received.jsonl`` only grows, every other file is written once, under a
temporary name, synced and then named. (Only the waiting rooms ``incoming/`` and ``open/`` of the intake empty
themselves, when what they held is filed.)
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import AwareDatetime, ValidationError

from mxtvhf.models.base import Model
from mxtvhf.models.files import safe_name, sha256_of, sync_folder, write_once
from mxtvhf.models.ids import BURST_ID_PATTERN, BurstId
from mxtvhf.models.run_conf import RunConf
from mxtvhf.models.times import utc_text

log = logging.getLogger(__name__)

MAX_RECORD_NAME = 150
"""Characters of a run id in the name of its record; a digest makes the name unique."""


class ArchivedInput(Model):
    """What one run was given, as kept."""

    run_id: str
    burst_id: BurstId
    conf: RunConf
    """The run's configuration with ``alert`` and ``packets`` pointing into the archive; what could not be
    kept is named as the run named it."""
    received: AwareDatetime
    is_replay: bool = False

    @property
    def content(self) -> tuple[str, str | None]:
        """The alert and the packets: equal for two runs that were given the same bytes."""
        return self.conf.alert, self.conf.packets


class Receipt(Model):
    """A line of ``received.jsonl``: something came at this moment."""

    file: str
    """Name of the kept file."""
    received: AwareDatetime
    source: str | None = None
    """By which way, e.g. ``NATS mxtvhf.in.packets.hbk``; None: a run named it."""


class Retraction(Model):
    """A notice took a burst back."""

    ivorn: str
    received: AwareDatetime


class QuarantineNote(Model):
    """What could not be read, and why."""

    sha256: str
    """Of the kept bytes, ``quarantine/<sha256>.bin``."""
    input: str
    """What the run, or the intake, named it."""
    reason: str
    size: int
    """Bytes kept."""
    time: AwareDatetime


class Archive:
    """The archive below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def keep_alert(self, burst_id: str, raw: bytes) -> Path:
        """Keep a VOEvent as received and return where; the same bytes are kept once."""
        return self._keep(self.root / burst_id / "alerts", raw, ".xml")

    def keep_packets(self, burst_id: str, raw: bytes) -> Path:
        """Keep a packet stream as received and return where; the same bytes are kept once."""
        return self._keep(self.root / burst_id / "packets", raw, ".bin")

    def keep_vhf(self, burst_id: str, raw: bytes) -> Path:
        """Keep a VHF message as received and return where; the same bytes are kept once."""
        return self._keep(self.root / burst_id / "vhf", raw, ".bin")

    def log_receipt(self, kept: Path, received: datetime, source: str | None = None) -> None:
        """Note when something kept was received; once, however often it is said.

        Parameters
        ----------
        kept
            What `keep_alert`, `keep_vhf` or `keep_packets` returned.
        received
            The moment.
        source
            By which way it came.
        """
        receipt = Receipt(file=kept.name, received=received, source=source)
        line = receipt.model_dump_json(exclude_none=True).encode() + b"\n"
        with (kept.parent / "received.jsonl").open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            known = file.read()
            if line in known.splitlines(keepends=True):
                return
            # A line that a crash cut short must not spoil this one.
            file.write(line if not known or known.endswith(b"\n") else b"\n" + line)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(kept.parent)

    def notices(self, burst_id: str, *, until: datetime) -> dict[Path, datetime]:
        """Sound notices of a burst received up to a moment, with the last time when each one was."""
        folder = self.root / burst_id / "alerts"
        found: dict[Path, datetime] = {}
        for receipt in _receipts(folder / "received.jsonl"):
            if receipt.received <= until:
                path = folder / receipt.file
                found[path] = max(receipt.received, found.get(path, receipt.received))
        return found

    def first_notices(self, burst_id: str) -> dict[Path, datetime]:
        """Sound notices of a burst in the order in which they first came, with that moment."""
        return _first_receptions(self.root / burst_id / "alerts")

    def vhf(self, burst_id: str) -> dict[Path, datetime]:
        """VHF messages of a burst in the order in which they first came, with that moment."""
        return _first_receptions(self.root / burst_id / "vhf")

    def mark_retracted(self, burst_id: str, retraction: Retraction, *, is_test: bool) -> None:
        """Note that a burst, or a test under its id, was retracted; the first note stays."""
        content = retraction.model_dump_json().encode() + b"\n"
        write_once(self._retraction_path(burst_id, is_test=is_test), content)

    def retraction(self, burst_id: str, *, is_test: bool) -> Retraction | None:
        """Return what took a burst, or a test under its id, back; None when nothing did."""
        path = self._retraction_path(burst_id, is_test=is_test)
        return Retraction.model_validate_json(path.read_bytes()) if path.exists() else None

    def _retraction_path(self, burst_id: str, *, is_test: bool) -> Path:
        return self.root / burst_id / f"retracted{'-test' if is_test else ''}.json"

    @contextmanager
    def burst_lock(self, burst_id: str) -> Iterator[None]:
        """Hold a burst's folder alone among all processes that ask so."""
        folder = self.root / burst_id
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def last_receipt(self, kept: Path, *, until: datetime) -> datetime | None:
        """Return when a kept notice, or kept packets, were last received up to a moment; None: not logged."""
        receipts = _receipts(kept.parent / "received.jsonl")
        moments = (receipt.received for receipt in receipts if receipt.file == kept.name)
        return max((moment for moment in moments if moment <= until), default=None)

    def keep_input(self, entry: ArchivedInput) -> ArchivedInput:
        """Record what a run was given.

        The first record stays. A run that was tried again keeps the time at which its alert came first; when
        it found other packets then, it gets a further record.

        Returns
        -------
        ArchivedInput
            The entry with the time of the first record of this run and alert.
        """
        folder, name = self.root / entry.burst_id / "inputs", safe_name(entry.run_id)[:MAX_RECORD_NAME]
        earlier = [
            known.received
            for known in map(_record, folder.glob(f"{name}__*.json"))
            if (known.run_id, known.conf.alert) == (entry.run_id, entry.conf.alert)
        ]
        entry = entry.model_copy(update={"received": min([*earlier, entry.received])})
        digest = sha256_of(f"{entry.run_id}\n{entry.conf.model_dump_json()}".encode())[:16]
        write_once(folder / f"{name}__{digest}.json", entry.model_dump_json(indent=1).encode() + b"\n")
        return entry

    def original_of(self, replay: ArchivedInput) -> ArchivedInput | None:
        """Return the newest input that a replay repeats: the same bytes, and no replay itself."""
        same = (
            entry
            for entry in self.inputs(replay.burst_id)
            if not entry.is_replay and entry.content == replay.content
        )
        return max(same, key=lambda entry: entry.received, default=None)

    def quarantine(self, raw: bytes, *, name: str, reason: str) -> Path:
        """Keep an unreadable input with the reason, for inspection.

        The same bytes under another name or for another reason get a further note,
        ``<sha256>.<digest>.json``.
        """
        path = self._keep(self.root / "quarantine", raw, ".bin")
        about: dict[str, object] = {"input": name, "reason": reason, "size": len(raw)}
        note = json.dumps({**about, "time": utc_text(datetime.now(UTC))}, indent=1).encode() + b"\n"
        first = path.with_suffix(".json")
        if not write_once(first, note) and not about.items() <= json.loads(first.read_bytes()).items():
            digest = sha256_of(json.dumps([name, reason]).encode())[:16]
            write_once(path.with_suffix(f".{digest}.json"), note)
        return path

    def quarantined(self) -> list[QuarantineNote]:
        """All notes of the quarantine, newest first."""
        paths = (self.root / "quarantine").glob("*.json")
        named = ({"sha256": path.name.split(".")[0], **json.loads(path.read_bytes())} for path in paths)
        notes = map(QuarantineNote.model_validate, named)
        return sorted(notes, key=lambda note: (note.time, note.sha256), reverse=True)

    def bursts(self) -> list[str]:
        """Return the bursts of which something was kept, ascending."""
        return sorted(
            path.name for path in self.root.glob("sb*") if re.fullmatch(BURST_ID_PATTERN, path.name)
        )

    def has(self, burst_id: str) -> bool:
        """Tell whether something of a burst was kept."""
        return (self.root / burst_id).is_dir()

    def inputs(self, burst_id: str | None = None) -> Iterator[ArchivedInput]:
        """All recorded inputs, of one burst or of all, oldest burst first."""
        yield from map(_record, sorted(self.root.glob(f"{burst_id or 'sb*'}/inputs/*.json")))

    def _keep(self, folder: Path, raw: bytes, suffix: str) -> Path:
        path = folder / f"{sha256_of(raw)}{suffix}"
        write_once(path, raw)
        return path


def _record(path: Path) -> ArchivedInput:
    return ArchivedInput.model_validate_json(path.read_bytes())


def _first_receptions(folder: Path) -> dict[Path, datetime]:
    found: dict[Path, datetime] = {}
    for receipt in _receipts(folder / "received.jsonl"):
        path = folder / receipt.file
        found[path] = min(receipt.received, found.get(path, receipt.received))
    return dict(sorted(found.items(), key=lambda entry: (entry[1], entry[0].name)))


def _receipts(path: Path) -> Iterator[Receipt]:
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            yield Receipt.model_validate_json(line)
        except ValidationError:
            # Cut short by a crash; the run that wrote it failed and writes it anew when it is tried again.
            log.warning("%s: a line cannot be read and is left out: %.80r", path, line)
