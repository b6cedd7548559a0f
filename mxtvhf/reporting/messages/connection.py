"""The connection to a NATS server, made alike by all that read from it or write to it."""

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
"""Of the subjects on which NATS answers us: stations that may hear ``_INBOX.>`` for their own answers do not
hear ours, among them every message that the intake fetches."""
FIRST_TRIES_S = 0.25
"""Between tries of the first connection. A server that refuses a client may cut the line before its reason is
read: among several tries the reason comes through."""
_OF_A_STREAM = b"$JS.ACK."
"""How the address begins on which a message of a stream is acknowledged."""
CANCEL_AGAIN_S = 0.05
CLOSE_S = 1.0
"""Longest wait for the end of a connection that is closed; its socket is closed before."""
FIRST_DELAY_S, LONGEST_DELAY_S = 0.1, 5.0
"""Wait before the first try to reconnect, doubled up to the longest one."""


async def connect(
    url: str,
    credentials: Path | None = None,
    *,
    name: str,
    tls: NatsTls | None = None,
    timeout: float = 5.0,
) -> Client:
    """Connect to NATS; a connection that breaks later is made again for ever, with growing waits.

    A loss and its end are logged once each, not at every try. The client ends up closed
    (``client.is_closed``) only when its user closes it or the server turns it away, say for a changed
    password.

    Parameters
    ----------
    url
        ``nats://host:port``, or several with commas; also ``tls``, ``ws`` and ``wss``. With ``tls`` and
        ``wss`` nothing is sent but over TLS, to a server whose certificate is good for its host name. Without
        user or password: those belong in the file.
    credentials
        A file with a user's JWT and seed (NATS's own ``.creds``), or with one line ``user:password``, or with
        a token.
    name
        Of this client, as the server's monitoring shows it.
    tls
        The client's certificate, and the authority of the server's one.
    timeout
        Seconds for the first connection.

    Raises
    ------
    InvalidInput
        The URL, a certificate or the file of the credentials is none.
    Retriable
        No server answers, or it refuses these credentials; a later call may succeed.
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

    ``asyncio.wait_for`` of Python 3.11 loses a cancellation that comes together with the end of what it waits
    for (https://github.com/python/cpython/issues/86296), and the client tries on for ever.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=CANCEL_AGAIN_S)


class _CarefulClient(Client):
    """A client that keeps what ``tls://`` promises, that no message can break, and that always closes.

    NATS's own one encrypts when the server's greeting asks for it: whoever sits between the two need only
    change the greeting to be sent the password in clear. Its reader ends at a subject that is not UTF-8, and
    takes a publisher's header ``Status`` for a word of the server. And it waits for ever for the end of a
    connection whose TLS handshake did not end.
    """

    async def _close(self, status: int, do_cbs: bool = True) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await super()._close(status, do_cbs)

    def _connect_command(self) -> bytes:
        server = self._current_server
        if server is not None and server.uri.scheme == "tls" and not self._server_info.get("tls_required"):
            raise nats.errors.Error("no TLS at the server")
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
    """Return a message's headers without what only the server may say: a status, in words or as a header."""
    lines = headers.split(b"\r\n")[1:]
    kept = [line for line in lines if line and line.partition(b":")[0].strip() != b"Status"]
    return b"\r\n".join([b"NATS/1.0", *kept, b"", b""])


def checked_servers(url: str) -> list[str]:
    """Return the servers of a URL, which may name several with commas.

    Raises
    ------
    InvalidInput
        One of them is no NATS URL, or holds a password.
    """
    servers = [server.strip() for server in url.split(",")]
    for server in servers:
        try:
            parts = urlsplit(server)
            is_complete = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
        except ValueError:  # a port that is no number or too large, brackets that do not close
            is_complete = False
        if "@" in server:
            raise InvalidInput("the NATS URL holds a user or password: both belong in a file")
        if not is_complete:
            raise InvalidInput(f"{server!r} is no NATS URL, e.g. nats://localhost:4222")
    return servers


def _login(credentials: Path | None) -> dict[str, Any]:
    """Return the options of the client for a file of credentials; no error shows what is in it."""
    if credentials is None:
        return {}
    try:
        text = credentials.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{credentials}: cannot be read: {type(error).__name__}") from None
    if not text:
        raise InvalidInput(f"{credentials}: no NATS credentials in it")
    if "BEGIN NATS USER JWT" in text:
        return {"user_credentials": str(credentials)}
    user, colon, password = text.partition(":")
    return {"user": user, "password": password} if colon else {"token": text}


def _tls_context(tls: NatsTls, servers: Iterable[str]) -> ssl.SSLContext:
    """Return what encrypts a connection and proves who we are.

    Raises
    ------
    InvalidInput
        A file holds no certificate or key, the two do not belong together, or a URL asks for no encryption.
    """
    for server in servers:
        if urlsplit(server).scheme not in ("tls", "wss"):
            raise InvalidInput(f"{server}: nats_tls needs a server named as tls:// or wss://")
    try:
        context = ssl.create_default_context(cafile=tls.ca)
    except OSError as error:
        raise InvalidInput(f"{tls.ca}: no certificate can be read: {error.strerror or error}") from None
    if tls.certificate is not None:
        try:
            context.load_cert_chain(tls.certificate, tls.key)
        except OSError as error:
            raise InvalidInput(
                f"{tls.certificate}, {tls.key}: no certificate with its key: {error.strerror or error}"
            ) from None
    return context


def _next_server(servers: Iterable[Server], _info: object) -> tuple[Server, float]:
    """Choose the server that was tried least, and the wait before it is tried."""
    server = min(servers, key=lambda server: server.reconnects)
    return server, min(LONGEST_DELAY_S, FIRST_DELAY_S * 2 ** min(server.reconnects, 10))


class _ConnectionLog:
    """Logs what happens to a connection, each thing once, and keeps why it failed since it stood last."""

    def __init__(self, client: Client, url: str) -> None:
        self.client = client
        self.url = url
        self.reasons: set[str] = set()
        self.connected = False

    async def error(self, error: Exception) -> None:
        """Keep, and log when it is a new one."""
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if self.connected and reason not in self.reasons:
            log.warning("%s: NATS: %s", self.url, reason)
        self.reasons.add(reason)

    async def lost(self) -> None:
        """Log a loss, but no end on purpose."""
        if self.connected and not self.client.is_closed:
            log.warning("%s: connection to NATS lost; trying again until it is back", self.url)

    async def back(self) -> None:
        """Log the end of a loss."""
        log.info("%s: connected to NATS again", self.url)
        self.reasons.clear()
