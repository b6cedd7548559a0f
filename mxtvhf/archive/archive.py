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
    archive/failing/<part>.json                   a part of the intake that fails, until it works again

Nothing is ever changed or removed: ``received.jsonl`` only grows, every other file is written once, under a
temporary name, synced and then named. (Only the waiting rooms ``incoming/`` and ``open/`` of the intake empty
themselves, when what they held is filed, and ``failing/``, when the part works again.) A record that
cannot be read is renamed to ``<name>.<digest>.unreadable``, see `mxtvhf.models.kept`.
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
"""Characters of a run id in the name of its record; a digest makes the name unique."""


class ArchivedInput(KeptModel):
    """What one run was given, as kept."""

    run_id: str
    burst_id: BurstId
    conf: RunConf
    """The run's configuration with ``alert``, ``packets`` and ``attitude`` pointing into the archive; what
    could not be kept is named as the run named it."""
    received: AwareDatetime
    is_replay: bool = False

    @property
    def content(self) -> tuple[str, str | None, str | None]:
        """Alert, packets and attitude: equal for two runs that were given the same bytes."""
        return self.conf.alert, self.conf.packets, self.conf.attitude


class Receipt(KeptModel):
    """A line of ``received.jsonl``: something came at this moment."""

    file: str
    """Name of the kept file."""
    received: AwareDatetime
    source: str | None = None
    """By which way, e.g. ``NATS mxtvhf.in.packets.hbk``; None: a run named it."""


class Retraction(KeptModel):
    """A notice took a burst back."""

    ivorn: str
    received: AwareDatetime


class QuarantineNote(KeptModel):
    """What could not be read, and why."""

    sha256: str = ""
    """Of the kept bytes, ``quarantine/<sha256>.bin``. Not in files of version 0.1.0, but in their names."""
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

    def keep_attitude(self, burst_id: str, raw: bytes) -> Path:
        """Keep an attitude product as received and return where; the same bytes are kept once."""
        return self._keep(self.root / burst_id / "attitude", raw, ".fits")

    def log_receipt(self, kept: Path, received: datetime, source: str | None = None) -> None:
        """Note when something kept was received; once, however often it is said.

        Parameters
        ----------
        kept
            What `keep_alert`, `keep_vhf`, `keep_packets` or `keep_attitude` returned.
        received
            The moment.
        source
            By which way it came.
        """
        receipt = Receipt(file=kept.name, received=received, source=source)
        append_record(_receipts(kept.parent), receipt, once=True)

    def notices(self, burst_id: str, *, until: datetime) -> dict[Path, datetime]:
        """Sound notices of a burst received up to a moment, with the last time when each one was."""
        folder = self.root / burst_id / "alerts"
        found: dict[Path, datetime] = {}
        for receipt in read_records(_receipts(folder), Receipt):
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

    def attitudes(self, burst_id: str) -> dict[Path, datetime]:
        """Attitude products of a burst in the order in which they first came, with that moment."""
        return _first_receptions(self.root / burst_id / "attitude")

    def mark_retracted(self, burst_id: str, retraction: Retraction, *, is_test: bool) -> None:
        """Note that a burst, or a test under its id, was retracted; the first note stays."""
        content = retraction.model_dump_json().encode() + b"\n"
        write_once(self._retraction_path(burst_id, is_test=is_test), content)

    def retraction(self, burst_id: str, *, is_test: bool) -> Retraction | None:
        """Return the notice that retracted a burst, or a test under its id; None when it was not retracted.

        A record that cannot be read counts, too: a retracted burst must never be announced.
        """
        path = self._retraction_path(burst_id, is_test=is_test)
        try:
            return read_kept(path, Retraction)
        except FileNotFoundError:
            return None
        except (InvalidInput, OSError) as error:
            log_once(f"{error}; the burst counts as retracted")
            moment = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            return Retraction(ivorn=f"unknown, {path.name} is unreadable", received=moment)

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
        receipts = read_records(_receipts(kept.parent), Receipt)
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
            for known in _inputs(folder.glob(f"{name}__*.json"))
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
        """Keep an unreadable input with the reason, for inspection; both may quote any name, see `escaped`.

        The same bytes under another name or for another reason get a further note,
        ``<sha256>.<digest>.json``.
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
        """All notes of the quarantine, newest first; kept bytes without a readable note are listed, too."""
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
        """Return the bursts of which something was kept, ascending."""
        return sorted(
            path.name for path in self.root.glob("sb*") if re.fullmatch(BURST_ID_PATTERN, path.name)
        )

    def has(self, burst_id: str) -> bool:
        """Tell whether something of a burst was kept."""
        return (self.root / burst_id).is_dir()

    def inputs(self, burst_id: str | None = None) -> Iterator[ArchivedInput]:
        """All recorded inputs that can be read, of one burst or of all, oldest burst first."""
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
        reason=f"no readable note about {path.name}; see quarantine/{path.stem}*",
        size=about.st_size,
        time=datetime.fromtimestamp(about.st_mtime, UTC),
    )


def _first_receptions(folder: Path) -> dict[Path, datetime]:
    found: dict[Path, datetime] = {}
    for receipt in read_records(_receipts(folder), Receipt):
        path = folder / receipt.file
        found[path] = min(receipt.received, found.get(path, receipt.received))
    return dict(sorted(found.items(), key=lambda entry: (entry[1], entry[0].name)))
