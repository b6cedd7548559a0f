"""From the outbox through a real NATS to its readers: terminal, Python, WebSocket."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
from nats.js.api import StreamConfig

from mxtvhf.errors import Retriable
from mxtvhf.reporting.messages import Outbox, RunBulletin, StepBulletin, publisher, read_bulletin
from mxtvhf.reporting.messages.connection import connect
from mxtvhf.reporting.messages.publisher import STREAM, forward_outbox
from mxtvhf.reporting.messages.subscriber import follow
from support.nats_server import NatsServer, free_port

BURST = "sb26051102"
ABOUT = {"burst_id": BURST, "run_id": f"{BURST}__1", "is_test": True}


def step(number, **more):
    return StepBulletin(**ABOUT, **more, task_id=f"step_{number}", state="started", try_number=1)


@asynccontextmanager
async def forwarding(folder, url, **options):
    """Run a forwarder on the folder."""
    client, stop = await connect(url, name="test-forwarder"), asyncio.Event()
    task = asyncio.create_task(forward_outbox(folder, client, stop=stop, **options))
    try:
        yield client
    finally:
        stop.set()
        await task
        await client.close()


async def empty(outbox):
    while outbox.waiting():
        await asyncio.sleep(0.01)


async def stored(url, **options):
    client = await connect(url, name="test-reader")
    found = [read_bulletin(raw) async for raw in follow(client, live=False, **options)]
    await client.close()
    return found


def test_messages_reach_the_stream_in_order_and_leave_the_outbox(tmp_path, nats_server):
    outbox, sent = Outbox(tmp_path / "outbox"), [step(number) for number in range(50)]
    for bulletin in sent:
        outbox.put(bulletin)

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
    outbox, bulletin = Outbox(tmp_path / "outbox"), step(1)

    async def use():
        async with forwarding(outbox.folder, nats_server.url):
            for _ in range(3):
                # As after a kill between NATS's answer and the removal of the file.
                outbox.put(bulletin)
                await empty(outbox)
        return await stored(nats_server.url)

    assert asyncio.run(use()) == [bulletin]


def test_messages_wait_for_a_server_that_is_down_up_to_a_bound(tmp_path, nats_server, caplog):
    outbox = Outbox(tmp_path / "outbox")
    run = RunBulletin(**ABOUT, state="started", time=datetime(2026, 5, 11, tzinfo=UTC))

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
    assert [bulletin.task_id for bulletin in found[1:]] == [f"step_{number}" for number in range(11, 20)]
    assert "were dropped" in caplog.text


def test_what_cannot_be_published_is_set_aside_and_holds_up_nobody(tmp_path, nats_server):
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

    assert [bulletin.task_id for bulletin in asyncio.run(use())] == ["step_2"]
    refused = sorted(path.name for path in (outbox.folder / "refused").glob("*.reason"))
    assert len(refused) == 3
    assert "song" in (outbox.folder / "refused" / refused[1]).read_text()


def test_a_message_over_the_servers_limit_is_set_aside(tmp_path, nats_server):
    outbox = Outbox(tmp_path / "outbox")

    async def use():
        client = await connect(nats_server.url, name="operator")
        await client.jetstream().add_stream(name=STREAM, subjects=["mxtvhf.out.>"], max_msg_size=1000)
        await client.close()
        outbox.put(RunBulletin(**ABOUT, state="failed", reason="x" * 900))
        outbox.put(step(2))
        async with forwarding(outbox.folder, nats_server.url):
            await empty(outbox)
        return await stored(nats_server.url)

    assert [bulletin.kind for bulletin in asyncio.run(use())] == ["step"]
    assert len(list((outbox.folder / "refused").glob("*.reason"))) == 1


def test_a_closed_client_ends_the_forwarder(tmp_path, nats_server):
    async def use():
        client = await connect(nats_server.url, name="test")
        await client.close()
        await forward_outbox(tmp_path, client, stop=asyncio.Event())

    with pytest.raises(Retriable, match="closed"):
        asyncio.run(use())


def test_a_server_that_was_never_there_is_waited_for_within_the_bound(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(publisher, "MOST_WAITING", 5)
    outbox, server, stop = Outbox(tmp_path / "outbox"), NatsServer(tmp_path), threading.Event()
    for number in range(20):
        outbox.put(step(number))
    work = threading.Thread(target=publisher.forward_until, args=(outbox.folder, server.url, None, stop))
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
    assert [bulletin.task_id for bulletin in found] == [f"step_{number}" for number in range(15, 20)]
    assert caplog.text.count("messages wait in") == 1


def test_a_server_without_jetstream_is_said_once(tmp_path, nats_server, caplog):
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
    assert caplog.text.count("messages wait in") == 1


def test_a_reader_goes_on_behind_the_last_message_when_the_server_was_killed(tmp_path, nats_server):
    outbox = Outbox(tmp_path / "outbox")

    async def use():
        seen = []
        async with forwarding(outbox.folder, nats_server.url) as client:
            outbox.put(step(0))
            async for raw in follow(client):
                seen.append(read_bulletin(raw).task_id)
                if len(seen) == 1:
                    nats_server.kill()
                    outbox.put(step(1))
                    nats_server.start()
                if len(seen) == 2:
                    outbox.put(step(2))
                if len(seen) == 3:
                    return seen

    assert asyncio.run(asyncio.wait_for(use(), 60)) == ["step_0", "step_1", "step_2"]


def test_a_message_that_nats_stored_twice_is_read_once(nats_server):
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
        seen = [read_bulletin(raw).task_id async for raw in follow(client, live=False)]
        await client.close()
        return seen

    assert asyncio.run(use()) == ["step_0", "step_1"]


def test_a_reader_chooses_burst_and_beginning(tmp_path, nats_server):
    outbox = Outbox(tmp_path / "outbox")
    outbox.put(step(0))
    outbox.put(RunBulletin(burst_id="sb26051103", run_id="sb26051103__1", state="started"))

    async def use():
        async with forwarding(outbox.folder, nats_server.url):
            await empty(outbox)
        later = datetime.now(UTC) + timedelta(hours=1)
        return [
            len(await stored(nats_server.url, **options))
            for options in ({}, {"burst_id": BURST}, {"since": later}, {"since": later - timedelta(hours=2)})
        ]

    assert asyncio.run(use()) == [2, 1, 0, 2]


def command(url, *arguments):
    environment = {**os.environ, "MXTVHF_NATS_URL": url}
    return [sys.executable, "-m", "mxtvhf", "log-queue", *arguments], environment


def test_log_queue_prints_what_is_stored_for_people_and_programs(tmp_path, nats_server):
    outbox = Outbox(tmp_path / "outbox")
    outbox.put(step(1))
    outbox.put(RunBulletin(**ABOUT, state="failed", reason="task_failure"))

    async def use():
        async with forwarding(outbox.folder, nats_server.url):
            await empty(outbox)

    asyncio.run(use())
    done, as_json = (
        subprocess.run(
            command(nats_server.url)[0] + ["--no-follow", *more],
            env=command(nats_server.url)[1], capture_output=True, text=True, check=True,
        )
        for more in ((), ("--json", "--burst", BURST, "--since", "all"))
    )  # fmt: skip
    first, second = done.stdout.splitlines()
    assert "step_1" in first
    assert "TEST" in first
    assert second.endswith("run  failed  task_failure")
    assert "\x1b" not in done.stdout, "no colours into a pipe"
    assert [json.loads(said)["kind"] for said in as_json.stdout.splitlines()] == ["step", "run"]


def test_log_queue_has_colours_on_a_terminal(tmp_path, nats_server):
    outbox = Outbox(tmp_path / "outbox")
    outbox.put(RunBulletin(**ABOUT, state="failed"))

    async def use():
        async with forwarding(outbox.folder, nats_server.url):
            await empty(outbox)

    asyncio.run(use())
    reader, terminal = os.openpty()
    words, environment = command(nats_server.url, "--no-follow")
    subprocess.run(words, env=environment, stdout=terminal, check=True)
    assert b"\x1b[31mfailed" in os.read(reader, 10_000)
    os.close(reader)
    os.close(terminal)


def test_log_queue_follows_and_ends_well_at_ctrl_c(tmp_path, nats_server):
    outbox = Outbox(tmp_path / "outbox")
    arguments, environment = command(nats_server.url)

    async def use():
        async with forwarding(outbox.folder, nats_server.url):
            process = await asyncio.create_subprocess_exec(
                *arguments, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
            )
            outbox.put(step(1))
            said = await process.stdout.readline()
            outbox.put(step(2))
            said += await process.stdout.readline()
            process.send_signal(signal.SIGINT)
            _, errors = await process.communicate()
        return said.decode(), errors.decode(), process.returncode

    said, errors, status = asyncio.run(use())
    assert "step_1" in said
    assert "step_2" in said
    assert (errors, status) == ("", 0)


@pytest.mark.parametrize(
    ("url", "arguments", "status", "reason"),
    [
        ("", (), 2, "no NATS server is configured"),
        ("down", (), 1, "no connection to NATS"),
        ("http://localhost", (), 2, "no NATS URL"),
        ("nats://localhost", ("--burst", "*"), 2, "no burst id"),
        ("nats://localhost", ("--since", "yesterday"), 2, "--since"),
    ],
)
def test_log_queue_says_in_one_line_why_it_cannot(url, arguments, status, reason):
    if url == "down":
        url = f"nats://127.0.0.1:{free_port()}"
    words, environment = command(url, *arguments)
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert reason in done.stderr
    assert len(done.stderr.splitlines()) == 1


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
    assert read_bulletin(text[text.index(b"{") :].strip()).task_id == "step_7"
