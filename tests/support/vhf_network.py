"""Imitation of the VHF network as a NATS client."""

import asyncio
import socket
from contextlib import suppress

import nats.errors

from mxtvhf.errors import MxtVhfError
from mxtvhf.reporting.messages.connection import connect

ODD_SUBJECTS = (
    b"mxtvhf.in.caf\xe9",
    b"mxtvhf.in.\xff\xfe\x00\x1b[2J",
    b"mxtvhf.in." + b"x" * 3900,
    b"mxtvhf.in.\xf0\x9f\x9a\x80",
    b"mxtvhf.in.vertical\x0btab",
    b"mxtvhf.in.form\x0c1",
)
"""The client takes the last two for other commands of its protocol."""
ODD_HEADERS = (
    b"NATS/1.0\r\nMxtvhf-Signature: caf\xe9\r\n\r\n",
    b"NATS/1.0\r\ncaf\xe9: x\r\nno colon\r\n: \r\n\r\n",
    b"NATS/1.0 \xe9\xe9\xe9 x\r\n\r\n",
    b"NATS/1.0 404 No Messages\r\n\r\n",
    b"NATS/1.0 409 Consumer Deleted\r\n\r\n",
    b"NATS/1.0 503\r\n\r\n",
    b"NATS/1.0 100 Idle Heartbeat\r\n\r\n",
    b"NATS/1.0 100 FlowControl Request\r\nStatus: 100\r\n\r\n",
    b"NATS/1.0\r\nStatus: 500\r\nDescription: odd\r\n\r\n",
    b"NATS/1.0",
    b"NATS/1.0\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"NATS/1.0\r\n" + b"A: b\r\n" * 5000 + b"\r\n",
    b"\x00" * 40,
)


def publish_raw(server, subject, body, headers=b""):
    """Publish any bytes as subject and headers without the checks of the NATS client."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as link:
        link.recv(65536)
        link.sendall(b'CONNECT {"verbose":false,"headers":true}\r\n')
        sizes = b"%d %d" % (len(headers), len(headers) + len(body)) if headers else b"%d" % len(body)
        link.sendall(b"%s %s %s\r\n" % (b"HPUB" if headers else b"PUB", subject, sizes))
        link.sendall(headers + body + b"\r\nPING\r\n")
        answer = link.recv(65536)
        assert answer == b"PONG\r\n", answer


class Publisher:
    """Publishes to NATS like the VHF network, repeatedly until the server acknowledges."""

    def __init__(self, url, credentials=None):
        self.url, self.credentials = url, credentials

    def send(self, messages, pause_s=0.0):
        asyncio.run(self._send(messages, pause_s))

    async def _send(self, messages, pause_s):
        client = await self._connected()
        for subject, raw in messages:
            while True:
                try:
                    await client.jetstream().publish(subject, raw, timeout=2)
                    break
                except (nats.errors.Error, OSError, TimeoutError):
                    await asyncio.sleep(0.1)
            await asyncio.sleep(pause_s)
        await client.close()

    async def _connected(self):
        while True:
            with suppress(MxtVhfError):
                return await connect(self.url, self.credentials, name="VHF network")
