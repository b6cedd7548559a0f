"""The outbox with the messages that are queued for NATS."""

import os
from datetime import timedelta
from pathlib import Path

from mxtvhf.reporting.messages import Outbox, RunMessage, StepMessage, read_message
from mxtvhf.reporting.messages.model import CircularMessage
from support.messages import ABOUT, NOW


def test_the_outbox_returns_messages_in_order_of_time(tmp_path):
    outbox = Outbox(tmp_path / "outbox")
    assert outbox.waiting() == []
    later = RunMessage(**ABOUT, state="succeeded", time=NOW + timedelta(microseconds=1))
    earlier = RunMessage(**ABOUT, state="started", time=NOW)
    outbox.put(later)
    outbox.put(earlier)
    (tmp_path / "outbox" / ".123-run-half.json.part").write_bytes(b"{")
    assert [read_message(outbox.read(path)) for path in outbox.waiting()] == [earlier, later]
    for path in outbox.waiting():
        outbox.done(path)
        outbox.done(path)
        assert outbox.read(path) is None
    assert outbox.waiting() == []


def test_only_messages_recorded_as_sent_are_synced_to_disk(tmp_path, monkeypatch):
    """After a power failure the desk said that an announcement was sent, but its message was lost."""
    synced = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(os.readlink(f"/proc/self/fd/{number}")))
    outbox = Outbox(tmp_path)
    outbox.put(RunMessage(**ABOUT, state="started"))
    assert synced == []
    circular = CircularMessage(
        **ABOUT, ivorn="ivo://a/b#c", circular=44454, recorded_by="ada", text="submitted"
    )
    path = outbox.put(circular)
    assert [Path(name).name.startswith(f".{path.name}") for name in synced] == [True, False]
    assert synced[1] == str(tmp_path)
    assert read_message(outbox.read(path)) == circular


def test_a_full_outbox_drops_the_oldest_step_messages_and_logs_it(tmp_path, caplog):
    outbox = Outbox(tmp_path)
    for second in range(4):
        about = {**ABOUT, "time": NOW + timedelta(seconds=second)}
        outbox.put(StepMessage(**about, task_id=f"step{second}", state="started", try_number=1))
        outbox.put(RunMessage(**about, state="started"))
    assert outbox.limit(8) == 0
    assert outbox.limit(5) == 3
    kept = [read_message(outbox.read(path)) for path in outbox.waiting()]
    assert [b.task_id for b in kept if b.kind == "step"] == ["step3"]
    assert sum(b.kind == "run" for b in kept) == 4
    assert "the 3 oldest step messages were dropped" in caplog.text
    assert outbox.limit(2) == 1
    assert len(outbox.waiting()) == 4, "messages about runs are never dropped"
