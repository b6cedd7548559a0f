"""Only messages signed by a trusted key are accepted; others go to quarantine."""

import asyncio
import base64
import subprocess
import threading

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.errors import InvalidInput
from mxtvhf.intake.intake import Intake
from mxtvhf.intake.listen import gate
from mxtvhf.intake.nats_stream import NatsStream
from mxtvhf.intake.signatures import HEADER, check_signature, trusted_keys
from mxtvhf.operation.stack.processes import wait_until
from mxtvhf.reporting.messages.connection import connect
from mxtvhf.settings import IntakePolicy

KEY, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()


def public_pem(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def signed(key, raw):
    return base64.b64encode(key.sign(raw)).decode()


@pytest.fixture
def keys_file(tmp_path):
    path = tmp_path / "trusted.pem"
    path.write_bytes(public_pem(KEY))
    return path


@pytest.mark.service
def test_openssl_makes_keys_and_signatures(tmp_path):
    def openssl(*arguments):
        return subprocess.run(
            ["openssl", *map(str, arguments)], cwd=tmp_path, check=True, capture_output=True
        ).stdout

    (tmp_path / "alert.xml").write_bytes(b"<alert/>")
    openssl("genpkey", "-algorithm", "ed25519", "-out", "key.pem")
    (tmp_path / "trusted.pem").write_bytes(public_pem(OTHER) + openssl("pkey", "-in", "key.pem", "-pubout"))
    signature = openssl("pkeyutl", "-sign", "-rawin", "-inkey", "key.pem", "-in", "alert.xml")
    keys = trusted_keys(tmp_path / "trusted.pem")
    assert len(keys) == 2
    check_signature(b"<alert/>", base64.b64encode(signature).decode(), keys)


@given(raw=st.binary(max_size=50), change=st.binary(min_size=1, max_size=3))
def test_a_signature_is_valid_only_for_its_bytes(raw, change):
    keys = (OTHER.public_key(), KEY.public_key())
    check_signature(raw, signed(KEY, raw), keys)
    with pytest.raises(InvalidInput, match="no trusted key made it"):
        check_signature(raw + change, signed(KEY, raw), keys)


@pytest.mark.parametrize(
    ("signature", "cause"),
    [
        (None, f"unsigned message: the header {HEADER} is missing"),
        ("", "no trusted key made it"),
        ("AAAA", "no trusted key made it"),
        ("not base64!", "expected a signature in base64"),
        ("é", "expected a signature in base64"),
        pytest.param(signed(OTHER, b"raw"), "no trusted key made it", id="of another key"),
    ],
)
def test_an_invalid_signature_is_rejected(signature, cause):
    with pytest.raises(InvalidInput, match=cause):
        check_signature(b"raw", signature, (KEY.public_key(),))


SECRET_PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (None, "cannot be read: No such file"),
        (b"", "no PEM key"),
        (b"ssh-ed25519 AAAA", "no PEM key"),
        (SECRET_PEM, "expected only public Ed25519 keys"),
        (public_pem(KEY).replace(b"MCow", b"MCox"), "expected only public Ed25519 keys"),
    ],
)
def test_an_unusable_file_of_keys_is_named_but_not_shown(tmp_path, content, cause):
    if content is not None:
        (tmp_path / "trusted.pem").write_bytes(content)
    with pytest.raises(InvalidInput, match=rf"trusted\.pem: .*{cause}") as error:
        trusted_keys(tmp_path / "trusted.pem")
    assert SECRET_PEM.decode().split("\n")[1] not in str(error.value)


def publish(server, messages):
    async def send():
        client = await connect(server.url, name="publisher")
        for raw, headers in messages:
            await client.jetstream().publish("mxtvhf.in.alerts", raw, headers=headers)
        await client.close()

    asyncio.run(send())


@pytest.mark.service
def test_only_messages_signed_by_a_trusted_key_are_accepted_over_nats(
    nats_server, archive, products, burst, keys_file
):
    told, stop = [], threading.Event()
    intake = Intake(archive, None, IntakePolicy(), products, lambda message, reason: told.append(reason))
    source = NatsStream(nats_server.url, None, archive.root, gate(intake, keys_file))
    thread = threading.Thread(target=source.run, args=(stop,))
    thread.start()
    try:
        wait_until(lambda: exists(nats_server), what="the stream", timeout=30)
        publish(
            nats_server,
            [
                (burst.alert, None),
                (burst.wakeup, {HEADER: signed(OTHER, burst.wakeup)}),
                (burst.retraction, {HEADER: signed(KEY, burst.wakeup)}),
                (burst.alert, {HEADER: signed(KEY, burst.alert)}),
            ],
        )
        wait_until(intake.incoming.waiting, what="the signed message", timeout=30)
    finally:
        stop.set()
        thread.join()
    assert [intake.incoming.read(path).raw for path in intake.incoming.waiting()] == [burst.alert]
    # Set aside with the reason, not lost.
    assert len(archive.quarantined()) == len(told) == 3
    assert sum("unsigned message" in reason for reason in told) == 1
    assert all(reason.startswith("NATS mxtvhf.in.alerts: ") for reason in told)


def exists(server):
    async def look():
        client = await connect(server.url, name="test")
        try:
            return any(info.config.name == "MXTVHF_IN" for info in await client.jetstream().streams_info())
        finally:
            await client.close()

    return asyncio.run(look())


def test_without_trusted_keys_signatures_are_ignored(archive, products):
    intake = Intake(archive, None, IntakePolicy(), products)
    assert gate(intake, None) == intake.keep
