"""The connection to NATS, for all readers and writers."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nats.errors
from nats.aio.client import Client, Server

from mxtvhf.errors import InvalidInput, Retriable
from mxtvhf.settings import NatsTls

log = logging.getLogger(__name__)

SCHEMES = ("nats", "tls", "ws", "wss")
INBOX_PREFIX = b"_INBOX_MXTVHF"
"""Prefix of the subjects on which NATS answers us. Stations with access to ``_INBOX.>`` for their own answers
cannot read ours, which include every message that the intake fetches."""
FIRST_TRIES_S = 0.25
"""Pause between attempts of the first connection. A server that refuses a client may close the connection
before its reason is read; several attempts usually give the reason."""
_OF_A_STREAM = b"$JS.ACK."
"""Prefix of the subject on which a message of a stream is acknowledged."""
CANCEL_AGAIN_S = 0.05
CLOSE_S = 1.0
"""Maximum wait for the end of a closed connection, whose socket is already closed."""
FIRST_DELAY_S, LONGEST_DELAY_S = 0.1, 5.0
"""Pause before the first attempt to reconnect, which doubles up to the longest one."""


async def connect(
    url: str,
    credentials: Path | None = None,
    *,
    name: str,
    tls: NatsTls | None = None,
    timeout: float = 5.0,
) -> Client:
    """Connect to NATS; a lost connection is retried without limit, with growing pauses.

    A loss and its end are logged once each, not at every attempt. The client is closed (``client.is_closed``)
    only if its user closes it or the server refuses it, e.g. after a change of the password.

    Parameters
    ----------
    url
        ``nats://host:port``, or several separated by commas; also ``tls``, ``ws`` and ``wss``. ``tls`` and
        ``wss`` require TLS and a certificate that is valid for the host name. User and password belong in the
        file of ``credentials``.
    credentials
        File with the JWT and seed of a user (``.creds``), with one line ``user:password``, or with a token.
    name
        Name of this client in the monitoring of the server.
    tls
        Certificate of the client, and certificate authority of the server.
    timeout
        Limit for the first connection, s.

    Raises
    ------
    InvalidInput
        The URL, a certificate or the file of the credentials is invalid.
    Retriable
        No server answers, or it refuses the credentials; a later call may succeed.
    """
    servers = checked_servers(url)
    options = _login(credentials) | ({"tls": _tls_context(tls, servers)} if tls else {})
    client = _CarefulClient()
    watch = _ConnectionLog(client, url)
    tries = asyncio.ensure_future(
        client.connect(
            servers,
            name=name,
            inbox_prefix=INBOX_PREFIX,
            connect_timeout=max(1, int(timeout)),
            reconnect_time_wait=FIRST_TRIES_S,  # type: ignore[arg-type]  # any number of seconds
            max_reconnect_attempts=-1,
            reconnect_to_server_handler=_next_server,
            error_cb=watch.error,
            disconnected_cb=watch.lost,
            reconnected_cb=watch.back,
            **options,
        )
    )
    try:
        await asyncio.wait({tries}, timeout=timeout)
    finally:
        await _cancel(tries)
    if tries.cancelled():
        await client.close()
        raise Retriable(f"{url}: no connection to NATS: {'; '.join(sorted(watch.reasons)) or 'no answer'}")
    tries.result()
    watch.connected = True
    return client


async def _cancel(task: asyncio.Future[None]) -> None:
    """Cancel a task until it has ended.

    ``asyncio.wait_for`` of Python 3.11 loses a cancellation that arrives together with the end of the awaited
    task (https://github.com/python/cpython/issues/86296), and the client would retry without end.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=CANCEL_AGAIN_S)


class _CarefulClient(Client):
    """Client that requires TLS for ``tls://``, accepts any message, and always closes.

    The standard client only encrypts if the greeting of the server asks for it, so an attacker in between
    could change the greeting and receive the password in clear text. Its reader stops at a subject that is
    not UTF-8, and mistakes the header ``Status`` of a publisher for one of the server. It waits without end
    when it closes a connection with an unfinished TLS handshake.
    """

    async def _close(self, status: int, do_cbs: bool = True) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await super()._close(status, do_cbs)

    def _connect_command(self) -> bytes:
        server = self._current_server
        if server is not None and server.uri.scheme == "tls" and not self._server_info.get("tls_required"):
            raise nats.errors.Error("the server offers no TLS")
        return super()._connect_command()

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes | None
    ) -> None:
        if headers and reply.startswith(_OF_A_STREAM):
            headers = _without_status(headers)
        await super()._process_msg(sid, _utf8(subject), _utf8(reply), data, headers)  # type: ignore[arg-type]


