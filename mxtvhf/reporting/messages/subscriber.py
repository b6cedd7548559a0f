"""Read the stream of the messages from a time on, also across restarts of NATS."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import suppress
from datetime import datetime

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, Header

from mxtvhf.errors import Retriable
from mxtvhf.reporting.messages.model import SUBJECTS
from mxtvhf.reporting.messages.publisher import STREAM, ensure_stream

IDLE_S = 1.0
"""Time without a message after which NATS is asked whether the consumer still exists."""

REMEMBERED = 1000
"""Number of message ids that are remembered to recognise duplicates."""


async def follow(
    client: Client, *, burst_id: str | None = None, since: datetime | None = None, live: bool = True
) -> AsyncGenerator[bytes]:
    """Yield the messages of the stream in order, each once.

    Parameters
    ----------
    client
        From `mxtvhf.reporting.messages.connection.connect`.
    burst_id
        Burst of the messages; None for all bursts.
    since
        Earliest time of storage, UTC; None for all messages of the stream.
    live
        True to wait for further messages, False to end with the last stored one.

    Raises
    ------
    Retriable
        The client is closed, since the server refused it, or NATS has no JetStream.
    """
    subject = f"{SUBJECTS}.{burst_id}.>" if burst_id else f"{SUBJECTS}.>"
    js, last = client.jetstream(timeout=5), 0
    ids: deque[str | None] = deque(maxlen=REMEMBERED)
    try:
        await ensure_stream(js)
    except (Error, TimeoutError) as error:
        raise Retriable(f"NATS JetStream, stream {STREAM}: {error}") from error
    while True:
        try:
            async for message in _messages(js, subject, last, since):
                if message is None and not live:
                    return
                if message is not None:
                    last = message.metadata.sequence.stream
                    # If a publisher was killed before the acknowledgement, NATS may store a message twice.
                    identity = (message.headers or {}).get(Header.MSG_ID.value)
                    if identity is None or identity not in ids:
                        ids.append(identity)
                        yield message.data
        except (Error, TimeoutError) as error:
            # A restarted NATS has lost this consumer: continue after the last message.
            if client.is_closed or not live:
                raise Retriable(f"NATS JetStream, stream {STREAM}: {error}") from error
            await asyncio.sleep(IDLE_S)


async def _messages(
    js: JetStreamContext, subject: str, last: int, since: datetime | None
) -> AsyncGenerator[Msg | None]:
    """Yield the messages after number ``last`` while the consumer exists; None if there is none now."""
    reader = await js.pull_subscribe(subject, stream=STREAM, config=_start(last, since))
    waiting = (await reader.consumer_info()).num_pending
    try:
        while True:
            if not waiting:
                yield None
            try:
                (message,) = await reader.fetch(1, timeout=IDLE_S)
            except TimeoutError:
                waiting = (await reader.consumer_info()).num_pending
                continue
            waiting = message.metadata.num_pending
            yield message
    finally:
        with suppress(Error):
            await reader.unsubscribe()


def _start(last: int, since: datetime | None) -> ConsumerConfig:
    config = ConsumerConfig(ack_policy=AckPolicy.NONE, deliver_policy=DeliverPolicy.ALL)
    if last:
        return config.evolve(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=last + 1)
    if since is not None:
        return config.evolve(deliver_policy=DeliverPolicy.BY_START_TIME, opt_start_time=since)
    return config
