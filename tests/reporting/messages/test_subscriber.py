"""What readers get from NATS: Python, and a browser by WebSocket."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from nats.js.api import StreamConfig

from mxtvhf.reporting.messages import Outbox, RunMessage, read_message
from mxtvhf.reporting.messages.connection import connect
from mxtvhf.reporting.messages.publisher import STREAM
from mxtvhf.reporting.messages.subscriber import follow
from support.messages import BURST, empty, forwarding, step, stored

pytestmark = pytest.mark.service


def test_a_reader_continues_after_the_last_message_when_the_server_was_killed(tmp_path, nats_server):
    outbox = Outbox(tmp_path / "outbox")

    async def use():
        seen = []
        async with forwarding(outbox.folder, nats_server.url) as client:
            outbox.put(step(0))
            async for raw in follow(client):
                seen.append(read_message(raw).task_id)
                if len(seen) == 1:
                    nats_server.kill()
                    outbox.put(step(1))
                    nats_server.start()
                if len(seen) == 2:
                    outbox.put(step(2))
                if len(seen) == 3:
                    return seen

    assert asyncio.run(asyncio.wait_for(use(), 60)) == ["step_0", "step_1", "step_2"]


def test_a_message_that_nats_stored_twice_is_yielded_once(nats_server):
    async def use():
        client = await connect(nats_server.url, name="test")
        js = client.jetstream()
        # NATS forgets ids at once here, as it may when it is killed.
        await js.add_stream(StreamConfig(name=STREAM, subjects=["mxtvhf.out.>"], duplicate_window=0.1))
        for number in (0, 0, 1):
            message = step(number).model_copy(update={"id": f"{number:032x}"})
            headers = {"Nats-Msg-Id": message.id}
            await js.publish(message.subject, message.model_dump_json().encode(), headers=headers)
            await asyncio.sleep(0.5)
        assert (await js.stream_info(STREAM)).state.messages == 3
        seen = [read_message(raw).task_id async for raw in follow(client, live=False)]
        await client.close()
        return seen

    assert asyncio.run(use()) == ["step_0", "step_1"]


def test_a_reader_chooses_burst_and_start(tmp_path, nats_server):
    outbox = Outbox(tmp_path / "outbox")
    outbox.put(step(0))
    outbox.put(RunMessage(burst_id="sb26051103", run_id="sb26051103__1", state="started"))

    async def use():
        async with forwarding(outbox.folder, nats_server.url):
            await empty(outbox)
        later = datetime.now(UTC) + timedelta(hours=1)
        return [
            len(await stored(nats_server.url, **options))
            for options in ({}, {"burst_id": BURST}, {"since": later}, {"since": later - timedelta(hours=2)})
        ]

    assert asyncio.run(use()) == [2, 1, 0, 2]


def test_a_browsers_websocket_gets_the_messages(tmp_path, nats_server):
    """NATS's own WebSocket, spoken frame by frame by an independent client."""
    import aiohttp

    outbox = Outbox(tmp_path / "outbox")

    async def use():
        async with (
            forwarding(outbox.folder, nats_server.url),
            aiohttp.ClientSession() as session,
            session.ws_connect(nats_server.websocket_url) as socket,
        ):
            assert (await socket.receive()).data.startswith(b"INFO ")
            await socket.send_bytes(b'CONNECT {"verbose":false}\r\nSUB mxtvhf.out.> 1\r\nPING\r\n')
            assert (await socket.receive()).data == b"PONG\r\n"
            outbox.put(step(7))
            text = b""
            with suppress(TimeoutError):
                while not text.endswith(b"}\r\n"):
                    text += (await asyncio.wait_for(socket.receive(), 20)).data
            return text

    text = asyncio.run(use())
    assert text.startswith(f"MSG mxtvhf.out.{BURST}.step.step_7.started 1 ".encode())
    assert read_message(text[text.index(b"{") :].strip()).task_id == "step_7"
