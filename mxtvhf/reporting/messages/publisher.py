"""Publish the outbox to NATS: each message at least once, in order, and once in the stream."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from nats.aio.client import Client
from nats.errors import BadSubjectError, Error, MaxPayloadError
from nats.js import JetStreamContext
from nats.js.api import Header, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NotFoundError

from mxtvhf.errors import InvalidInput, NewerVersion, Retriable
from mxtvhf.models.kept import log_once
from mxtvhf.reporting.messages.connection import connect
from mxtvhf.reporting.messages.model import SUBJECTS, read_message
from mxtvhf.reporting.messages.outbox import Outbox
from mxtvhf.settings import NatsTls

log = logging.getLogger(__name__)

STREAM = "MXTVHF_OUT"
MAX_AGE_S = 30 * 86_400
MAX_BYTES = 256 << 20
"""With about 0.4 kB per message and 10 kB per run, the stream holds about 25 000 runs."""
DUPLICATE_WINDOW_S = 600
"""Time during which NATS recognises a message id."""
MOST_WAITING = 100_000
ROUND_S = 0.05
"""Pause between two checks of the folder."""
STOP_S = 0.1
"""Pause between two checks of the stop event."""
LONGEST_PAUSE_S = 5.0
MESSAGE_TOO_LARGE = 10054
"""JetStream's error code for a message above the size limit of the stream (nats-server, ``errors.json``)."""


def forward_until(
    folder: Path,
    url: str,
    credentials: Path | None,
    stop: threading.Event,
    works: Callable[[], None] = lambda: None,
    *,
    tls: NatsTls | None = None,
) -> None:
    """Connect to NATS and publish the outbox until ``stop`` is set, in a thread of its own.

    ``works`` is called when the connection is established.

    Raises
    ------
    InvalidInput
        The URL, a certificate or the file of the credentials is invalid.
    Retriable
        The server cannot be reached or closed the connection; a later call may succeed.
    """
    asyncio.run(_forward_until(folder, url, credentials, tls, stop, works))


async def _forward_until(
    folder: Path,
    url: str,
    credentials: Path | None,
    tls: NatsTls | None,
    stop: threading.Event,
    works: Callable[[], None],
) -> None:
    over = asyncio.Event()
    watch = asyncio.create_task(_set_when(stop, over))
    try:
        client = await connect(url, credentials, tls=tls, name="mxtvhf messages out")
        works()
        try:
            await forward_outbox(folder, client, stop=over)
        finally:
            await client.close()
    except Retriable as error:
        Outbox(folder).limit(MOST_WAITING)
        raise Retriable(f"messages queued in {folder}: {error}") from error
    await watch


async def _set_when(stop: threading.Event, over: asyncio.Event) -> None:
    # No thread waits for the event, since the end of the loop, and an error, would wait for that thread.
    while not stop.is_set():
        await asyncio.sleep(STOP_S)
    over.set()


async def forward_outbox(
    folder: Path, client: Client, *, stop: asyncio.Event, most_waiting: int = MOST_WAITING
) -> None:
    """Publish the messages of the outbox until ``stop`` is set.

    A file is removed only after NATS has stored its message; while NATS is unavailable, messages stay queued.
    Several publishers may run at once, since NATS recognises recent message ids and keeps the first copy.

    Parameters
    ----------
    folder
        The outbox.
    client
        From `mxtvhf.reporting.messages.connection.connect`.
    stop
        Ends the work after the current message.
    most_waiting
        Number of messages above which the oldest step messages are dropped, with an error in the log.

    Raises
    ------
    Retriable
        The client is closed, since the server refused it; connect again.
    """
    outbox, js = Outbox(folder), client.jetstream(timeout=5)
    pause, last_reason = ROUND_S, ""
    while not stop.is_set():
        outbox.limit(most_waiting)
        if client.is_closed:
            raise Retriable("the connection to NATS was closed")
        try:
            await _publish_waiting(outbox, client, js, stop)
            pause, last_reason = ROUND_S, ""
        except (Error, TimeoutError, OSError) as error:
            pause, reason = min(LONGEST_PAUSE_S, 2 * pause), f"{type(error).__name__}: {error}"
            if reason != last_reason:
                log.warning("NATS unavailable, messages queued in %s: %s", folder, reason)
            last_reason = reason
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)


async def ensure_stream(js: JetStreamContext) -> None:
    """Create the stream of the messages if it is missing; an existing one is not changed."""
    try:
        await js.stream_info(STREAM)
    except NotFoundError:
        await js.add_stream(
            StreamConfig(
                name=STREAM,
                description="Messages of MXT-VHF: runs, steps, reports, announcements, intake",
                subjects=[f"{SUBJECTS}.>"],
                retention=RetentionPolicy.LIMITS,
                storage=StorageType.FILE,
                max_age=MAX_AGE_S,
                max_bytes=MAX_BYTES,
                duplicate_window=DUPLICATE_WINDOW_S,
            )
        )


async def _publish_waiting(outbox: Outbox, client: Client, js: JetStreamContext, stop: asyncio.Event) -> None:
    waiting = outbox.waiting()
    if not waiting or not client.is_connected:
        return
    await ensure_stream(js)
    for path in waiting:
        if stop.is_set() or not client.is_connected:
            return
        await _publish(outbox, path, js)


async def _publish(outbox: Outbox, path: Path, js: JetStreamContext) -> None:
    raw = outbox.read(path)
    if raw is None:
        return
    try:
        message = read_message(raw)
        await js.publish(message.subject, raw, headers={Header.MSG_ID.value: message.id})
    except NewerVersion as error:
        log_once(f"{path}: {error}; the message stays queued")
    except (InvalidInput, MaxPayloadError, BadSubjectError) as error:
        outbox.refuse(path, str(error))
    except APIError as error:
        if error.err_code != MESSAGE_TOO_LARGE:
            raise
        outbox.refuse(path, str(error))
    else:
        outbox.done(path)
