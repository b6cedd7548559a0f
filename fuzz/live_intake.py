"""Fuzz the whole intake with scripts of inputs, disk damage and Airflow answers.

A script consists of actions separated by `SEPARATOR`. The first byte of an action selects one of `ACTS`; the
rest holds its arguments, separated by NUL bytes. Any bytes are a valid script.

After the script, Airflow works again and a valid notice of another burst arrives. It must get exactly one
run, and unreadable inputs may only be moved to quarantine. An error that the intake logs as internal is a
finding.
"""

from __future__ import annotations

import io
import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from requests.adapters import BaseAdapter

from mxtvhf.archive.archive import Archive
from mxtvhf.archive.stream_gaps import read_gaps
from mxtvhf.intake.inbox import SUFFIXES, Inbox
from mxtvhf.intake.intake import Intake
from mxtvhf.intake.listen import gate
from mxtvhf.intake.planned import planned_runs
from mxtvhf.intake.spool import ReceivedMessage
from mxtvhf.intake.stream_ledger import StreamLedger
from mxtvhf.models.text import LineFormatter
from mxtvhf.notices.alert import Alert
from mxtvhf.operation.health import health
from mxtvhf.settings import Settings
from mxtvhf.simulator.notices import write_notice
from mxtvhf.workflow.airflow_api import AirflowApi

SEPARATOR = b"\n%%\n"
BURST, SOUND_BURST = "sb26051102", "sb27010101"
NOW = datetime(2027, 1, 1, 12, tzinfo=UTC)
MOST_ACTS = 12
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108


def live_intake(raw: bytes) -> None:
    """Execute a script, then check that a valid notice gets its run."""
    # In memory if possible, since each message is synced to disk several times.
    with tempfile.TemporaryDirectory(prefix="mxtvhf-fuzz-", dir=MEMORY) as folder, _findings():
        stage = Stage(Path(folder))
        for act in raw.split(SEPARATOR)[:MOST_ACTS]:
            if act:
                name = sorted(ACTS)[act[0] % len(ACTS)]
                ACTS[name](stage, act[1:])
        stage.end()


class Stage:
    """An installation in a folder, with a simulated Airflow whose answers are set by the script."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(state=folder)
        self.airflow = OddAirflow()
        self.now = NOW
        self.begin()

    def begin(self) -> None:
        """Start a listener on the files of the installation."""
        api = AirflowApi("http://airflow.invalid", "admin", "x")
        api._session.mount("http://", self.airflow)
        api._session.mount("https://", self.airflow)
        self.archive = Archive(self.settings.archive)
        self.intake = Intake(self.archive, api, self.settings.intake, self.settings.products)
        self.inbox = Inbox(self.settings.inbox, self.intake.keep, self.intake.refuse)
        self.settings.inbox.mkdir(parents=True, exist_ok=True)
        self.ledger = StreamLedger(self.archive.root, "STREAM", NOW)

    def round(self, seconds: float) -> None:
        """Scan the inbox until its files are accepted, and run the intake once."""
        self.now += timedelta(seconds=seconds)
        for _ in range(2):
            self.inbox.scan()
        self.intake.round(lambda: self.now)

    def end(self) -> None:
        """Check that a valid notice still gets its run."""
        if self.archive.has(SOUND_BURST):  # the script contains this burst
            return
        self.airflow.answers.clear()
        self.begin()
        (self.settings.inbox / "sound.xml").write_bytes(sound_notice(SOUND_BURST))
        for _ in range(3):
            self.round(60.0)
        started = [run for run, _ in planned_runs(self.archive, SOUND_BURST)]
        if len(started) != 1 or self.airflow.started.count(started[0].run_id) != 1:
            raise AssertionError(f"runs of the sound notice: {started}, asked for {self.airflow.started}")
        if (self.settings.inbox / "sound.xml").exists():
            raise AssertionError("the sound notice is still in the inbox")
        health(self.settings, {"scheduler": "healthy"}, None)
        list(read_gaps(self.archive.root))
        self.archive.quarantined()


class OddAirflow(BaseAdapter):
    """A simulation of Airflow's REST API that returns each prepared answer once, then valid ones."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[tuple[int, bytes]] = []
        self.started: list[str] = []

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        """Return the answer to a request."""
        answer = requests.Response()
        answer.request, answer.url = request, request.url or ""
        answer.status_code, body = self.answers.pop(0) if self.answers else self._sound(request)
        answer.headers["Location"] = body[:100].decode("latin-1")
        answer.raw = io.BytesIO(body)
        return answer

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def _sound(self, request: requests.PreparedRequest) -> tuple[int, bytes]:
        if request.path_url == "/auth/token":
            return 201, b'{"access_token": "t"}'
        if request.method == "POST":
            self.started.append(json.loads(request.body or b"{}")["dag_run_id"])
        return 200, b'{"state": "running", "conf": {}}'


