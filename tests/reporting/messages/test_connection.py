"""The connection to NATS, with a real server."""

import asyncio
import base64
import json
import logging
import os

import nkeys
import pytest

from mxtvhf.errors import InvalidInput, Retriable
from mxtvhf.reporting.messages.connection import connect
from support.nats_server import NatsServer, free_port

PASSWORD = "correct-horse"
KINDS = {"O": "OPERATOR", "A": "ACCOUNT", "U": "USER"}


@pytest.mark.service
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
    lines = [
        record.message for record in caplog.records if record.name == "mxtvhf.reporting.messages.connection"
    ]
    assert sum("lost" in line for line in lines) == 1
    assert sum("again" in line and "connected" in line for line in lines) == 1


def test_a_server_that_is_down_is_named():
    url = f"nats://127.0.0.1:{free_port()}"
    with pytest.raises(Retriable, match=f"{url}: no connection to NATS: .*(refused|Connect call failed)"):
        asyncio.run(connect(url, name="test", timeout=0.3))


@pytest.mark.service
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


def new_key(kind):
    return nkeys.from_seed(nkeys.encode_seed(os.urandom(32), getattr(nkeys, f"PREFIX_BYTE_{KINDS[kind]}")))


def name(key):
    return key.public_key.decode()


def signed(issuer, subject, **claims):
    """A JWT as NATS signs it (ed25519, its own key names)."""
    head = {"typ": "JWT", "alg": "ed25519-nkey"}
    body = {"jti": "test", "iat": 1, "iss": name(issuer), "sub": name(subject)}
    parts = (head, body | {"nats": {"version": 2, **claims}})
    text = b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    return (text + b"." + base64.urlsafe_b64encode(issuer.sign(text)).rstrip(b"=")).decode()


@pytest.mark.service
def test_nats_own_file_of_credentials_is_used(tmp_path):
    operator, system, account, user = map(new_key, "OAAU")
    free = {"subs": -1, "data": -1, "payload": -1}
    limits = {**free, "imports": -1, "exports": -1, "wildcards": True, "conn": -1, "leaf": -1}
    accounts = "\n".join(
        f"{name(key)}: {signed(operator, key, type='account', limits=limits)}" for key in (system, account)
    )
    trust = f"""
        operator: {signed(operator, operator, type="operator")}
        system_account: {name(system)}
        resolver: MEMORY
        resolver_preload: {{ {accounts} }}
    """
    file, for_user = tmp_path / "duty.creds", signed(account, user, type="user", **free)
    file.write_text(
        f"-----BEGIN NATS USER JWT-----\n{for_user}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed.decode()}\n------END USER NKEY SEED------\n"
    )

    async def use(url, credentials):
        client = await connect(url, credentials, name="test", timeout=2)
        heard = await client.subscribe("a")
        await client.publish("a", b"b")
        message = await heard.next_msg(5)
        await client.close()
        return message.data

    with NatsServer(tmp_path, extra=trust) as server:
        assert asyncio.run(use(server.url, file)) == b"b"
        with pytest.raises(Retriable):
            asyncio.run(use(server.url, None))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://localhost:4222", "invalid NATS URL"),
        ("localhost:4222", "invalid NATS URL"),
        ("nats://", "invalid NATS URL"),
        ("nats://localhost:99999", "invalid NATS URL"),
        ("nats://localhost:port", "invalid NATS URL"),
        ("nats://[::1", "invalid NATS URL"),
        (f"nats://duty:{PASSWORD}@localhost:4222", "into the file of the credentials"),
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
    with pytest.raises(
        InvalidInput, match=r"credentials: the (NATS credentials cannot be read|file is empty)"
    ):
        asyncio.run(connect("nats://localhost:4222", file, name="test"))
