"""The Kafka source, tested with the mock broker of librdkafka, which uses the real protocol."""

import threading

import gcn_kafka
import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from mxtvhf.archive.failures import failing_parts
from mxtvhf.errors import InvalidInput, Retriable
from mxtvhf.intake.gcn_kafka import TOPICS, GcnAccess, GcnKafka, _reason
from mxtvhf.intake.parts import Part
from mxtvhf.intake.spool import Spool
from mxtvhf.operation.stack.processes import wait_until


class Broker:
    """Yield a producer whose process contains the broker."""

    def __init__(self):
        self.producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "unused"})
        brokers = self.producer.list_topics(timeout=10).brokers
        (node,) = brokers.values()
        self.address = f"{node.host}:{node.port}"

    def publish(self, topic, *values):
        for value in values:
            self.producer.produce(topic, value)
        assert self.producer.flush(20) == 0


@pytest.fixture
def broker():
    return Broker()


@pytest.fixture
def access(broker):
    return GcnAccess(
        heartbeat=False,
        circulars=False,
        config={
            "bootstrap.servers": broker.address,
            "security.protocol": "plaintext",
            "topic.metadata.refresh.interval.ms": 500,
            "session.timeout.ms": 6000,
        },
    )


def take(access, keep, until, root, read_circular=None):
    stop = threading.Event()
    part = Part("GCN", GcnKafka(access, keep, read_circular).run, root)
    thread = threading.Thread(target=part.run, args=(stop,))
    thread.start()
    try:
        wait_until(until, what="notices", timeout=60)
    finally:
        stop.set()
        thread.join()


@pytest.mark.slow
def test_notices_of_all_topics_are_stored_and_committed(broker, access, burst, tmp_path):
    room = Spool(tmp_path)
    notices = {topic: f"<a>{topic}</a>".encode() for topic in TOPICS} | {TOPICS[2]: burst.alert}
    for topic, notice in notices.items():
        broker.publish(topic, notice)
    kept = lambda: {room.read(path).raw for path in room.waiting()}  # noqa: E731
    take(access, room.keep, lambda: kept() == set(notices.values()), tmp_path)
    sources = sorted(room.read(path).source for path in room.waiting())
    assert sources[0].startswith("GCN gcn.notices.svom.voevent.eclairs ")
    for path in room.waiting():
        room.done(path)
    broker.publish(TOPICS[0], b"<a>next</a>")
    take(access, room.keep, lambda: b"<a>next</a>" in kept(), tmp_path)
    assert kept() == {b"<a>next</a>"}


@pytest.mark.slow
def test_circulars_are_read_beside_notices(broker, access, tmp_path):
    read, room = [], Spool(tmp_path)
    broker.publish("gcn.circulars", b"{}")
    broker.publish(TOPICS[0], b"<a>notice</a>")
    access = access.model_copy(update={"circulars": True})
    take(access, room.keep, lambda: read and list(room.waiting()), tmp_path, read.append)
    assert read == [b"{}"]
    assert [room.read(path).raw for path in room.waiting()] == [b"<a>notice</a>"]


@pytest.mark.slow
def test_a_notice_that_could_not_be_stored_is_not_committed(broker, access, tmp_path):
    broker.publish(TOPICS[0], b"<a>first</a>")
    tried = threading.Event()

    def full(message):
        tried.set()
        raise OSError("no space left on device")

    take(access, full, tried.is_set, tmp_path)
    room = Spool(tmp_path)
    take(access, room.keep, lambda: bool(room.waiting()), tmp_path)


@pytest.mark.slow
def test_a_failed_commit_restarts_the_source_and_the_notice_is_received_again(
    broker, access, tmp_path, monkeypatch
):
    """The coordinator of the group may be unreachable; the exception is librdkafka's own."""
    commit, refusals = gcn_kafka.Consumer.commit, []

    def refuse_once(consumer, **options):
        if not refusals:
            refusals.append(options)
            raise KafkaException(KafkaError(KafkaError.NOT_COORDINATOR))
        return commit(consumer, **options)

    monkeypatch.setattr(gcn_kafka.Consumer, "commit", refuse_once)
    room, times = Spool(tmp_path), []

    def keep(message):
        times.append(message.source)
        room.keep(message)

    broker.publish(TOPICS[0], b"<a>first</a>")
    take(access, keep, lambda: len(times) >= 2 and not failing_parts(tmp_path), tmp_path)
    assert [room.read(path).raw for path in room.waiting()] == [b"<a>first</a>"]


@pytest.mark.parametrize("given", ['client_id = "me"', 'client_secret = "canary"'])
def test_one_credential_without_the_other_is_rejected(given, tmp_path):
    path = tmp_path / "gcn.toml"
    path.write_text(given)
    with pytest.raises(InvalidInput, match="expected both client_id and client_secret") as error:
        GcnAccess.from_file(path)
    assert "canary" not in str(error.value)


def test_an_invalid_option_of_librdkafka_is_named(access, tmp_path):
    wrong = access.model_copy(update={"config": {"no.such.option": 1}})
    with pytest.raises(InvalidInput, match=r"no\.such\.option"):
        GcnKafka(wrong, lambda message: None, None).run(threading.Event())


def test_a_silent_heartbeat_is_a_failure(access, monkeypatch):
    monkeypatch.setattr("mxtvhf.intake.gcn_kafka.SILENCE_S", 0.0)
    silent = access.model_copy(update={"heartbeat": True})
    with pytest.raises(Retriable, match="no heartbeat"):
        GcnKafka(silent, lambda message: None, None).run(threading.Event())


@pytest.mark.slow
def test_notices_in_a_storm_show_that_the_connection_works(broker, access):
    """The last heartbeat is long ago, since further ones wait behind the notices."""
    broker.publish(TOPICS[0], *(f"<a>{number}</a>".encode() for number in range(5)))
    stop, kept = threading.Event(), []

    def keep(message):
        kept.append(message.raw)
        source._heard -= 1000.0
        if len(kept) == 5:
            stop.set()

    source = GcnKafka(access.model_copy(update={"heartbeat": True}), keep, None)
    source.run(stop)
    assert len(kept) == 5


@pytest.mark.parametrize(
    ("code", "is_named"),
    [
        (KafkaError._AUTHENTICATION, True),
        (KafkaError.SASL_AUTHENTICATION_FAILED, True),
        (KafkaError._TRANSPORT, False),
    ],
)
def test_refused_credentials_are_told_with_the_rule_of_30_days(code, is_named):
    told = _reason(KafkaError(code, "invalid_client"))
    assert told.startswith("invalid_client")
    assert ("30 days; create new ones" in told) is is_named


def test_credentials_are_read_from_a_file_and_never_shown(tmp_path):
    path = tmp_path / "gcn.toml"
    path.write_text('client_id = "me"\nclient_secret = "canary"\n')
    access = GcnAccess.from_file(path)
    assert access.topics == TOPICS
    assert "canary" not in repr(access)
    for text in ('client_secret = ["canary"]', 'secret = "canary"', "client_secret = canary"):
        path.write_text(text)
        with pytest.raises(InvalidInput) as error:
            GcnAccess.from_file(path)
        assert str(path) in str(error.value)
        assert "canary" not in str(error.value)
    with pytest.raises(InvalidInput, match="cannot be read"):
        GcnAccess.from_file(tmp_path / "none.toml")
