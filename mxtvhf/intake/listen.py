"""``mxtvhf listen``: the sources that are configured, each in a thread, and one intake."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType

from mxtvhf.archive.archive import Archive
from mxtvhf.archive.stream_gaps import StreamGap
from mxtvhf.errors import Failure, InvalidInput
from mxtvhf.intake.gcn_kafka import GcnAccess, GcnKafka
from mxtvhf.intake.inbox import Inbox
from mxtvhf.intake.intake import Intake
from mxtvhf.intake.nats_stream import NatsStream
from mxtvhf.intake.signatures import check_signature, trusted_keys
from mxtvhf.intake.spool import ReceivedMessage
from mxtvhf.models.files import sha256_of
from mxtvhf.reporting.messages import IntakeMessage, Outbox
from mxtvhf.reporting.messages.publisher import forward_until
from mxtvhf.settings import Settings
from mxtvhf.workflow.airflow_api import AirflowApi

log = logging.getLogger(__name__)

Work = Callable[[threading.Event], None]


def listen(settings: Settings, api: AirflowApi) -> None:
    """Take in alerts and packets until SIGINT or SIGTERM; several may run on one archive.

    Parameters
    ----------
    settings
        Name the archive, the inbox, and NATS and GCN where they are to be heard.
    api
        The Airflow that runs.

    Raises
    ------
    InvalidInput
        A URL or a file of credentials is wrong.
    Failure
        A part ended by a fault of ours: better to be started again as a whole than half deaf.
    """
    stop = threading.Event()

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask_to_stop)
    notes = IntakeNotes(settings)
    intake = Intake(Archive(settings.archive), api, settings.intake, notes.quarantined)
    failed: list[str] = []
    threads = [
        threading.Thread(target=_watched, args=(name, work, stop, failed), name=name)
        for name, work in {"intake": intake.run, **others(settings, intake, notes)}.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise Failure(f"listen: ended by a fault of {', '.join(failed)}; nothing that was kept is lost")


class IntakeNotes:
    """What the intake has to tell the world: laid into the outbox, where NATS is configured."""

    def __init__(self, settings: Settings) -> None:
        self._outbox = Outbox(settings.outbox) if settings.nats_url is not None else None

    def quarantined(self, message: ReceivedMessage, reason: str) -> None:
        """Tell of a message that could not be read."""
        digest = sha256_of(message.raw)
        self._put(IntakeMessage(what="quarantined", source=message.source, reason=reason, sha256=digest))

    def lost(self, gap: StreamGap) -> None:
        """Tell of a loss inside a stream."""
        reason = f"messages {gap.first}..{gap.last}: {gap.cause}"
        self._put(IntakeMessage(what="gap", source=gap.stream, reason=reason, lost=gap.messages))

    def _put(self, message: IntakeMessage) -> None:
        if self._outbox is not None:
            self._outbox.put(message)


def others(settings: Settings, intake: Intake, notes: IntakeNotes) -> dict[str, Work]:
    """Return what is to be heard, and where NATS is, what is to be told."""
    found: dict[str, Work] = {"inbox": Inbox(settings.inbox, intake.keep).run}
    if settings.nats_url is not None:
        url, credentials = settings.nats_url, settings.nats_credentials
        keep = gate(intake, settings.nats_trusted_keys)
        found["NATS"] = NatsStream(url, credentials, settings.archive, keep, notes.lost).run
        found["messages out"] = partial(forward_until, settings.outbox, url, credentials)
    if settings.gcn_credentials is not None:
        found["GCN"] = GcnKafka(GcnAccess.from_file(settings.gcn_credentials), intake.keep).run
    return found


def gate(intake: Intake, keys_file: Path | None) -> Callable[[ReceivedMessage], None]:
    """Return what keeps a message of NATS: with trusted keys only what one of them signed is looked at.

    Raises
    ------
    InvalidInput
        The file of the keys is none.
    """
    if keys_file is None:
        return intake.keep
    keys = trusted_keys(keys_file)

    def keep_signed(message: ReceivedMessage) -> None:
        try:
            check_signature(message.raw, message.signature, keys)
        except InvalidInput as error:
            intake.refuse(message, f"{message.source}: {error}")
        else:
            intake.keep(message)

    return keep_signed


def _watched(name: str, work: Work, stop: threading.Event, failed: list[str]) -> None:
    try:
        work(stop)
    except Exception:
        log.exception("%s: ended by a fault", name)
        failed.append(name)
    finally:
        stop.set()
