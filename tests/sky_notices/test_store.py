"""The store: notices are kept as received, found by event time, and never lost."""

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest

from mxtvhf.intake.sky_notices import SkyNotices
from mxtvhf.intake.spool import ReceivedMessage
from mxtvhf.simulator.sky_notices import write_gcn_json, write_lvk_alert, write_sky_map
from mxtvhf.sky_notices import store as store_module
from mxtvhf.sky_notices.store import INDEX, SkyStore

T0 = datetime(2026, 4, 2, 22, 57, 17, tzinfo=UTC)
DAY = timedelta(days=1)


def gbm(event_id, after_s=0.0, **fields):
    moment = T0 + timedelta(seconds=after_s)
    return write_gcn_json("fermi/gbm/trigger", event_id, moment, mission="Fermi", instrument="GBM", **fields)


@pytest.fixture
def store(tmp_path):
    return SkyStore(tmp_path)


def complete(store):
    for stored in store.missing():
        store.read(*stored)


def file(store, raw, received=T0 + timedelta(minutes=5)):
    return store.read(store.keep(raw, received=received, source="test"), received)


def test_a_notice_is_kept_as_received_and_found_by_time_and_event(store):
    assert not store.is_in_use
    raw = gbm("1")
    (notice,) = file(store, raw)
    (kept,) = store.folder.glob("2026-04-02/*.json")
    assert kept.read_bytes() == raw
    assert store.detectors(T0 - DAY, T0 + DAY, is_test=False) == [("Fermi", "GBM", 1)]
    assert store.detectors(T0 + DAY, T0 + 2 * DAY, is_test=False) == []
    assert store.detectors(T0 - DAY, T0 + DAY, is_test=True) == []
    assert store.of_event("Fermi", "1") == [notice]


def test_the_same_notice_twice_is_one(store):
    assert file(store, gbm("1"))
    assert file(store, gbm("1")) == ()
    assert file(store, gbm("1"), T0 + DAY) == (), "also on another day"
    assert store.counts() == {"read": 1, "unreadable": 0}


def test_the_log_names_the_source_of_an_unreadable_notice(store, caplog):
    path = store.keep(b'{"a": ', received=T0, source="inbox a\n.json")
    (stored,) = store.missing()
    store.read(*stored)
    assert "inbox a\\n.json: not JSON: " in caplog.text
    assert f"; the notice is kept as {path} and counted as unreadable" in caplog.text


def test_unreadable_notices_are_kept_and_counted(store):
    old = json.loads(gbm("1")) | {"$schema": "https://gcn.nasa.gov/schema/v1.0.0/gcn/notices/a.schema.json"}
    for raw in (b'{"a": ', json.dumps(old).encode(), gbm("2", 86_400.0)):
        assert file(store, raw) == ()
    assert store.counts() == {"read": 0, "unreadable": 3}
    assert store.unread(T0, T0 + DAY) == 3
    assert len(list(store.folder.glob("2026-04-02/*.json"))) == 3


def test_notices_stored_by_a_killed_listener_are_read_at_the_next_start(store):
    store.keep(gbm("1"), received=T0 + timedelta(minutes=1), source="test")
    store.keep(gbm("2"), received=T0 + DAY, source="test")
    assert [received for _, received, _ in store.missing()] == [T0 + DAY, T0 + timedelta(minutes=1)]
    complete(store)
    assert list(store.missing()) == []
    assert store.of_event("Fermi", "1")[0].received == T0 + timedelta(minutes=1)


@pytest.mark.parametrize(
    "damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"damaged" * 999)]
)
def test_a_lost_or_damaged_index_is_built_again(store, damage):
    file(store, gbm("1"))
    file(store, b'{"a": ')
    damage(store.folder / INDEX)
    try:
        complete(store)
    except OSError:
        complete(store)
    assert store.counts() == {"read": 1, "unreadable": 1}


def test_numbers_continue_after_an_index_that_was_set_aside(store):
    file(store, gbm("1"))
    last, _ = store.received_since(T0)
    (store.folder / INDEX).write_bytes(b"damaged" * 999)
    with pytest.raises(OSError, match="built again"):
        SkyStore(store.folder.parent).counts()
    file(store, gbm("2"))
    _, notices = store.received_since(T0, last)
    assert [one.event_id for one in notices] == ["2"]


def test_only_the_damaged_index_is_set_aside(store):
    """Another process may have replaced it, and an error of a query is no damage."""
    file(store, gbm("1"))
    with pytest.raises(OSError, match="no such table"), store._open() as index:
        index.execute("select * from elsewhere")
    damaged = store.folder / "damaged"
    (store.folder / INDEX).rename(damaged)
    damaged.write_bytes(b"damaged" * 999)
    store._set_aside(damaged.stat().st_ino)
    file(store, gbm("2"))
    store._set_aside(damaged.stat().st_ino)
    assert store.counts()["read"] == 1
    assert not list(store.folder.glob("*.damaged"))


def test_a_notice_that_triggers_a_defect_is_counted_and_does_not_block_the_next(store, monkeypatch, caplog):
    def fail(raw, *, received):
        raise ZeroDivisionError("no area")

    with monkeypatch.context() as patch:
        patch.setattr(store_module, "read_sky_notices", fail)
        assert file(store, gbm("1")) == ()
    assert len(file(store, gbm("2"))) == 1
    assert store.counts() == {"read": 1, "unreadable": 1}
    assert "internal error ZeroDivisionError: no area" in caplog.text


@pytest.mark.parametrize("field", ["mission", "instrument"])
def test_a_long_name_is_refused_with_its_limit(store, caplog, field):
    file(store, write_gcn_json("new/mission/alert", "1", T0, **{field: 61 * "x"}))
    assert store.counts() == {"read": 0, "unreadable": 1}
    assert f"{field} 'xxx" in caplog.text
    assert "at most 60 characters" in caplog.text


def test_the_map_of_a_notice_is_read_from_the_kept_file(store):
    raw = write_lvk_alert("S260402ab", T0, created=T0, skymap=write_sky_map(200.0, 10.0, 5.0))
    (notice,) = file(store, raw)
    assert store.sky_map(notice).density_at(200.0, 10.0) > 0.0


def test_new_notices_are_returned_once_and_a_few_at_a_time(store):
    for number in range(5):
        file(store, gbm(str(number)))
    last, first = store.received_since(T0, limit=3)
    assert [one.event_id for one in first] == ["0", "1", "2"]
    last, rest = store.received_since(T0, last)
    assert [one.event_id for one in rest] == ["3", "4"]
    assert store.received_since(T0, last) == (last, [])


def test_the_listener_part_reads_what_sources_store(store):
    notices, stop = SkyNotices(store), threading.Event()
    for number in range(3):
        notices.keep(ReceivedMessage(gbm(str(number)), "test", T0 + timedelta(minutes=5)))

    def works():
        if store.counts()["read"] == 3:
            stop.set()

    notices.run(stop, works)
    assert store.counts() == {"read": 3, "unreadable": 0}
