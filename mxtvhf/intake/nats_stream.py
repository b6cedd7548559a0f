"""A source: NATS JetStream, through one durable consumer that all intakes share."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

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
"""Notices and packets are published below these subjects, e.g. ``mxtvhf.in.packets.<station>``."""
DURABLE = "mxtvhf-listen"
BATCH, FETCH_S, ACK_WAIT_S = 50, 1.0, 30.0
RETRY_S, ANSWER_S = 1.0, 2.0
KEPT_DAYS = 30


class NatsStream:
    """Takes messages from the stream: kept durably, noted in the ledger, then acknowledged.

    Parameters
    ----------
    url, credentials, tls
        As in `mxtvhf.reporting.messages.connection.connect`.
    archive_root
        Where the ledger lies.
    keep
        Keeps a message durably, as `Intake.keep`.
    on_gap
        Told of every noticed loss.
    audit_s
        Seconds between two comparisons of the stream with what arrived.
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
    ) -> None:
        self._url, self._credentials, self._tls = url, credentials, tls
        self._archive_root = archive_root
        self._keep = keep
        self._on_gap = on_gap
        self._audit_s = audit_s

    def run(self, stop: threading.Event, works: Callable[[], None] = lambda: None) -> None:
        """Take messages until ``stop`` is set; for a thread of its own.

        Parameters
        ----------
        stop
            Ends the work.
        works
            Called whenever messages were taken, or an audit after the first one found all in order.

        Raises
        ------
        InvalidInput
            The URL, a certificate or the file of the credentials is wrong.
        Retriable
            The server cannot be reached, or the connection broke: start again, subscription included.
        OSError
            A message cannot be kept; it is not acknowledged.
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
        """Fetch until the client breaks: then a new one takes first what was on its way to this one.

        A pull subscription can be dead after a restart of the server without an error (nats.py issue 504),
        and so can the client's reader after a message that it cannot parse: silence is answered by a
        question to the server and by an audit, and messages that are pending in spite of it by a new start.
        """
        js = client.jetstream()
        await _set_up(js)
        ledger = await self._ledger(js)
        await self._audit(js, ledger)
        await self._take_by_number(client, js, ledger, with_undelivered=has_broken)
        subscription = await js.pull_subscribe_bind(DURABLE, STREAM)
        audited = asyncio.get_running_loop().time()
        while not stop.is_set():
            try:
                messages = await subscription.fetch(BATCH, timeout=FETCH_S)
            except (TimeoutError, nats.errors.TimeoutError):
                messages = []
            await self._receive_all(messages, ledger)
            if messages:
                works()
            if len(messages) < BATCH and not await _is_reading(client):
                return
            if asyncio.get_running_loop().time() - audited >= self._audit_s:
                pending = await self._audit(js, ledger)
                if pending and not messages:
                    raise Retriable(f"{pending} messages pending but none is delivered")
                audited = asyncio.get_running_loop().time()
                works()

    async def _receive_all(self, messages: list[Msg], ledger: StreamLedger) -> None:
        for index, message in enumerate(messages):
            try:
                await self._receive(message, ledger)
            except nats.errors.NotJSMessageError:
                log.warning("NATS: ignored a message that is not of the stream: %s", escaped(message.subject))
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
        """Take by its number what was delivered and never acknowledged, and acknowledge it.

        It was delivered to a client that ended, or that cannot parse it: a subject may be any bytes. The
        server would deliver it again after `ACK_WAIT_S`, and break the client again. Where one message broke
        a client, what is behind it in the stream is taken, too: others of its kind hold it up no longer. What
        was not delivered yet will be, and is then filed a second time, which changes nothing.
        """
        info, consumer = await js.stream_info(STREAM), await js.consumer_info(STREAM, DURABLE)
        done = consumer.ack_floor.stream_seq if consumer.ack_floor else 0
        last = consumer.delivered.stream_seq if consumer.delivered else 0
        if with_undelivered:
            last = info.state.last_seq
        first = max(1, info.state.first_seq, done + 1)
        missing = set(ledger.missing(first, last))
        for number in range(first, last + 1):
            if number not in missing or await self._fetch_again(js, ledger, number):
                await client.publish(_ack_subject(number), Msg.Ack.Ack)

    async def _ledger(self, js: JetStreamContext) -> StreamLedger:
        info = await js.stream_info(STREAM)
        return StreamLedger(self._archive_root, STREAM, info.created or datetime.fromtimestamp(0, UTC))

    async def _audit(self, js: JetStreamContext, ledger: StreamLedger) -> int:
        """Compare the stream with what arrived; return the number of messages that wait for delivery."""
        info, consumer = await js.stream_info(STREAM), await js.consumer_info(STREAM, DURABLE)
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
        """Tell whether the newest message that arrived is still the stream's, or has left it by its age."""
        if number < first:
            return True
        try:
            message = await js.get_msg(STREAM, number)
        except NotFoundError:
            return False
        return ledger.agrees(number, message.data or b"")

    async def _read_again(self, js: JetStreamContext, ledger: StreamLedger, newest: int, last: int) -> None:
        """Read the whole stream once more: what is known is kept once, what took old numbers is new."""
        self._lose(ledger, min(last + 1, newest), newest, "the stream lost its end")
        ledger.start_anew()
        await js.delete_consumer(STREAM, DURABLE)
        await _set_up(js)

    async def _fetch_again(self, js: JetStreamContext, ledger: StreamLedger, number: int) -> bool:
        try:
            message = await js.get_msg(STREAM, number)
        except NotFoundError:
            return False
        raw = message.data or b""
        signature = (message.headers or {}).get(HEADER)
        received = ReceivedMessage(
            raw,
            f"NATS {message.subject}, fetched again",
            datetime.now(UTC),
            None if signature is None else str(signature),  # where it is not ASCII, the parser gives no str
        )
        await asyncio.to_thread(self._keep, received)
        await asyncio.to_thread(ledger.note, number, raw)
        return True

    def _lose(self, ledger: StreamLedger, first: int, last: int, cause: str) -> None:
        gap = ledger.lose(first, last, cause)
        log.error("NATS stream %s: messages %d..%d never arrived: %s", STREAM, first, last, cause)
        self._on_gap(gap)


