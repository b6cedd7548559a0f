"""Each part of the listener runs on its own."""

import asyncio
import json
import threading
from datetime import UTC, datetime, timedelta

import pytest

from mxtvhf.archive.failures import PartFailure, failing_parts
from mxtvhf.errors import InvalidInput, Retriable
from mxtvhf.intake import parts
from mxtvhf.intake.parts import Part


class Stop(threading.Event):
    """Event that stops the part after some pauses and records their lengths."""

    def __init__(self, pauses):
        super().__init__()
        self.pauses, self._most = [], pauses

    def wait(self, timeout=None):
        self.pauses.append(timeout)
        if len(self.pauses) >= self._most:
            self.set()
        return self.is_set()


def fails_with(*errors):
    waiting = list(errors)

    def work(stop, works):
        if waiting:
            raise waiting.pop(0)
        works()
        stop.set()

    return work


def test_a_part_is_restarted_with_growing_pauses_after_any_error(tmp_path, caplog):
    errors = [
        ValueError("odd"),
        InvalidInput("bad URL"),
        asyncio.CancelledError(),
        KeyError("x"),
        *[OSError(5, "disk")] * 6,
    ]
    stop = Stop(pauses=10)
    Part("NATS", fails_with(*errors), tmp_path).run(stop)
    assert stop.pauses[:4] == [1.0, 2.0, 4.0, 8.0]
    assert stop.pauses[4:] == [parts.LONGEST_OUTAGE_PAUSE_S] * 6
    (failure,) = failing_parts(tmp_path)
    assert (failure.part, failure.failures) == ("NATS", 10)
    assert "disk" in failure.reason
    logged = [record for record in caplog.records if record.levelname == "ERROR"]
    assert len(logged) == 5, "an outage is logged once, a defect each time"


def test_pauses_have_an_upper_limit(tmp_path):
    stop = Stop(pauses=12)
    Part("GCN", fails_with(*[InvalidInput("no secret")] * 20), tmp_path).run(stop)
    assert stop.pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0] + [60.0] * 6


def test_a_recovered_part_is_no_longer_failing(tmp_path, caplog):
    caplog.set_level("INFO")
    Part("messages out", fails_with(Retriable("no server"), Retriable("no server")), tmp_path).run(Stop(9))
    assert failing_parts(tmp_path) == []
    assert caplog.messages[-1] == "messages out: working again after 2 failures"


def test_a_part_that_ends_without_a_stop_is_restarted(tmp_path):
    Part("inbox", lambda stop, works: None, tmp_path).run(Stop(3))
    assert failing_parts(tmp_path)[0].reason == "ended without being asked to stop"


def test_a_reason_of_any_bytes_can_be_recorded(tmp_path, caplog):
    Part("inbox", fails_with(InvalidInput("caf\udce9\n\x1b[2J")), tmp_path).run(Stop(1))
    assert failing_parts(tmp_path)[0].reason == r"caf\xe9; \x1b[2J"


def test_old_and_damaged_records_are_ignored(tmp_path):
    moment = datetime.now(UTC)
    old = PartFailure(part="a", reason="r", failures=1, since=moment, last=moment - timedelta(minutes=5))
    folder = tmp_path / "failing"
    folder.mkdir()
    (folder / "a.json").write_text(old.model_dump_json())
    (folder / "b.json").write_text("{")
    (folder / "c.json").write_text(json.dumps({"schema_version": 99}))
    assert failing_parts(tmp_path) == []


@pytest.mark.parametrize("in_the_way", ["file", "folder"])
def test_a_part_continues_if_its_failure_cannot_be_recorded(tmp_path, in_the_way, caplog):
    if in_the_way == "file":
        (tmp_path / "failing").write_text("")
    else:
        (tmp_path / "failing" / "NATS.json").mkdir(parents=True)
    stop = Stop(9)
    Part("NATS", fails_with(ValueError("x"), ValueError("y")), tmp_path).run(stop)
    assert stop.pauses == [1.0, 2.0]
    assert any("failure not recorded" in text for text in caplog.messages)
