"""NATS JetStream source with one durable consumer, which all intakes share."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, StreamConfig
from nats.js.errors import NotFoundError

from mxtvhf.archive.stream_gaps import StreamGap
from mxtvhf.errors import Retriable
from mxtvhf.intake.signatures import HEADER
from mxtvhf.intake.spool import ReceivedMessage
from mxtvhf.intake.stream_ledger import StreamLedger
from mxtvhf.models.text import escaped
from mxtvhf.reporting.messages.connection import connect
from mxtvhf.settings import NatsTls

log = logging.getLogger(__name__)

STREAM, SUBJECTS = "MXTVHF_IN", "mxtvhf.in.>"
"""Subjects of notices and packets, e.g. ``mxtvhf.in.packets.<station>``."""
DURABLE = "mxtvhf-listen"


class Inlet(NamedTuple):
    """A stream that is received, with its consumer."""

    stream: str
    subjects: str
    durable: str


OURS = Inlet(STREAM, SUBJECTS, DURABLE)
OTHER_MISSIONS = Inlet("MXTVHF_SKY", "mxtvhf.sky.>", "mxtvhf-listen-sky")
"""Notices of other missions have a stream of their own, so that a storm of them never delays our messages."""
BATCH, FETCH_S, ACK_WAIT_S = 50, 1.0, 30.0
RETRY_S, ANSWER_S = 1.0, 2.0
KEPT_DAYS = 30


class NatsStream:
    """Receives messages from the stream: stored durably, recorded in the ledger, then acknowledged.

    Parameters
    ----------
    url, credentials, tls
        As in `mxtvhf.reporting.messages.connection.connect`.
    archive_root
        Folder of the archive, which contains the ledger.
    keep
        Stores a message durably, as `Intake.keep`.
    on_gap
        Called with every detected gap.
    audit_s
        Seconds between two comparisons of the stream with the ledger.
    inlet
        The stream.
    """

    def __init__(
        self,
        url: str,
        credentials: Path | None,
        archive_root: Path,
        keep: Callable[[ReceivedMessage], None],
        on_gap: Callable[[StreamGap], None] = lambda gap: None,
        audit_s: float = 10.0,
        *,
        tls: NatsTls | None = None,
        inlet: Inlet = OURS,
    ) -> None:
        self._url, self._credentials, self._tls = url, credentials, tls
        self._archive_root = archive_root
        self._keep = keep
        self._inlet = inlet
        self._on_gap = on_gap
        self._audit_s = audit_s

    def run(self, stop: threading.Event, works: Callable[[], None] = lambda: None) -> None:
        """Receive messages until ``stop`` is set. Needs its own thread.

        Parameters
        ----------
        stop
            Ends the loop.
        works
            Called after messages were received and after each audit but the first.

        Raises
        ------
        InvalidInput
            The URL, a certificate or the file of the credentials is invalid.
        Retriable
            The server is unreachable or the connection broke. A new call makes a new subscription.
        OSError
            A message cannot be stored. It is not acknowledged.
        """
        try:
            asyncio.run(self._run(stop, works))
        except nats.errors.Error as error:
            raise Retriable(f"{self._url}: NATS: {str(error) or type(error).__name__}") from error

    async def _run(self, stop: threading.Event, works: Callable[[], None]) -> None:
        has_broken = False
        while not stop.is_set():
            client = await connect(self._url, self._credentials, tls=self._tls, name="mxtvhf listen")
            try:
                await self._take(client, stop, works, has_broken)
            finally:
                await client.close()
            has_broken = True

    async def _take(
        self, client: Client, stop: threading.Event, works: Callable[[], None], has_broken: bool
    ) -> None:
        """Receive messages until the client breaks. The next client first takes what this one had in flight.

        A pull subscription can be dead after a restart of the server without an error (nats.py issue 504).
        The reader of the client can be dead after a message that it cannot parse. An incomplete batch
        therefore triggers a request to the server, and an audit that finds pending messages restarts
        the source.
        """
        js = client.jetstream()
        await _set_up(js, self._inlet)
        ledger = await self._ledger(js)
        await self._audit(js, ledger)
        await self._take_by_number(client, js, ledger, with_undelivered=has_broken)
        subscription = await js.pull_subscribe_bind(self._inlet.durable, self._inlet.stream)
        audited = asyncio.get_running_loop().time()
        while not stop.is_set():
            try:
                messages = await subscription.fetch(BATCH, timeout=FETCH_S)
            except (TimeoutError, nats.errors.TimeoutError):
                messages = []
            await self._receive_all(messages, ledger)
            if messages:
                works()
            if len(messages) < BATCH and not await _is_reading(client, self._inlet):
                return
            if asyncio.get_running_loop().time() - audited >= self._audit_s:
                pending = await self._audit(js, ledger)
                if pending and not messages:
                    raise Retriable(
                        f"NATS stream {self._inlet.stream}: {pending} messages pending, none delivered"
                    )
                audited = asyncio.get_running_loop().time()
                works()

    async def _receive_all(self, messages: list[Msg], ledger: StreamLedger) -> None:
        for index, message in enumerate(messages):
            try:
                await self._receive(message, ledger)
            except nats.errors.NotJSMessageError:
                log.warning("NATS: message outside the stream ignored: %s", escaped(message.subject))
            except OSError:
                for rest in messages[index:]:
                    await rest.nak(delay=RETRY_S)
                raise

    async def _receive(self, message: Msg, ledger: StreamLedger) -> None:
        number, signature = message.metadata.sequence.stream, (message.headers or {}).get(HEADER)
        received = ReceivedMessage(message.data, f"NATS {message.subject}", datetime.now(UTC), signature)
        await asyncio.to_thread(self._keep, received)
        await asyncio.to_thread(ledger.note, number, message.data)
        await message.ack()

    async def _take_by_number(
        self, client: Client, js: JetStreamContext, ledger: StreamLedger, *, with_undelivered: bool
    ) -> None:
        """Fetch by number the messages that were delivered but not acknowledged, and acknowledge them.

        The client that received them ended, or could not parse them, because a subject may contain any bytes.
        The server would deliver such a message again after `ACK_WAIT_S` and break the next client. If a
        client broke, the undelivered messages are fetched as well, so that more messages of this kind
        cannot block the stream. The server still delivers these; storing them twice has no effect.
        """
        info, consumer = (
            await js.stream_info(self._inlet.stream),
            await js.consumer_info(self._inlet.stream, self._inlet.durable),
        )
        done = consumer.ack_floor.stream_seq if consumer.ack_floor else 0
        last = consumer.delivered.stream_seq if consumer.delivered else 0
        if with_undelivered:
            last = info.state.last_seq
        first = max(1, info.state.first_seq, done + 1)
        missing = set(ledger.missing(first, last))
        for number in range(first, last + 1):
            if number not in missing or await self._fetch_again(js, ledger, number):
                await client.publish(_ack_subject(number, self._inlet), Msg.Ack.Ack)

    async def _ledger(self, js: JetStreamContext) -> StreamLedger:
        info = await js.stream_info(self._inlet.stream)
        return StreamLedger(
            self._archive_root, self._inlet.stream, info.created or datetime.fromtimestamp(0, UTC)
        )

    async def _audit(self, js: JetStreamContext, ledger: StreamLedger) -> int:
        """Compare the stream with the ledger and return the number of messages pending delivery."""
        info, consumer = (
            await js.stream_info(self._inlet.stream),
            await js.consumer_info(self._inlet.stream, self._inlet.durable),
        )
        newest = ledger.newest()
        if newest is not None and not await self._still_there(js, ledger, newest, info.state.first_seq):
            await self._read_again(js, ledger, newest, info.state.last_seq)
            return 0
        done = consumer.ack_floor.stream_seq if consumer.ack_floor else 0
        missing = ledger.missing(max(1, info.state.first_seq), done)
        lost = [number for number in missing if not await self._fetch_again(js, ledger, number)]
        for first, last in _ranges(lost):
            self._lose(ledger, first, last, "unreadable in the stream")
        return consumer.num_pending or 0

    async def _still_there(self, js: JetStreamContext, ledger: StreamLedger, number: int, first: int) -> bool:
        """Return True if the stream still has the newest received message, or has expired it by age."""
        if number < first:
            return True
        try:
            message = await js.get_msg(self._inlet.stream, number)
        except NotFoundError:
            return False
        return ledger.agrees(number, message.data or b"")

    async def _read_again(self, js: JetStreamContext, ledger: StreamLedger, newest: int, last: int) -> None:
        """Read the whole stream again, because new messages have reused the numbers of lost ones."""
        self._lose(ledger, min(last + 1, newest), newest, "the stream lost its end")
        ledger.start_anew()
        await js.delete_consumer(self._inlet.stream, self._inlet.durable)
        await _set_up(js, self._inlet)

    async def _fetch_again(self, js: JetStreamContext, ledger: StreamLedger, number: int) -> bool:
        try:
            message = await js.get_msg(self._inlet.stream, number)
        except NotFoundError:
            return False
        raw = message.data or b""
        signature = (message.headers or {}).get(HEADER)
        received = ReceivedMessage(
            raw,
            f"NATS {message.subject}, fetched again",
            datetime.now(UTC),
            None if signature is None else str(signature),  # a non-ASCII header is not a str
        )
        await asyncio.to_thread(self._keep, received)
        await asyncio.to_thread(ledger.note, number, raw)
        return True

    def _lose(self, ledger: StreamLedger, first: int, last: int, cause: str) -> None:
        gap = ledger.lose(first, last, cause)
        log.error("NATS stream %s: messages %d..%d lost: %s", self._inlet.stream, first, last, cause)
        self._on_gap(gap)


async def _set_up(js: JetStreamContext, inlet: Inlet = OURS) -> None:
    """Create the stream and the consumer if they are missing. Existing ones are left unchanged."""
    try:
        await js.stream_info(inlet.stream)
    except NotFoundError:
        await js.add_stream(
            StreamConfig(name=inlet.stream, subjects=[inlet.subjects], max_age=KEPT_DAYS * 86400.0)
        )
    try:
        await js.consumer_info(inlet.stream, inlet.durable)
    except NotFoundError:
        # No limit of deliveries: a message that cannot be stored (disk full) is delivered again until it can
        # be. An unreadable message is stored like any other.
        await js.add_consumer(
            inlet.stream,
            ConsumerConfig(
                durable_name=inlet.durable,
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=ACK_WAIT_S,
                max_ack_pending=1000,
            ),
        )


async def _is_reading(client: Client, inlet: Inlet) -> bool:
    """Return True if the server answers the client on its first connection.

    After a reconnection, messages in flight were lost, and the server delivers them only after `ACK_WAIT_S`.
    """
    try:
        await client.jetstream(timeout=ANSWER_S).consumer_info(inlet.stream, inlet.durable)
    except nats.errors.Error as error:
        log.warning("NATS: no answer (%s); reconnecting", str(error) or type(error).__name__)
        return False
    if client.stats["reconnects"]:
        log.warning("NATS: connection lost, possibly by a message that cannot be parsed; reconnecting")
        return False
    return True


def _ack_subject(number: int, inlet: Inlet) -> str:
    """Return the subject that acknowledges a message by its stream sequence number alone.

    The form is ``$JS.ACK.<stream>.<consumer>.<deliveries>.<number>.<delivery>.<time>.<pending>`` (NATS
    ADR-15). With explicit acknowledgement the server uses only the number.
    """
    return f"$JS.ACK.{inlet.stream}.{inlet.durable}.1.{number}.0.0.0"


def _ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Return the inclusive ranges of consecutive numbers."""
    joined: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if joined and joined[-1][1] == number - 1:
            joined[-1] = (joined[-1][0], number)
        else:
            joined.append((number, number))
    return joined
