"""The NATS source with a real server: no loss stays undetected when the server fails."""

import asyncio
import json
import socket
import threading
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from mxtvhf.archive.failures import failing_parts
from mxtvhf.archive.stream_gaps import read_gaps
from mxtvhf.intake.nats_stream import OTHER_MISSIONS, OURS, NatsStream
from mxtvhf.intake.parts import Part
from mxtvhf.intake.spool import Spool
from mxtvhf.intake.stream_ledger import StreamLedger
from mxtvhf.operation.stack.processes import wait_until
from mxtvhf.reporting.messages.connection import connect
from support.nats_server import NatsServer, free_port
from support.vhf_network import ODD_HEADERS, ODD_SUBJECTS, publish_raw


def contents(numbers):
    return [f"message {number:04d} ".encode() * 8 for number in numbers]


def publish(server, payloads, subject="mxtvhf.in.alerts"):
    """Publish to the stream and wait for each acknowledgement of the server."""

    async def send():
        client = await connect(server.url, name="publisher")
        try:
            for payload in payloads:
                await client.jetstream().publish(subject, payload)
        finally:
            await client.close()

    asyncio.run(send())


class Listener:
    def __init__(self, server, root, keep=None, inlet=OURS):
        self.root, self.room, self.gaps = root, Spool(root), []
        self.stop = threading.Event()
        source = NatsStream(
            server.url, None, root, keep or self.room.keep, on_gap=self.gaps.append, audit_s=0.5, inlet=inlet
        )
        self.thread = threading.Thread(target=Part("NATS", source.run, root).run, args=(self.stop,))

    @property
    def kept(self):
        return sorted(self.room.read(path).raw for path in self.room.waiting())

    def waits_for(self, payloads):
        wait_until(lambda: set(payloads) <= set(self.kept), what="messages", timeout=60)


@contextmanager
def listening(server, root, **options):
    listener = Listener(server, root, **options)
    listener.thread.start()
    try:
        yield listener
    finally:
        listener.stop.set()
        listener.thread.join()


@pytest.mark.service
def test_messages_published_before_and_after_the_start_are_stored_once(nats_server, tmp_path):
    with listening(nats_server, tmp_path) as listener:
        wait_until(lambda: exists(nats_server), what="the stream", timeout=30)
        publish(nats_server, contents(range(40)))
        listener.waits_for(contents(range(40)))
    publish(nats_server, contents(range(30, 60)))
    with listening(nats_server, tmp_path) as listener:
        listener.waits_for(contents(range(60)))
    assert listener.kept == contents(range(60))
    assert list(read_gaps(tmp_path)) == []


def exists(server, inlet=OURS):
    async def ask():
        client = await connect(server.url, name="test")
        try:
            return [stream.config.name for stream in await client.jetstream().streams_info()]
        finally:
            await client.close()

    return inlet.stream in asyncio.run(ask())


@pytest.mark.service
def test_other_missions_have_a_stream_of_their_own(nats_server, tmp_path):
    with (
        listening(nats_server, tmp_path / "ours") as ours,
        listening(nats_server, tmp_path / "sky", inlet=OTHER_MISSIONS) as sky,
    ):
        wait_until(
            lambda: exists(nats_server) and exists(nats_server, OTHER_MISSIONS), what="streams", timeout=30
        )
        publish(nats_server, contents(range(50)), "mxtvhf.sky.fermi")
        publish(nats_server, contents([99]))
        ours.waits_for(contents([99]))
        sky.waits_for(contents(range(50)))
    assert (ours.kept, sky.kept) == (contents([99]), contents(range(50)))


@pytest.mark.service
def test_two_listeners_share_the_work_and_lose_nothing(nats_server, tmp_path):
    with listening(nats_server, tmp_path) as one, listening(nats_server, tmp_path):
        wait_until(lambda: exists(nats_server), what="the stream", timeout=30)
        publish(nats_server, contents(range(200)))
        one.waits_for(contents(range(200)))
    assert list(read_gaps(tmp_path)) == []


@pytest.mark.service
def test_messages_survive_a_killed_server(nats_server, tmp_path):
    with listening(nats_server, tmp_path) as listener:
        wait_until(lambda: exists(nats_server), what="the stream", timeout=30)
        for number in range(3):
            publish(nats_server, contents(range(20 * number, 20 * number + 20)))
            nats_server.kill()
            nats_server.start()
        publish(nats_server, contents(range(60, 80)))
        listener.waits_for(contents(range(80)))
    assert list(read_gaps(tmp_path)) == []


