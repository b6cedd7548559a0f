"""What is released is archived and told once, whenever it is tried again and wherever it is killed."""

import asyncio
import itertools
import multiprocessing
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from click import unstyle

from mxtvhf.cli.messages import line
from mxtvhf.errors import InvalidInput, NothingToDo
from mxtvhf.models.files import sha256_of
from mxtvhf.reporting.announcement.deliveries import Channels
from mxtvhf.reporting.announcement.model import Decision, Release
from mxtvhf.reporting.announcement.release import release
from mxtvhf.reporting.messages import Outbox, read_message
from mxtvhf.reporting.messages.connection import connect
from mxtvhf.reporting.messages.publisher import STREAM, ensure_stream, forward_outbox
from support.announcements import BURST, DECIDED, ECLAIRS, decision, report
from support.release_process import release_and_die
from support.webhook_server import SECRET, WebhookServer


@pytest.fixture
def webhook(tmp_path):
    with WebhookServer(tmp_path) as server:
        yield server


@pytest.fixture
def releases(tmp_path):
    return tmp_path / "releases"


@pytest.fixture
def announce(tmp_path, releases, webhook):
    def use(about=None, wanted=None, *, channels=None, **more):
        about = about or report()
        return release(
            about,
            wanted or decision(about),
            releases=releases,
            channels=channels or Channels(outbox=tmp_path / "outbox", webhook=webhook.url_file),
            now=DECIDED + timedelta(seconds=5),
            **more,
        )

    return use


def states(released):
    return {delivery.channel: delivery.state for delivery in released.deliveries}


def waiting(tmp_path):
    outbox = Outbox(tmp_path / "outbox")
    return [read_message(path.read_bytes()) for path in outbox.waiting()]


def test_an_approval_is_archived_and_delivered(announce, releases, webhook, tmp_path):
    released = announce()
    folder = releases / BURST / f"{BURST}__1"
    assert Release.model_validate_json((folder / "release.json").read_bytes()) == released
    assert Decision.model_validate_json((folder / "decision.json").read_bytes()) == decision(report())
    assert (released.number, released.ivorn, released.supersedes) == (
        1,
        f"ivo://mxt-vhf/announcements#{BURST}_1",
        None,
    )
    assert set(released.products) == {"voevent", "gcn_notice", "circular", "message"}
    for product in released.products.values():
        assert sha256_of((folder / product.path).read_bytes()) == product.sha256
    assert states(released) == {"nats": "sent", "webhook": "sent"}
    assert webhook.texts == [(folder / "message.txt").read_text()]
    (told,) = waiting(tmp_path)
    assert told.voevent == (folder / "voevent.xml").read_text()
    shown = unstyle(line(told.model_dump_json().encode()))
    assert f"announcement  released  {released.ivorn} {BURST}: SVOM/MXT detection of" in shown


def test_repeating_a_change_changes_and_sends_nothing(announce, webhook, releases):
    first = announce()
    before = {path: path.read_bytes() for path in releases.rglob("*") if path.is_file()}
    assert announce() == first
    assert {path: path.read_bytes() for path in releases.rglob("*") if path.is_file()} == before
    assert len(webhook.got) == 1


def test_concurrent_releases_release_once(announce, webhook, tmp_path):
    start = threading.Barrier(6)

    def one(_):
        start.wait()
        return announce()

    with ThreadPoolExecutor(6) as pool:
        released = list(pool.map(one, range(6)))
    assert all(each == released[0] for each in released)
    assert len(webhook.got) == 1
    assert len(waiting(tmp_path)) == 1


def test_an_update_supersedes(announce):
    first, second = announce(), announce(report(2))
    assert (second.number, second.supersedes) == (2, first.ivorn)


def test_an_older_result_does_not_supersede_a_newer_one(announce, releases, webhook):
    announce(report(2))
    with pytest.raises(InvalidInput, match=f"the newer result {BURST}__2 was released"):
        announce(report(1))
    folder = releases / BURST / f"{BURST}__1"
    assert Decision.model_validate_json((folder / "decision.json").read_bytes()).choice == "approve"
    assert "the newer result" in (folder / "refused.txt").read_text()
    assert not (folder / "release.json").exists()
    assert len(webhook.got) == 1


def test_a_rejection_is_archived_and_not_delivered(announce, releases, webhook, tmp_path):
    with pytest.raises(NothingToDo, match="rejected by Ada Lovelace"):
        announce(wanted=decision(report(), "reject"))
    folder = releases / BURST / f"{BURST}__1"
    assert [path.name for path in folder.iterdir()] == ["decision.json"]
    assert (webhook.got, waiting(tmp_path)) == ([], [])


def test_a_rejection_may_be_changed_and_both_decisions_are_kept(announce, releases):
    with pytest.raises(NothingToDo):
        announce(wanted=decision(report(), "reject"))
    assert announce().number == 1
    assert len(list((releases / BURST / f"{BURST}__1" / "record").glob("decision-*.json"))) == 1


def test_a_release_is_not_changed_by_another_decision(announce):
    first = announce()
    for other in ({"choice": "reject"}, {"position": ECLAIRS.label}):
        with pytest.raises(InvalidInput, match=f"released as {first.ivorn} by Ada"):
            announce(wanted=decision(report(), **other))
    assert announce() == first


def test_a_test_is_never_delivered_and_has_its_own_numbers(announce, webhook, tmp_path):
    announce()
    tested = announce(report(2, is_test=True))
    assert states(tested) == {"nats": "off", "webhook": "off"}
    assert {delivery.reason for delivery in tested.deliveries} == {"tests are never delivered"}
    assert (tested.ivorn, tested.supersedes) == (f"ivo://mxt-vhf/announcements#{BURST}_test_1", None)
    assert (len(webhook.got), len(waiting(tmp_path))) == (1, 1)
    assert announce(report(3)).number == 2


