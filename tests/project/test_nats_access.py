"""Permissions at a NATS server with TLS and users, set up as in docs/explanation/security.md."""

import asyncio
import re
from contextlib import asynccontextmanager
from pathlib import Path

import nats
import nats.errors
import pytest

from mxtvhf.errors import InvalidInput, Retriable
from mxtvhf.intake.nats_stream import DURABLE, STREAM, _set_up
from mxtvhf.reporting.messages.connection import connect
from mxtvhf.settings import NatsTls
from support.certificates import HOUR, Authority, write_certificate
from support.nats_server import NatsServer
from support.project import PROJECT

pytestmark = pytest.mark.service

PASSWORDS = {"mxtvhf": "canary-ours", "station": "canary-station", "reader": "canary-reader"}


@pytest.fixture
def certificate(tmp_path, monkeypatch):
    """Return a server's key and certificate, which this process trusts."""
    key, certificate = write_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return f'tls {{ cert_file: "{certificate}", key_file: "{key}" }}'


@pytest.fixture
def server(tmp_path, certificate):
    """The server of the documentation, with passwords."""
    page = (PROJECT / "docs" / "explanation" / "security.md").read_text()
    (users,) = re.findall(r"```\n(authorization \{.*?)```", page, re.DOTALL)
    for user, password in PASSWORDS.items():
        users = users.replace(f"<password of {user}>", password)
        (tmp_path / user).write_text(f"{user}:{password}")
    with NatsServer(tmp_path, extra=certificate + "\n" + users) as running:
        running.url = running.url.replace("nats://", "tls://")
        yield running


@asynccontextmanager
async def logged_in(server, tmp_path, user):
    if user == "mxtvhf":
        client = await connect(server.url, tmp_path / user, name=user, timeout=3)
    else:  # somebody else's program
        client = await nats.connect(server.url, user=user, password=PASSWORDS[user])
    try:
        yield client
    finally:
        await client.close()


def test_wrong_nats_passwords_are_rejected(server, tmp_path):
    (tmp_path / "wrong").write_text("station:guess")
    for credentials in (None, tmp_path / "wrong"):
        with pytest.raises(Retriable, match=r"(?i)authorization"):
            asyncio.run(connect(server.url, credentials, name="stranger", timeout=1))


def test_a_station_may_only_publish_to_the_intake(server, tmp_path):
    async def use():
        async with (
            logged_in(server, tmp_path, "mxtvhf") as ours,
            logged_in(server, tmp_path, "station") as station,
            logged_in(server, tmp_path, "reader") as reader,
        ):
            await _set_up(ours.jetstream())
            overheard = await station.subscribe("_INBOX.>")
            await station.flush()
            await station.jetstream().publish("mxtvhf.in.packets.hbk", b"one")
            fetched = await (await ours.jetstream().pull_subscribe_bind(DURABLE, STREAM)).fetch(1, timeout=5)
            heard = await reader.subscribe("mxtvhf.out.>")
            await reader.flush()
            for client, subject in (
                (station, "mxtvhf.out.sb26030704.report.final"),
                (reader, "mxtvhf.in.alerts"),
                (reader, "mxtvhf.out.sb26030704.report.final"),
                (station, "$JS.API.STREAM.DELETE.MXTVHF_IN"),
            ):
                await client.publish(subject, b"forged")
                await client.flush()
            for client in (station, reader):
                with pytest.raises(nats.errors.Error):
                    await client.jetstream(timeout=0.5).stream_info(STREAM)
            state = (await ours.jetstream().stream_info(STREAM)).state
            await ours.publish("mxtvhf.out.sb26030704.report.final", b"ours")
            message = await heard.next_msg(5)
            # Of all that was answered, the station heard that its own message was stored.
            answers = [overheard.pending_msgs, heard.pending_msgs]
            return fetched[0].data, state.messages, message.data, answers

    assert asyncio.run(use()) == (b"one", 1, b"ours", [1, 0])