def file(stage: Stage, arguments: bytes) -> None:
    """Drop a file into the inbox. Arguments: name, content; without content it is a valid notice."""
    name, _, content = arguments.partition(b"\0")
    parts = [part for part in name.split(b"/") if part not in (b"", b".", b"..")] or [b"a.xml"]
    path = stage.settings.inbox.joinpath(*map(os.fsdecode, parts))
    if not path.name.lower().endswith(SUFFIXES):
        path = path.with_name(f"{path.name}.xml")
    with suppress(OSError):  # this system has no such name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content or sound_notice(BURST))


def message(stage: Stage, arguments: bytes) -> None:
    """Receive a NATS message without trusted keys. Arguments: subject, signature, content."""
    subject, signature, content = _three(arguments)
    _keep(stage, None, subject, signature, content)


def signed_message(stage: Stage, arguments: bytes) -> None:
    """Receive a NATS message if only signed messages are accepted. Arguments as for `message`."""
    subject, signature, content = _three(arguments)
    keys = stage.settings.state / "keys.pem"
    keys.write_bytes(_public_key())
    _keep(stage, keys, subject, signature, content)


def waiting_file(stage: Stage, arguments: bytes) -> None:
    """Write a file to the spool. Arguments: name, content."""
    name, _, content = arguments.partition(b"\0")
    with suppress(OSError):
        (stage.intake.incoming.folder / os.fsdecode(name.replace(b"/", b"_") + b".msg")).write_bytes(content)


def kept_file(stage: Stage, arguments: bytes) -> None:
    """Damage a file of the archive. Arguments: number of the file, kind of damage, content."""
    files = sorted(path for path in stage.archive.root.rglob("*") if path.is_file())
    if not files or len(arguments) < 2:
        return
    path, manner, content = files[arguments[0] % len(files)], arguments[1] % 5, arguments[2:]
    if manner == 0:
        path.write_bytes(content)
    elif manner == 1:
        path.write_bytes(path.read_bytes() + content)
    elif manner == 2:
        path.write_bytes(path.read_bytes()[: len(content)])
    elif manner == 3:
        path.unlink()
    else:
        path.unlink()
        path.mkdir()


def answer(stage: Stage, arguments: bytes) -> None:
    """Prepare an answer of Airflow. Arguments: HTTP status minus 200, body."""
    stage.airflow.answers.append((200 + int.from_bytes(arguments[:2], "big") % 400, arguments[2:]))


def pause(stage: Stage, arguments: bytes) -> None:
    """Advance the time by 10 s times the first byte, and run the listener once."""
    stage.round(10.0 * (arguments[0] if arguments else 0))


def restart(stage: Stage, arguments: bytes) -> None:
    """Start the listener again."""
    stage.begin()


def note(stage: Stage, arguments: bytes) -> None:
    """Record a message in the ledger and query the missing ones."""
    stage.ledger.note(arguments[0] if arguments else 0, arguments[1:])
    stage.ledger.missing(1, stage.ledger.newest() or 0)


ACTS: Mapping[str, Callable[[Stage, bytes], None]] = {
    act.__name__: act
    for act in (file, message, signed_message, waiting_file, kept_file, answer, pause, restart, note)
}


def act_bytes(act: Callable[[Stage, bytes], None], arguments: bytes = b"") -> bytes:
    """Return an action as part of a script."""
    return bytes([sorted(ACTS).index(act.__name__)]) + arguments


@cache
def sound_notice(burst_id: str) -> bytes:
    """Return a valid notice of a burst."""
    return write_notice(
        Alert(
            ivorn=f"ivo://org.svom/fsc#{burst_id}_eclairs-wakeup",
            burst_id=burst_id,
            notice_type="eclairs-wakeup",
            packet_type=202,
            notice_level="N1e",
            instrument="ECLAIRs",
            role="test",
            published=None,
            event_time=NOW,
            position=None,
            attitude=None,
            snr=9.0,
        )
    )


def _keep(stage: Stage, keys: Path | None, subject: bytes, signature: bytes, content: bytes) -> None:
    source = f"NATS {subject.decode(errors='surrogateescape')}"
    header = signature.decode(errors="surrogateescape") or None
    gate(stage.intake, keys)(ReceivedMessage(content or sound_notice(BURST), source, stage.now, header))


def _three(arguments: bytes) -> tuple[bytes, bytes, bytes]:
    first, _, rest = arguments.partition(b"\0")
    second, _, third = rest.partition(b"\0")
    return first, second, third


class _Findings(logging.Handler):
    """A log handler that collects the internal errors of the intake."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(LineFormatter())
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Collect the exception of a record."""
        self.format(record).encode()  # a record that cannot be encoded is an error, too
        if record.exc_info and record.exc_info[1] is not None:
            self.errors.append(record.exc_info[1])


@contextmanager
def _findings() -> Iterator[None]:
    logger, handler = logging.getLogger("mxtvhf"), _Findings()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
    for error in handler.errors:
        raise error


@cache
def _public_key() -> bytes:
    key = Ed25519PrivateKey.generate().public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
