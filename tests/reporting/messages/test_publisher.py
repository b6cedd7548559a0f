"""From the outbox through a real NATS to its readers: terminal, Python, WebSocket."""

import asyncio
import logging
import threading
import time
from datetime import UTC, datetime
from functools import partial

import pytest

from mxtvhf.errors import Retriable
from mxtvhf.intake.parts import Part
from mxtvhf.reporting.messages import Outbox, RunMessage, publisher
from mxtvhf.reporting.messages.connection import connect
from mxtvhf.reporting.messages.publisher import STREAM, forward_outbox
from support.messages import ABOUT, empty, forwarding, step, stored
from support.nats_server import NatsServer

pytestmark = pytest.mark.service


def test_messages_reach_the_stream_in_order_and_leave_the_outbox(tmp_path, nats_server):
    outbox, sent = Outbox(tmp_path / "outbox"), [step(number) for number in range(50)]
    for message in sent:
        outbox.put(message)

    async def use():
        async with forwarding(outbox.folder, nats_server.url) as client:
            await empty(outbox)
            info = await client.jetstream().stream_info(STREAM)
        return info, await stored(nats_server.url)

    info, found = asyncio.run(use())
    assert found == sent
    assert info.config.subjects == ["mxtvhf.out.>"]
    assert info.config.max_bytes > 0
    assert info.config.max_age > 0


def test_nothing_is_lost_or_doubled_while_the_server_is_killed_again_and_again(tmp_path, nats_server):
    outbox, sent = Outbox(tmp_path / "outbox"), []

    async def write():
        for number in range(400):
            sent.append(step(number))
            outbox.put(sent[-1])
            await asyncio.sleep(0.002)

    async def use():
        async with (
            forwarding(outbox.folder, nats_server.url),
            forwarding(outbox.folder, nats_server.url),
        ):
            writing = asyncio.create_task(write())
            for _ in range(3):
                await asyncio.sleep(0.2)
                nats_server.kill()
                await asyncio.sleep(0.1)
                nats_server.start()
            await writing
            await empty(outbox)
        return await stored(nats_server.url)

    assert asyncio.run(use()) == sent


def test_a_message_that_is_published_twice_is_stored_once(tmp_path, nats_server):
    outbox, message = Outbox(tmp_path / "outbox"), step(1)

    async def use():
        async with forwarding(outbox.folder, nats_server.url):
            for _ in range(3):
                # As after a kill between NATS's answer and the removal of the file.
                outbox.put(message)
                await empty(outbox)
        return await stored(nats_server.url)

    assert asyncio.run(use()) == [message]


def test_messages_for_an_unavailable_server_are_queued_up_to_a_limit(tmp_path, nats_server, caplog):
    outbox = Outbox(tmp_path / "outbox")
    run = RunMessage(**ABOUT, state="started", time=datetime(2026, 5, 11, tzinfo=UTC))

    async def use():
        async with forwarding(outbox.folder, nats_server.url, most_waiting=10) as client:
            nats_server.kill()
            while client.is_connected:
                await asyncio.sleep(0.01)
            outbox.put(run)
            for number in range(20):
                outbox.put(step(number))
            while len(outbox.waiting()) > 10:
                await asyncio.sleep(0.01)
            nats_server.start()
            await empty(outbox)
        return await stored(nats_server.url)

    found = asyncio.run(use())
    assert found[0] == run
    assert [message.task_id for message in found[1:]] == [f"step_{number}" for number in range(11, 20)]
    assert "were dropped" in caplog.text