def test_a_certificate_of_an_unknown_authority_is_rejected(server, tmp_path, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(Retriable, match=r"(?i)certificate"):
        asyncio.run(connect(server.url, tmp_path / "mxtvhf", name="test", timeout=1))


def test_a_certificate_of_another_host_is_rejected(server, tmp_path):
    url = server.url.replace("127.0.0.1", "localhost")
    with pytest.raises(Retriable, match=r"(?i)certificate|hostname"):
        asyncio.run(connect(url, tmp_path / "mxtvhf", name="test", timeout=1))


def test_no_password_is_sent_unencrypted_if_tls_is_required():
    """The greeting has no TLS, as from a wrongly configured server or an attacker in between."""
    heard = bytearray()

    async def greet(reader, writer):
        writer.write(
            b'INFO {"server_id":"x","version":"2.9.10","max_payload":1048576,"auth_required":true}\r\n'
        )
        heard.extend(await reader.read(1000))
        writer.close()

    async def use():
        async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            credentials = Path(__file__)
            with pytest.raises(Retriable, match="the server offers no TLS"):
                await connect(f"tls://127.0.0.1:{port}", credentials, name="test", timeout=1)

    asyncio.run(use())
    assert not heard


# ------------------------------------------------------------------ certificates of clients


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority")


def strict(authority, folder, **validity):
    """Run a server that accepts only clients with a certificate of the authority."""
    certificate, key = authority.issue("nats", **validity)
    tls = f'tls {{ cert_file: "{certificate}", key_file: "{key}", ca_file: "{authority.ca}", verify: true }}'
    folder.mkdir(exist_ok=True)
    server = NatsServer(folder, extra=tls)
    server.url = server.url.replace("nats://", "tls://")
    return server


def connects(server, tls):
    async def use():
        client = await connect(server.url, name="test", tls=tls, timeout=2)
        await client.close()

    asyncio.run(use())


def test_only_clients_with_a_certificate_of_the_authority_are_accepted(authority, tmp_path):
    certificate, key = authority.issue("mxtvhf")
    stranger = Authority(tmp_path / "elsewhere").issue("stranger")
    with strict(authority, tmp_path / "nats") as server:
        connects(server, NatsTls(ca=authority.ca, certificate=certificate, key=key))
        for tls in (
            NatsTls(ca=authority.ca),
            NatsTls(ca=authority.ca, certificate=stranger[0], key=stranger[1]),
        ):
            with pytest.raises(Retriable, match="no connection to NATS"):
                connects(server, tls)


def test_an_expired_certificate_is_named_and_a_renewed_one_is_accepted(authority, tmp_path):
    certificate, key = authority.issue("mxtvhf")
    tls = NatsTls(ca=authority.ca, certificate=certificate, key=key)
    with strict(authority, tmp_path / "nats", begins=-2 * HOUR, ends=-HOUR) as server:
        with pytest.raises(Retriable, match="certificate has expired"):
            connects(server, tls)
        server.stop()
        authority.issue("nats")
        server.start()
        connects(server, tls)


def test_unusable_certificate_files_are_named(authority, tmp_path):
    certificate, _ = authority.issue("mxtvhf")
    _, other = authority.issue("other")
    (tmp_path / "empty").touch()
    for tls, cause in (
        (NatsTls(ca=tmp_path / "missing"), "missing: the CA certificate cannot be read: No such file"),
        (NatsTls(ca=tmp_path / "empty"), "empty: the CA certificate cannot be read"),
        (NatsTls(ca=authority.ca, certificate=certificate, key=other), "other-key.pem: invalid certificate"),
    ):
        with pytest.raises(InvalidInput, match=cause):
            asyncio.run(connect("tls://127.0.0.1:1", name="test", tls=tls))
    with pytest.raises(InvalidInput, match=r"127\.0\.0\.1:1: not a TLS URL; nats_tls requires tls://"):
        asyncio.run(connect("nats://127.0.0.1:1", name="test", tls=NatsTls(ca=authority.ca)))


def test_an_endless_tls_handshake_reaches_the_time_limit(authority):
    """The end of such a connection is never reported, so neither a try nor its end may wait for it."""

    async def greet(reader, writer):
        writer.write(
            b'INFO {"server_id":"x","version":"2.9.10","max_payload":1048576,"tls_required":true}\r\n'
        )
        await reader.read()
        writer.close()

    async def use():
        async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            tries = connect(f"tls://127.0.0.1:{port}", name="test", tls=NatsTls(ca=authority.ca), timeout=0.5)
            with pytest.raises(Retriable, match="no connection to NATS"):
                await asyncio.wait_for(tries, 60)

    asyncio.run(use())


def test_the_time_limit_holds_during_a_refusal(authority, tmp_path):
    """Forty clients that are refused again and again, each with its time over at another moment."""

    async def use():
        with strict(authority, tmp_path / "nats") as server:
            tries = [
                connect(server.url, name="test", tls=NatsTls(ca=authority.ca), timeout=0.3 + 0.01 * number)
                for number in range(40)
            ]
            ends = asyncio.gather(*tries, return_exceptions=True)
            assert {type(end) for end in await asyncio.wait_for(ends, 60)} == {Retriable}

    asyncio.run(use())