async def _set_up(js: JetStreamContext) -> None:
    """Make stream and consumer where they are missing; an existing one stays as its owner made it."""
    try:
        await js.stream_info(STREAM)
    except NotFoundError:
        await js.add_stream(StreamConfig(name=STREAM, subjects=[SUBJECTS], max_age=KEPT_DAYS * 86400.0))
    try:
        await js.consumer_info(STREAM, DURABLE)
    except NotFoundError:
        # No limit of deliveries: a message that cannot be kept (disk full) is asked for again for ever, and
        # one that cannot be read is kept all the same.
        await js.add_consumer(
            STREAM,
            ConsumerConfig(
                durable_name=DURABLE,
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=ACK_WAIT_S,
                max_ack_pending=1000,
            ),
        )


async def _is_reading(client: Client) -> bool:
    """Tell whether a client still hears the server, over the connection that it made first.

    A new connection means that messages on their way were lost, which come again only after `ACK_WAIT_S`.
    """
    try:
        await client.jetstream(timeout=ANSWER_S).consumer_info(STREAM, DURABLE)
    except nats.errors.Error as error:
        log.warning("NATS: no answer (%s); connecting anew", str(error) or type(error).__name__)
        return False
    if client.stats["reconnects"]:
        log.warning("NATS: the connection broke, perhaps by a message that cannot be parsed; connecting anew")
        return False
    return True


def _ack_subject(number: int) -> str:
    """Subject on which a message is acknowledged by its number alone.

    Form: ``$JS.ACK.<stream>.<consumer>.<deliveries>.<number>.<delivery>.<time>.<pending>`` (NATS ADR-15);
    with explicit acknowledgement the server goes by the number.
    """
    return f"$JS.ACK.{STREAM}.{DURABLE}.1.{number}.0.0.0"


def _ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Join neighbouring numbers."""
    joined: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if joined and joined[-1][1] == number - 1:
            joined[-1] = (joined[-1][0], number)
        else:
            joined.append((number, number))
    return joined
