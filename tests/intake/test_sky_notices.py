"""Notices of other missions take their own way through the listener and never delay our alerts."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from mxtvhf.intake import inbox as inbox_module
from mxtvhf.intake.gcn_kafka import OTHER_MISSIONS, TOPICS, GcnAccess
from mxtvhf.intake.inbox import JSON_A_SCAN, Inbox
from mxtvhf.intake.intake import Intake
from mxtvhf.intake.spool import ReceivedMessage
from mxtvhf.settings import IntakePolicy
from mxtvhf.simulator.sky_notices import write_gcn_json
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


def test_the_inbox_takes_json_and_looks_at_our_files_first(tmp_path, burst):
    kept = []
    inbox = Inbox(tmp_path / "inbox", kept.append, lambda message, reason: None)
    inbox.folder.mkdir()
    for number in range(JSON_A_SCAN + 5):
        (inbox.folder / f"a{number:03d}.json").write_bytes(gbm(number))
    (inbox.folder / "zz.xml").write_bytes(burst.wakeup)
    inbox.scan()
    inbox.scan()
    assert kept[0].raw == burst.wakeup
    assert len(kept) == 1 + JSON_A_SCAN
    inbox.scan()
    assert len(kept) == 1 + JSON_A_SCAN + 5


def test_a_scan_examines_only_the_next_notices_of_other_missions(tmp_path, burst, monkeypatch):
    kept, examined = [], []
    box = Inbox(tmp_path / "inbox", kept.append, lambda message, reason: None)
    box.folder.mkdir()
    for number in range(10 * JSON_A_SCAN):
        (box.folder / f"a{number:03d}.json").write_bytes(gbm(number))
    (box.folder / "zz.xml").write_bytes(burst.wakeup)
    real = inbox_module._stamp
    monkeypatch.setattr(inbox_module, "_stamp", lambda path: examined.append(path) or real(path))
    box.scan()
    assert len(examined) == 2 * JSON_A_SCAN + 1
    for _ in range(10):
        box.scan()
    assert len(kept) == 10 * JSON_A_SCAN + 1, "a full portion in each scan"


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