def _utf8(name: bytes) -> bytes:
    return name.decode(errors="backslashreplace").encode()


def _without_status(headers: bytes) -> bytes:
    """Return the headers of a message without a status, which only the server may send."""
    lines = headers.split(b"\r\n")[1:]
    kept = [line for line in lines if line and line.partition(b":")[0].strip() != b"Status"]
    return b"\r\n".join([b"NATS/1.0", *kept, b"", b""])


def checked_servers(url: str) -> list[str]:
    """Return the servers of a URL, which may contain several separated by commas.

    Raises
    ------
    InvalidInput
        A URL is invalid or contains a password.
    """
    servers = [server.strip() for server in url.split(",")]
    for server in servers:
        try:
            parts = urlsplit(server)
            is_complete = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
        except ValueError:  # invalid port, or brackets that do not close
            is_complete = False
        if "@" in server:
            raise InvalidInput(
                "the NATS URL contains a user or password; put both into the file of the credentials"
            )
        if not is_complete:
            raise InvalidInput(f"{server!r}: invalid NATS URL; expected e.g. nats://localhost:4222")
    return servers


def _login(credentials: Path | None) -> dict[str, Any]:
    """Return the options of the client for a file of credentials; no error shows its content."""
    if credentials is None:
        return {}
    try:
        text = credentials.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"{credentials}: the NATS credentials cannot be read: {type(error).__name__}"
        ) from None
    if not text:
        raise InvalidInput(f"{credentials}: the file is empty; expected NATS credentials")
    if "BEGIN NATS USER JWT" in text:
        return {"user_credentials": str(credentials)}
    user, colon, password = text.partition(":")
    return {"user": user, "password": password} if colon else {"token": text}


def _tls_context(tls: NatsTls, servers: Iterable[str]) -> ssl.SSLContext:
    """Return the TLS context of a connection.

    Raises
    ------
    InvalidInput
        A certificate or key is invalid, the two do not match, or a URL is not one of TLS.
    """
    for server in servers:
        if urlsplit(server).scheme not in ("tls", "wss"):
            raise InvalidInput(f"{server}: not a TLS URL; nats_tls requires tls:// or wss://")
    try:
        context = ssl.create_default_context(cafile=tls.ca)
    except OSError as error:
        raise InvalidInput(
            f"{tls.ca}: the CA certificate cannot be read: {error.strerror or error}"
        ) from None
    if tls.certificate is not None:
        try:
            context.load_cert_chain(tls.certificate, tls.key)
        except OSError as error:
            raise InvalidInput(
                f"{tls.certificate}, {tls.key}: invalid certificate or key: {error.strerror or error}"
            ) from None
    return context


def _next_server(servers: Iterable[Server], _info: object) -> tuple[Server, float]:
    """Return the server with the fewest attempts, and the pause before the next one."""
    server = min(servers, key=lambda server: server.reconnects)
    return server, min(LONGEST_DELAY_S, FIRST_DELAY_S * 2 ** min(server.reconnects, 10))


class _ConnectionLog:
    """Log of a connection, each event once, with the reasons of failures since it was last connected."""

    def __init__(self, client: Client, url: str) -> None:
        self.client = client
        self.url = url
        self.reasons: set[str] = set()
        self.connected = False

    async def error(self, error: Exception) -> None:
        """Record an error, and log it if it is new."""
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if self.connected and reason not in self.reasons:
            log.warning("%s: NATS: %s", self.url, reason)
        self.reasons.add(reason)

    async def lost(self) -> None:
        """Log a loss, unless the client was closed on purpose."""
        if self.connected and not self.client.is_closed:
            log.warning("%s: connection to NATS lost; reconnecting", self.url)

    async def back(self) -> None:
        """Log that the connection is back."""
        log.info("%s: connected to NATS again", self.url)
        self.reasons.clear()
