"""The VHF network as NATS sees it."""

import asyncio
from contextlib import suppress

import nats.errors

from mxtvhf.errors import MxtVhfError
from mxtvhf.reporting.messages.connection import connect


class Publisher:
    """Publishes to NATS as the VHF network does: again and again until the server has acknowledged."""

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
