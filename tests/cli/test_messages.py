"""Messages in a terminal with `mxtvhf log-queue`."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from datetime import timedelta

import pytest

from mxtvhf.cli.messages import line, since_when
from mxtvhf.errors import InvalidInput
from mxtvhf.reporting.messages import Outbox, RunMessage
from support.commands import mxtvhf
from support.messages import ABOUT, BURST, EXAMPLES, NOW, empty, forwarding, step
from support.nats_server import free_port


def command(url, *arguments):
    environment = {**os.environ, "MXTVHF_NATS_URL": url}
    return [sys.executable, "-m", "mxtvhf", "log-queue", *arguments], environment


@pytest.mark.service
def test_log_queue_prints_what_is_stored_for_people_and_programs(tmp_path, nats_server):
    outbox = Outbox(tmp_path / "outbox")
    outbox.put(step(1))
    outbox.put(RunMessage(**ABOUT, state="failed", reason="task_failure"))

    async def use():
        async with forwarding(outbox.folder, nats_server.url):
            await empty(outbox)

    asyncio.run(use())
    done, as_json = (
        mxtvhf("log-queue", "--no-follow", *more, MXTVHF_NATS_URL=nats_server.url)
        for more in ((), ("--json", "--burst", BURST, "--since", "all"))
    )
    assert done.returncode == as_json.returncode == 0
    first, second = done.stdout.splitlines()
    assert "step_1" in first
    assert "TEST" in first
    assert second.endswith("run  failed  task_failure")
    assert "\x1b" not in done.stdout, "no colours into a pipe"
    assert [json.loads(said)["kind"] for said in as_json.stdout.splitlines()] == ["step", "run"]


@pytest.mark.service
def test_log_queue_has_colours_on_a_terminal(tmp_path, nats_server):
    outbox = Outbox(tmp_path / "outbox")
    outbox.put(RunMessage(**ABOUT, state="failed"))

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


@pytest.mark.service
def test_log_queue_follows_until_ctrl_c(tmp_path, nats_server):
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
        ("http://localhost", (), 2, "invalid NATS URL"),
        ("nats://localhost", ("--burst", "*"), 2, "invalid burst id"),
        ("nats://localhost", ("--since", "yesterday"), 2, "--since"),
    ],
)
def test_errors_of_log_queue_are_one_line(url, arguments, status, reason):
    if url == "down":
        url = f"nats://127.0.0.1:{free_port()}"
    done = mxtvhf("log-queue", *arguments, MXTVHF_NATS_URL=url)
    assert done.returncode == status
    assert reason in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [("30s", timedelta(seconds=30)), ("10m", timedelta(minutes=10)), ("2h", timedelta(hours=2)),
     ("1d", timedelta(days=1))],
)  # fmt: skip
def test_since_reads_a_span(text, expected):
    assert since_when(text, NOW) == NOW - expected
    assert since_when("all", NOW) is None


@pytest.mark.parametrize("text", ["", "10", "m", "-1m", "1w", "٣m", "10m ", "999999d"])
def test_since_rejects_other_texts(text):
    with pytest.raises(InvalidInput, match="--since"):
        since_when(text, NOW)


def test_a_line_marks_tests_and_shows_no_control_characters():
    raw = EXAMPLES[2].model_dump_json().encode()
    assert "TEST" in line(raw)
    assert "fits_feed" in line(raw)
    assert "disk full" in line(raw)
    assert "TEST" not in line(EXAMPLES[1].model_dump_json().encode())
    evil = json.loads(EXAMPLES[3].model_dump_json()) | {"headline": "\x1b]0;owned\x07", "run_id": "\x1b[2J"}
    shown = line(json.dumps(evil).encode())
    assert "\x1b]" not in shown
    assert "\x1b[2J" not in shown
    assert "unreadable" in line(b"\xff\x1b[2J")
