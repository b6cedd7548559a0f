"""Notices of other missions take their own way through the listener and never delay our alerts."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from mxtvhf.intake import inbox as inbox_module
from mxtvhf.intake import sky_notices
from mxtvhf.intake.gcn_kafka import OTHER_MISSIONS, TOPICS, GcnAccess
from mxtvhf.intake.inbox import JSON_A_SCAN, WRITERS, Inbox, OtherMissionsInbox
from mxtvhf.intake.intake import Intake
from mxtvhf.intake.precedence import AT_ONCE, PAUSE_S
from mxtvhf.intake.sky_notices import STORM
from mxtvhf.intake.spool import ReceivedMessage
from mxtvhf.settings import IntakePolicy
from mxtvhf.simulator.sky_notices import write_gcn_json
from mxtvhf.sky_notices.store import INDEX, SkyStore
from mxtvhf.workflow.airflow_api import AirflowApi

NOW = datetime(2026, 5, 11, 12, tzinfo=UTC)


def gbm(number=0):
    moment = NOW - timedelta(seconds=number)
    return write_gcn_json("fermi/gbm/trigger", str(number), moment, mission="Fermi", instrument="GBM")


@pytest.fixture
def intake(archive, products):
    return Intake(archive, AirflowApi("http://127.0.0.1:1", "nobody", "x"), IntakePolicy(), products)


def test_a_notice_of_another_mission_starts_no_run_and_is_not_quarantined(intake, burst):
    intake.keep(ReceivedMessage(gbm(), "test", NOW))
    intake.keep(ReceivedMessage(burst.wakeup, "test", NOW))
    assert len(intake.incoming.waiting()) == 1, "only ours"
    stop = threading.Event()
    intake.sky.run(stop, lambda: stop.set() if intake.sky.store.counts()["read"] else None)
    assert intake.sky.store.of_event("Fermi", "0")
    assert intake.archive.quarantined() == []
    assert intake.archive.bursts() == []


def test_the_log_names_what_a_notice_lacks(intake, caplog):
    raw = write_gcn_json("fermi/gbm/trigger", "7", NOW, mission="Fermi", instrument="GBM", ra=1.0, dec=2.0)
    intake.keep(ReceivedMessage(raw, "inbox a.json", NOW))
    stop = threading.Event()
    intake.sky.run(stop, lambda: stop.set() if intake.sky.store.counts()["read"] else None)
    assert "inbox a.json: Fermi GBM 7: the position has no error radius; it is not compared" in caplog.text


def test_a_storm_leaves_half_of_the_time_to_others(intake):
    """The part waits after each notice as long as it worked, so a storm takes at most half of a core."""
    waits = []

    class Stop(threading.Event):
        def wait(self, timeout=None):
            waits.append(timeout)
            return False

    stop = Stop()

    def works():
        if not waits and not intake.sky.store.is_in_use:
            for number in range(20):
                intake.keep(ReceivedMessage(gbm(number), "storm", NOW))
        elif intake.sky.store.counts()["read"] == 20:
            stop.set()

    intake.sky.run(stop, works)
    assert len(waits) == 20
    assert all(one > 0.0 for one in waits)


def test_an_alert_is_filed_while_a_backlog_is_read(intake, burst):
    """The part is held after its first notice of a backlog: ours is filed, and new notices come next."""
    for number in range(5):
        intake.sky.store.keep(gbm(number), received=NOW, source="killed listener")
    held, go_on, order = threading.Event(), threading.Event(), []

    class Stop(threading.Event):
        def wait(self, timeout=None):
            order.append(intake.sky.store.counts()["read"])
            held.set()
            return not go_on.wait(60.0)

    stop = Stop()

    def works():
        if intake.sky.store.counts()["read"] == 6:
            stop.set()

    part = threading.Thread(target=intake.sky.run, args=(stop, works))
    part.start()
    assert held.wait(60.0)
    intake.keep(ReceivedMessage(burst.wakeup, "test", NOW))
    intake.keep(ReceivedMessage(gbm(99), "test", NOW))
    intake.round()
    assert intake.archive.bursts() == [burst.id]
    assert order == [1], "the backlog is still waiting"
    go_on.set()
    part.join(60.0)
    assert order == [1, 2, 3, 4, 5, 6], "a pause after each notice"
    _, notices = intake.sky.store.received_since(NOW)
    assert notices[1].event_id == "99", "a new notice comes before the backlog"


def storm(folder, number):
    folder.mkdir(exist_ok=True)
    for one in range(number):
        (folder / f"a{one:03d}.json").write_bytes(gbm(one))


def refuse(message, reason):
    raise AssertionError(reason)


def test_the_inbox_of_our_messages_does_not_examine_a_storm_of_notices(tmp_path, burst, monkeypatch):
    kept, examined = [], []
    box = Inbox(tmp_path / "inbox", kept.append, refuse)
    storm(box.folder, 3 * JSON_A_SCAN)
    (box.folder / "zz.xml").write_bytes(burst.wakeup)
    real = inbox_module._stamp
    monkeypatch.setattr(inbox_module, "_stamp", lambda path: examined.append(path.name) or real(path))
    box.scan()
    box.scan()
    assert [message.raw for message in kept] == [burst.wakeup]
    assert examined == ["zz.xml", "zz.xml"]


def test_a_scan_takes_and_examines_only_the_next_notices_of_other_missions(tmp_path, burst, monkeypatch):
    kept, examined = [], []
    box = OtherMissionsInbox(tmp_path / "inbox", kept.append, refuse)
    storm(box.folder, 10 * JSON_A_SCAN)
    (box.folder / "zz.xml").write_bytes(burst.wakeup)
    real = inbox_module._stamp
    monkeypatch.setattr(inbox_module, "_stamp", lambda path: examined.append(path) or real(path))
    box.scan()
    assert len(examined) == 2 * JSON_A_SCAN
    for done in range(1, 11):
        box.scan()
        assert len(kept) == done * JSON_A_SCAN, "a full portion in each scan"
    assert [path.name for path in box.folder.iterdir()] == ["zz.xml"]
    assert {message.raw for message in kept} == {gbm(number) for number in range(10 * JSON_A_SCAN)}


def test_a_notice_that_cannot_be_stored_stays_in_the_inbox_with_those_behind_it(tmp_path):
    def keep(message):
        raise OSError("no space left on device")

    box = OtherMissionsInbox(tmp_path / "inbox", keep, refuse)
    storm(box.folder, WRITERS)
    box.scan()
    with pytest.raises(OSError, match="no space left"):
        box.scan()
    assert len(list(box.folder.iterdir())) == WRITERS


def test_a_storm_waits_in_the_inbox_while_an_alert_of_ours_is_processed(tmp_path, intake, burst):
    precedence = intake.sky.precedence
    box = OtherMissionsInbox(tmp_path / "inbox", intake.keep, refuse, lambda: precedence.pause_s)
    storm(box.folder, 3 * JSON_A_SCAN)
    box.scan()
    intake.keep(ReceivedMessage(burst.wakeup, "test", NOW))
    intake.round()
    box.scan()
    waiting = len(list(box.folder.iterdir()))
    assert waiting == 2 * JSON_A_SCAN, "the portion that was being taken"
    box.scan()
    assert len(list(box.folder.iterdir())) == waiting - 1, "then one in each scan"
    assert intake.sky.store.has_unread


def test_sources_pause_after_each_notice_of_a_storm_while_an_alert_is_processed(intake, burst):
    waits = []

    class Stop(threading.Event):
        def wait(self, timeout=None):
            waits.append(timeout)
            return False

    keep = intake.sky.slowly(intake.keep, Stop())
    keep(ReceivedMessage(gbm(0), "GCN", NOW))
    intake.keep(ReceivedMessage(burst.wakeup, "test", NOW))
    intake.round()
    for number in range(1, AT_ONCE + 3):
        keep(ReceivedMessage(gbm(number), "GCN", NOW))
    assert waits == [0.0] * (AT_ONCE + 1) + [PAUSE_S] * 2


def test_many_notices_at_once_are_noted_as_unread_until_all_are_read(intake, monkeypatch):
    monkeypatch.setattr(sky_notices, "WAIT_S", 0.0)
    monkeypatch.setattr(sky_notices, "CAUGHT_UP_S", 0.0)
    store = intake.sky.store
    for number in range(STORM):
        assert not store.has_unread, f"{number} notices may arrive at any time"
        intake.keep(ReceivedMessage(gbm(number), "storm", datetime.now(UTC)))
    assert store.has_unread
    stop, noted = threading.Event(), []

    def works():
        noted.append(store.has_unread)
        if store.counts()["read"] == STORM and not store.has_unread:
            stop.set()

    intake.sky.run(stop, works)
    assert noted[:STORM] == [True] * STORM


def test_notices_held_back_stay_noted_as_unread(intake, monkeypatch):
    monkeypatch.setattr(sky_notices, "WAIT_S", 0.0)
    monkeypatch.setattr(sky_notices, "CAUGHT_UP_S", 0.0)
    monkeypatch.setattr(sky_notices, "LATE", timedelta.max)
    intake.sky.precedence.ours_arrived()
    intake.sky.store.note_unread()
    for _ in range(AT_ONCE + 1):
        intake.sky.precedence.other_taken()
    stop, rounds = threading.Event(), []

    def works():
        rounds.append(1)
        if len(rounds) == 5:
            stop.set()

    intake.sky.run(stop, works)
    assert intake.sky.store.has_unread, "others may wait at their source"


def test_the_backlog_of_a_killed_listener_is_noted_as_unread(intake):
    intake.sky.store.keep(gbm(), received=NOW, source="killed listener")
    stop, noted = threading.Event(), []

    def works():
        noted.append(intake.sky.store.has_unread)
        if intake.sky.store.counts()["read"]:
            stop.set()

    intake.sky.run(stop, works)
    assert noted == [False, True]


def test_an_index_that_another_process_set_aside_is_built_again(intake, monkeypatch):
    monkeypatch.setattr(sky_notices, "WAIT_S", 0.0)
    monkeypatch.setattr(sky_notices, "CAUGHT_UP_S", 0.0)
    store, stop = intake.sky.store, threading.Event()
    intake.keep(ReceivedMessage(gbm(1), "test", NOW))
    states = []

    def works():
        states.append((store.counts()["read"], store.has_unread))
        if states[-1] == (1, False) and len(states) == 3:
            (store.folder / INDEX).write_bytes(b"damaged" * 999)
            with pytest.raises(OSError, match="built again"):
                SkyStore(intake.archive.root).counts()
            assert store.has_unread
        if len(states) > 3 and states[-1] == (1, False):
            stop.set()

    intake.sky.run(stop, works)
    assert store.counts() == {"read": 1, "unreadable": 0}


def test_gcn_is_asked_for_other_missions_in_a_group_of_its_own():
    access = GcnAccess()
    other = access.of_other_missions()
    assert (other.topics, other.group_id, other.circulars) == (
        OTHER_MISSIONS,
        "mxtvhf-listen-other-missions",
        False,
    )
    assert not set(TOPICS) & set(OTHER_MISSIONS)
    assert GcnAccess(other_missions=()).of_other_missions().topics == ()
