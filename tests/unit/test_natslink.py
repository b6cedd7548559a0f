"""The connection to NATS, with a real server."""

import asyncio
import logging

import pytest
from natsserver import NatsServer, free_port

from mxtvhf.errors import InvalidInput, Retriable
from mxtvhf.natslink import connect

PASSWORD = "correct-horse"


def test_a_client_is_known_by_its_name_and_survives_a_kill_of_the_server(nats_server, caplog):
    caplog.set_level(logging.INFO)

    async def use():
        client = await connect(nats_server.url, name="mxtvhf-test")
        received = await client.subscribe("a.b")
        nats_server.kill()
        while client.is_connected:
            await asyncio.sleep(0.01)
        nats_server.start()
        while not client.is_connected:
            await asyncio.sleep(0.01)
        await client.publish("a.b", b"after")
        message = await received.next_msg(5)
        await client.close()
        return message.data

    assert asyncio.run(use()) == b"after"
    lines = [record.message for record in caplog.records if record.name == "mxtvhf.natslink"]
    assert sum("lost" in line for line in lines) == 1
    assert sum("again" in line and "connected" in line for line in lines) == 1


def test_a_server_that_is_down_is_named():
    url = f"nats://127.0.0.1:{free_port()}"
    with pytest.raises(Retriable, match=f"{url}: no connection to NATS: .*(refused|Connect call failed)"):
        asyncio.run(connect(url, name="test", timeout=0.3))


@pytest.mark.parametrize(
    ("rule", "right", "wrong"),
    [
        (f"user: duty, password: {PASSWORD}", f"duty:{PASSWORD}\n", "duty:other"),
        (f"token: {PASSWORD}", f"{PASSWORD}\n", "other"),
    ],
)
def test_credentials_come_from_a_file_and_are_never_shown(tmp_path, caplog, rule, right, wrong):
    file = tmp_path / "credentials"
    caplog.set_level(logging.DEBUG)

    async def use(url):
        client = await connect(url, file, name="test", timeout=2)
        await client.close()

    with NatsServer(tmp_path, extra=f"authorization {{ {rule} }}") as server:
        file.write_text(right)
        asyncio.run(use(server.url))
        file.write_text(wrong)
        with pytest.raises(Retriable, match=r"(?i)authorization") as refused:
            asyncio.run(use(server.url))
    assert wrong not in str(refused.value)
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://localhost:4222", "no NATS URL"),
        ("localhost:4222", "no NATS URL"),
        ("nats://", "no NATS URL"),
        (f"nats://duty:{PASSWORD}@localhost:4222", "belong in a file"),
    ],
)
def test_a_wrong_url_is_refused_without_showing_a_password(url, reason):
    with pytest.raises(InvalidInput, match=reason) as refused:
        asyncio.run(connect(url, name="test"))
    assert PASSWORD not in str(refused.value)


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\xfd"])
def test_unusable_credentials_are_named(tmp_path, content):
    file = tmp_path / "credentials"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"credentials: (cannot be read|no NATS credentials)"):
        asyncio.run(connect("nats://localhost:4222", file, name="test"))