@pytest.mark.service
def test_a_message_that_cannot_be_stored_is_not_acknowledged(nats_server, tmp_path):
    def full(message):
        raise OSError("no space left on device")

    with listening(nats_server, tmp_path, keep=full):
        wait_until(lambda: exists(nats_server), what="the stream", timeout=30)
        publish(nats_server, contents(range(3)))
        assert pending(nats_server) == 3
    with listening(nats_server, tmp_path) as listener:
        listener.waits_for(contents(range(3)))


def pending(server):
    """Return the number of unacknowledged messages of the consumer."""

    async def ask():
        client = await connect(server.url, name="test")
        try:
            info = await client.jetstream().consumer_info("MXTVHF_IN", "mxtvhf-listen")
            return info.num_pending + info.num_ack_pending
        finally:
            await client.close()

    return asyncio.run(ask())


@pytest.mark.service
def test_any_bytes_in_a_subject_or_header_are_stored_once_without_delay(nats_server, tmp_path, caplog):
    with listening(nats_server, tmp_path) as listener:
        wait_until(lambda: exists(nats_server), what="the stream", timeout=30)
        odd = []
        for number, subject in enumerate(ODD_SUBJECTS):
            odd.append(b"subject %d" % number)
            publish_raw(nats_server, subject, odd[-1])
            publish(nats_server, contents([number]))
        for number, headers in enumerate(ODD_HEADERS):
            odd.append(b"header %d" % number)
            publish_raw(nats_server, b"mxtvhf.in.alerts", odd[-1], headers)
            publish(nats_server, contents([100 + number]))
        sound = contents([*range(len(ODD_SUBJECTS)), *range(100, 100 + len(ODD_HEADERS))])
        listener.waits_for([*sound, *odd])
        wait_until(lambda: pending(nats_server) == 0, what="acknowledgements", timeout=20)
        wait_until(lambda: not failing_parts(tmp_path), what="work without faults", timeout=30)
    assert list(read_gaps(tmp_path)) == []
    sources = {listener.room.read(path).source for path in listener.room.waiting()}
    assert all(source.isprintable() for source in sources)
    assert r"NATS mxtvhf.in.caf\xe9" in sources


@pytest.mark.service
def test_messages_that_break_the_client_are_fetched_by_number(nats_server, tmp_path):
    """Our protection of the client is disabled, which covers any other cause of a broken client."""
    with listening(nats_server, tmp_path):
        wait_until(lambda: exists(nats_server), what="the stream", timeout=30)
    odd = [b"odd %d" % number for number in range(3)]
    for raw in odd:
        publish_raw(nats_server, b"mxtvhf.in.vertical\x0btab", raw)
        publish(nats_server, contents([int(raw[-1:])]))
    with listening(nats_server, tmp_path) as listener:
        listener.waits_for([*contents(range(3)), *odd])
        wait_until(lambda: pending(nats_server) == 0, what="acknowledgements", timeout=20)


@pytest.mark.service
def test_unusual_headers_of_a_refetched_message_are_accepted(nats_server, tmp_path):
    with listening(nats_server, tmp_path / "one"):
        wait_until(lambda: exists(nats_server), what="the stream", timeout=30)
        for number, headers in enumerate(ODD_HEADERS):
            publish_raw(nats_server, b"mxtvhf.in.alerts", b"header %d" % number, headers)
        wait_until(lambda: pending(nats_server) == 0, what="acknowledgements", timeout=60)
    # Another archive lacks what the consumer has had, and fetches it by its numbers.
    with listening(nats_server, tmp_path / "two") as listener:
        listener.waits_for([b"header %d" % number for number in range(len(ODD_HEADERS))])
    assert list(read_gaps(tmp_path / "two")) == []


@pytest.mark.service
def test_unacknowledged_messages_of_a_killed_listener_are_taken_at_once(nats_server, tmp_path):
    with listening(nats_server, tmp_path):
        wait_until(lambda: exists(nats_server), what="the stream", timeout=30)
    publish(nats_server, contents(range(5)))

    async def take_and_die():
        client = await connect(nats_server.url, name="killed")
        subscription = await client.jetstream().pull_subscribe_bind("mxtvhf-listen", "MXTVHF_IN")
        assert len(await subscription.fetch(5, timeout=5)) == 5
        await client.close()

    asyncio.run(take_and_die())
    with listening(nats_server, tmp_path) as listener:
        listener.waits_for(contents(range(5)))
    assert all(listener.room.read(path).source.endswith("fetched again") for path in listener.room.waiting())