@pytest.mark.parametrize(
    ("changes", "more", "cause"),
    [
        ({"is_replay": True}, {}, "a replay of an archived alert"),
        ({"is_retracted": True}, {}, "retracted"),
        ({}, {"retracted_by": "ivo://org.svom/fsc#x"}, r"retracted \(ivo://org.svom/fsc#x\)"),
    ],
)
def test_a_replay_or_a_retracted_result_is_refused(announce, webhook, changes, more, cause):
    with pytest.raises(InvalidInput, match=cause):
        announce(report(**changes), **more)
    assert webhook.got == []


def test_without_nats_and_webhook_it_is_archived(announce):
    assert states(announce(channels=Channels())) == {"nats": "off", "webhook": "off"}


@pytest.mark.parametrize("status", [302, 403, 500])
def test_a_refusal_of_the_webhook_is_recorded_and_not_retried(announce, webhook, status):
    webhook.status = status
    delivery = announce().deliveries[1]
    assert (delivery.state, delivery.reason) == ("refused", f"HTTP {status}")
    announce()
    assert [path for path, _ in webhook.got] == [f"/hooks/{SECRET}"]


def test_a_webhook_that_closes_the_connection_gives_the_state_unknown(announce, webhook):
    webhook.on_request = lambda: False
    assert states(announce())["webhook"] == "unknown"
    announce()
    assert len(webhook.got) == 1


@pytest.mark.slow
def test_nothing_is_sent_to_a_missing_webhook(announce, webhook, tmp_path):
    gone = tmp_path / "gone"
    with WebhookServer(tmp_path) as server:
        gone.write_text(server.url_file.read_text())
    delivery = announce(channels=Channels(webhook=gone)).deliveries[1]
    assert delivery.state == "refused"
    assert SECRET not in delivery.model_dump_json()


@pytest.mark.parametrize("content", ["", "ftp://x/y", "http://", "http://a/\nhttp://b/", None])
def test_an_invalid_webhook_file_is_refused_without_showing_its_content(announce, tmp_path, content):
    path = tmp_path / "url"
    if content is not None:
        path.write_text(content)
    delivery = announce(channels=Channels(webhook=path)).deliveries[1]
    assert delivery.state == "refused"
    assert str(path) in delivery.reason
    assert not content or content not in delivery.reason


PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["mxtvhf.reporting.announcement.release"])


@pytest.fixture
def release_killed(tmp_path, webhook):
    """Release in another process; return its exit status."""

    def use(about, kill_at=0):
        wanted = decision(about).model_dump_json().encode()
        arguments = (about.to_json(), wanted, str(tmp_path), str(webhook.url_file), kill_at)
        process = PROCESSES.Process(target=release_and_die, args=arguments)
        webhook.on_request = lambda: webhook.on_request_of(process)
        process.start()
        process.join(60)
        return process.exitcode

    webhook.on_request_of = lambda process: True
    return use


def of_burst(number):
    """A report of another burst: NATS knows the ids of messages again, which must not hide a second one."""
    burst = f"sb2605{number:04d}"
    return report(burst_id=burst, run_id=f"{burst}__1")


async def sent_to_nats(outbox, url):
    """Bring the outbox to NATS as `mxtvhf listen` does; return the bursts of all messages that it stored."""
    client, stop = await connect(url, name="test"), asyncio.Event()
    forwarder = asyncio.create_task(forward_outbox(outbox, client, stop=stop))
    while Outbox(outbox).waiting():
        await asyncio.sleep(0.01)
    stop.set()
    await forwarder
    js = client.jetstream()
    await ensure_stream(js)
    last = (await js.stream_info(STREAM)).state.last_seq
    stored = [await js.get_msg(STREAM, number) for number in range(1, last + 1)]
    await client.close()
    return [read_message(message.data).burst_id for message in stored]


@pytest.mark.service
def test_killed_at_any_step_it_is_released_once(release_killed, webhook, nats_server, tmp_path):
    def forward():
        return asyncio.run(sent_to_nats(tmp_path / "outbox", nats_server.url))

    for kill_at in itertools.count(1):
        about = of_burst(kill_at)
        webhook.got.clear()
        killed = release_killed(about, kill_at)
        if killed == 0:
            break
        assert killed == -signal.SIGKILL
        forward()
        assert release_killed(about) == 0
        folder = tmp_path / "releases" / about.burst_id / about.run_id
        released = Release.model_validate_json((folder / "release.json").read_bytes())
        assert (released.number, states(released)["nats"]) == (1, "sent")
        # Killed between its note and its request, or behind the request: nobody can tell.
        assert (states(released)["webhook"], len(webhook.got)) in [
            ("sent", 1),
            ("unknown", 0),
            ("unknown", 1),
        ]
        assert all(text == (folder / "message.txt").read_text() for text in webhook.texts)
        assert forward().count(about.burst_id) == 1
    # Each file, and the message in the outbox, is synced, and then its folder: every moment was tried.
    assert kill_at == 2 * (len([path for path in folder.rglob("*") if path.is_file()]) + 1) + 1


@pytest.mark.slow
def test_killed_while_the_webhook_is_called(release_killed, webhook, tmp_path):
    def kill(process):
        process.kill()
        return False

    webhook.on_request_of = kill
    assert release_killed(report()) == -signal.SIGKILL
    webhook.on_request_of = lambda process: True
    assert release_killed(report()) == 0
    path = tmp_path / "releases" / BURST / f"{BURST}__1" / "release.json"
    delivery = Release.model_validate_json(path.read_bytes()).deliveries[1]
    assert (delivery.state, len(webhook.got)) == ("unknown", 1)
    assert "interrupted while sending" in delivery.reason