def test_a_message_that_cannot_be_published_is_refused_and_blocks_no_other(tmp_path, nats_server):
    outbox = Outbox(tmp_path / "outbox")
    outbox.folder.mkdir()
    (outbox.folder / "0000000000000001-step-x.json").write_bytes(b"")
    (outbox.folder / "0000000000000002-step-x.json").write_text('{"kind": "song"}')
    large = step(1).model_copy(update={"task_id": "x" * 2_000_000})
    (outbox.folder / "0000000000000003-step-x.json").write_text(large.model_dump_json())
    outbox.put(step(2))

    async def use():
        async with forwarding(outbox.folder, nats_server.url):
            await empty(outbox)
        return await stored(nats_server.url)

    assert [message.task_id for message in asyncio.run(use())] == ["step_2"]
    refused = sorted(path.name for path in (outbox.folder / "refused").glob("*.reason"))
    assert len(refused) == 3
    assert "song" in (outbox.folder / "refused" / refused[1]).read_text()


def test_a_message_of_a_later_version_stays_queued_and_blocks_no_other(tmp_path, nats_server):
    outbox = Outbox(tmp_path / "outbox")
    outbox.folder.mkdir()
    later = outbox.folder / "0000000000000001-song-x.json"
    later.write_text('{"kind": "song", "schema_version": 2}')
    outbox.put(step(2))

    async def use():
        async with forwarding(outbox.folder, nats_server.url):
            while outbox.waiting() != [later]:
                await asyncio.sleep(0.02)
        return await stored(nats_server.url)

    assert [message.task_id for message in asyncio.run(use())] == ["step_2"]
    assert not (outbox.folder / "refused").exists()


def test_a_message_above_the_size_limit_is_refused(tmp_path, nats_server):
    outbox = Outbox(tmp_path / "outbox")

    async def use():
        client = await connect(nats_server.url, name="operator")
        await client.jetstream().add_stream(name=STREAM, subjects=["mxtvhf.out.>"], max_msg_size=1000)
        await client.close()
        outbox.put(RunMessage(**ABOUT, state="failed", reason="x" * 900))
        outbox.put(step(2))
        async with forwarding(outbox.folder, nats_server.url):
            await empty(outbox)
        return await stored(nats_server.url)

    assert [message.kind for message in asyncio.run(use())] == ["step"]
    assert len(list((outbox.folder / "refused").glob("*.reason"))) == 1


def test_a_closed_client_stops_the_publisher(tmp_path, nats_server):
    async def use():
        client = await connect(nats_server.url, name="test")
        await client.close()
        await forward_outbox(tmp_path, client, stop=asyncio.Event())

    with pytest.raises(Retriable, match="closed"):
        asyncio.run(use())


def test_messages_for_a_server_that_never_starts_are_limited(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(publisher, "MOST_WAITING", 5)
    outbox, server, stop = Outbox(tmp_path / "outbox"), NatsServer(tmp_path), threading.Event()
    for number in range(20):
        outbox.put(step(number))
    part = Part("messages out", partial(publisher.forward_until, outbox.folder, server.url, None), tmp_path)
    work = threading.Thread(target=part.run, args=(stop,))
    work.start()
    try:
        while len(outbox.waiting()) > 5:
            time.sleep(0.05)
        with server:
            while outbox.waiting():
                time.sleep(0.05)
            found = asyncio.run(stored(server.url))
    finally:
        stop.set()
        work.join()
    assert [message.task_id for message in found] == [f"step_{number}" for number in range(15, 20)]
    assert caplog.text.count("messages queued in") == 1


def test_a_server_without_jetstream_is_logged_once(tmp_path, nats_server, caplog):
    caplog.set_level(logging.WARNING)
    configuration = tmp_path / "nats.conf"
    configuration.write_text(
        "\n".join(line for line in configuration.read_text().splitlines() if "jetstream" not in line)
    )
    nats_server.stop()
    nats_server.start()
    outbox = Outbox(tmp_path / "outbox")
    outbox.put(step(1))

    async def use():
        async with forwarding(outbox.folder, nats_server.url):
            await asyncio.sleep(1)

    asyncio.run(use())
    assert len(outbox.waiting()) == 1
    assert caplog.text.count("messages queued in") == 1