@pytest.mark.service
def test_a_message_outside_the_stream_is_ignored(tmp_path):
    """A user who may publish to our inbox subject can imitate an answer of the server."""
    port = free_port()
    with (
        NatsServer(tmp_path, extra=f'http: "127.0.0.1:{port}"') as nats_server,
        listening(nats_server, tmp_path) as listener,
    ):
        wait_until(lambda: exists(nats_server), what="the stream", timeout=30)
        for subject in inboxes(port):
            for body in (b"", b"<a/>", b"{}"):
                publish_raw(nats_server, subject.encode(), body)
                publish_raw(nats_server, subject.encode(), body, b"NATS/1.0 \xe9\r\n\r\n")
        publish(nats_server, contents(range(3)))
        listener.waits_for(contents(range(3)))
        assert listener.kept == contents(range(3))


def inboxes(monitor_port):
    """Return the subjects to which the listener is subscribed."""
    with socket.create_connection(("127.0.0.1", monitor_port), timeout=10) as link:
        link.sendall(b"GET /connz?subs=1 HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: link.recv(65536), b""))
    connections = json.loads(answer.partition(b"\r\n\r\n")[2])["connections"]
    return [name.replace("*", "x") for one in connections for name in one.get("subscriptions_list", ())]


def the_block(server):
    (block,) = server.store.rglob("*.blk")
    return block


@pytest.fixture
def filled(nats_server, tmp_path):
    """Yield a server whose stream has 50 unread messages."""
    with listening(nats_server, tmp_path):
        wait_until(lambda: exists(nats_server), what="the stream", timeout=30)
    publish(nats_server, contents(range(50)))
    return nats_server


@pytest.mark.service
def test_a_flipped_bit_on_the_servers_disk_is_detected(filled, tmp_path):
    filled.stop()
    raw = bytearray(the_block(filled).read_bytes())
    raw[raw.find(b"message 0020") + 3] ^= 4
    the_block(filled).write_bytes(raw)
    filled.start()
    with listening(filled, tmp_path) as listener:
        wait_until(lambda: bool(listener.gaps), what="the gap", timeout=30)
        listener.waits_for([*contents(range(20)), *contents(range(21, 50))])
    (gap,) = read_gaps(tmp_path)
    assert (gap.first, gap.last, gap.cause) == (21, 21, "unreadable in the stream")
    with listening(filled, tmp_path) as again:
        publish(filled, contents([60]))
        again.waits_for(contents([60]))
    assert len(list(read_gaps(tmp_path))) == 1, "a loss is reported once"


@pytest.mark.service
def test_lost_newest_messages_are_detected_and_new_ones_are_received(filled, tmp_path):
    with listening(filled, tmp_path) as listener:
        listener.waits_for(contents(range(50)))
    filled.stop()
    raw = the_block(filled).read_bytes()
    the_block(filled).write_bytes(raw[: raw.find(b"message 0045") - 40])
    filled.start()
    # These get the numbers of the lost ones, which the consumer thinks it has had.
    publish(filled, contents(range(100, 103)))
    with listening(filled, tmp_path) as listener:
        listener.waits_for(contents(range(100, 103)))
    gaps = list(read_gaps(tmp_path))
    assert [gap.cause for gap in gaps] == ["the stream lost its end"]
    assert gaps[0].last == 50


def test_the_ledger_includes_the_lines_of_other_intakes(tmp_path):
    made = datetime(2026, 3, 7, tzinfo=UTC)
    one, other = (StreamLedger(tmp_path, "S", made) for _ in range(2))
    one.note(1, b"a")
    other.note(3, b"c")
    assert one.missing(1, 4) == other.missing(1, 4) == [2, 4]
    assert one.agrees(3, b"c")
    assert not one.agrees(3, b"other")
    other.lose(2, 2, "unreadable in the stream")
    assert one.missing(1, 4) == [4]
    one.start_anew()
    assert other.newest() is None
    assert other.missing(1, 2) == [1, 2]
