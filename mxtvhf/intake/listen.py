"""The program ``mxtvhf listen``: the configured sources, each in its own thread, and one intake."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from mxtvhf.archive.archive import Archive
from mxtvhf.archive.stream_gaps import StreamGap
from mxtvhf.errors import InvalidInput
from mxtvhf.instrument.time import utc_from_met
from mxtvhf.intake.gcn_circulars import name_from_circular
from mxtvhf.intake.gcn_kafka import GcnAccess, GcnKafka
from mxtvhf.intake.inbox import Inbox, OtherMissionsInbox
from mxtvhf.intake.intake import Intake
from mxtvhf.intake.nats_stream import OTHER_MISSIONS, NatsStream
from mxtvhf.intake.open_questions import OpenQuestions
from mxtvhf.intake.parts import Part, Work
from mxtvhf.intake.signatures import check_signature, trusted_keys
from mxtvhf.intake.spool import ReceivedMessage
from mxtvhf.models.files import sha256_of
from mxtvhf.notification.notifier import OWN_PART, Notifier
from mxtvhf.reporting.messages import IntakeMessage, Outbox
from mxtvhf.reporting.messages.publisher import forward_until
from mxtvhf.settings import Settings
from mxtvhf.workflow.airflow_api import AirflowApi


def listen(settings: Settings, api: AirflowApi, heartbeat: Path | None = None) -> None:
    """Receive notices and packets until SIGINT or SIGTERM. Several listeners may share one archive.

    Each part runs on its own. A part that fails, for example because of a wrong URL, is restarted after
    growing pauses and shown by `mxtvhf health`; the other parts continue.

    Parameters
    ----------
    settings
        Paths of the archive and the inbox, and the access to NATS and GCN if they are used.
    api
        Client of the Airflow that runs the DAGs.
    heartbeat
        As for `Intake`.

    Raises
    ------
    OSError
        The archive cannot be created.
    """
    stop = threading.Event()

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask_to_stop)
    # The kernel sends SIGIO if a process opens a file under the inbox's lease; by default it ends ours.
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    utc_from_met(0.0)  # reads the leap seconds, so that the first packets need not wait for them
    notes = IntakeNotes(settings)
    intake = Intake(
        Archive(settings.archive), api, settings.intake, settings.products, notes.quarantined, heartbeat
    )
    works = parts_of(settings, api, intake, notes)
    parts = [Part(name, work, settings.archive) for name, work in works.items()]
    threads = [threading.Thread(target=part.run, args=(stop,), name=part.name) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class IntakeNotes:
    """Messages about the intake, queued in the outbox if NATS is configured."""

    def __init__(self, settings: Settings) -> None:
        self._outbox = Outbox(settings.outbox) if settings.nats_url is not None else None

    def quarantined(self, message: ReceivedMessage, reason: str) -> None:
        """Queue a message about an input that went to quarantine."""
        digest = sha256_of(message.raw)
        self._put(IntakeMessage(what="quarantined", source=message.source, reason=reason, sha256=digest))

    def lost(self, gap: StreamGap) -> None:
        """Queue a message about messages lost in a stream."""
        reason = f"messages {gap.first}..{gap.last}: {gap.cause}"
        self._put(IntakeMessage(what="gap", source=gap.stream, reason=reason, lost=gap.messages))

    def _put(self, message: IntakeMessage) -> None:
        if self._outbox is not None:
            self._outbox.put(message)


def parts_of(settings: Settings, api: AirflowApi, intake: Intake, notes: IntakeNotes) -> dict[str, Work]:
    """Return the parts of the listener by name: intake, sources, notifier and publisher.

    Each part reads its files of keys and credentials when it starts, so that an invalid file stops only that
    part.
    """
    found: dict[str, Work] = {
        "intake": intake.run,
        "inbox": Inbox(settings.inbox, intake.keep, intake.refuse).run,
        "inbox other missions": OtherMissionsInbox(
            settings.inbox, intake.keep, intake.refuse, lambda: intake.sky.precedence.pause_s
        ).run,
        "other missions": intake.sky.run,
        "open questions": OpenQuestions(intake.archive, settings.products, api.separate()).run,
    }
    if (policy := settings.notification) is not None:
        found[OWN_PART] = Notifier(settings, policy).run
    if (url := settings.nats_url) is not None:

        def hear_nats(stop: threading.Event, works: Callable[[], None]) -> None:
            keep = gate(intake, settings.nats_trusted_keys)
            stream = NatsStream(
                url, settings.nats_credentials, settings.archive, keep, notes.lost, tls=settings.nats_tls
            )
            stream.run(stop, works)

        def hear_sky(stop: threading.Event, works: Callable[[], None]) -> None:
            keep = intake.sky.slowly(gate(intake, settings.nats_trusted_keys), stop)
            stream = NatsStream(
                url,
                settings.nats_credentials,
                settings.archive,
                keep,
                notes.lost,
                tls=settings.nats_tls,
                inlet=OTHER_MISSIONS,
            )
            stream.run(stop, works)

        def publish(stop: threading.Event, works: Callable[[], None]) -> None:
            forward_until(settings.outbox, url, settings.nats_credentials, stop, works, tls=settings.nats_tls)

        found["NATS"], found["NATS other missions"] = hear_nats, hear_sky
        found["messages out"] = publish
    if (credentials := settings.gcn_credentials) is not None:

        def hear_gcn(stop: threading.Event, works: Callable[[], None]) -> None:
            def read_circular(raw: bytes) -> None:
                name_from_circular(raw, intake.archive, settings.releases, now=datetime.now(UTC))

            GcnKafka(GcnAccess.from_file(credentials), intake.keep, read_circular).run(stop, works)

        def hear_other_missions(stop: threading.Event, works: Callable[[], None]) -> None:
            # A consumer of its own: a storm of these notices must not delay those of SVOM.
            keep = intake.sky.slowly(intake.keep, stop)
            GcnKafka(GcnAccess.from_file(credentials).of_other_missions(), keep).run(stop, works)

        found["GCN"], found["GCN other missions"] = hear_gcn, hear_other_missions
    return found


def gate(intake: Intake, keys_file: Path | None) -> Callable[[ReceivedMessage], None]:
    """Return the function that stores a NATS message.

    With trusted keys, the function puts every message without a valid signature into quarantine.

    Raises
    ------
    InvalidInput
        The file of the trusted keys is invalid.
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
