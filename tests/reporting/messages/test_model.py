"""The messages, their schema, and the outbox in which they wait."""

import json
import re
from datetime import UTC, datetime, timedelta

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.cli.messages import line, since_when
from mxtvhf.errors import InvalidInput
from mxtvhf.models.text import one_line
from mxtvhf.notices.role import is_test_notice
from mxtvhf.reporting.messages import (
    IntakeBulletin,
    Outbox,
    ReportBulletin,
    RunBulletin,
    StepBulletin,
    read_bulletin,
)
from mxtvhf.reporting.messages.model import messages_schema
from mxtvhf.reporting.messages.report_message import report_bulletin
from mxtvhf.reporting.messages.schema import schema_text
from support.project import PROJECT

DOCS = PROJECT / "docs"
ABOUT = {"burst_id": "sb26051102", "run_id": "sb26051102__1", "is_test": True}
NOW = datetime(2026, 5, 11, 12, tzinfo=UTC)

EXAMPLES = [
    RunBulletin(**ABOUT, state="started"),
    RunBulletin(burst_id=None, run_id="manual__1", state="failed", reason="task_failure"),
    StepBulletin(**ABOUT, task_id="fits_feed", state="retrying", try_number=1, error="disk full"),
    ReportBulletin(
        **ABOUT,
        status="final",
        sequence=1,
        is_retracted=False,
        headline="Position",
        best_position=None,
        verdicts={"consistent": 2},
        path="/data/report.json",
        sha256="ab",
    ),
    IntakeBulletin(what="gap", source="NATS stream MXTVHF_IN", reason="sequence 5 to 7", lost=3),
]


def test_the_published_schema_is_current():
    assert (DOCS / "messages.schema.json").read_text() == schema_text()
    jsonschema.Draft202012Validator.check_schema(messages_schema())


def test_the_documented_example_is_a_message():
    text = (DOCS / "messages.md").read_text()
    (example,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    jsonschema.validate(json.loads(example), messages_schema(), jsonschema.Draft202012Validator)
    assert read_bulletin(example.encode()).best_position.origin == "MXT-VHF"


@pytest.mark.parametrize("bulletin", EXAMPLES, ids=lambda bulletin: bulletin.subject)
def test_every_message_fits_the_schema_and_is_read_back(bulletin):
    raw = bulletin.model_dump_json().encode()
    jsonschema.validate(json.loads(raw), messages_schema(), jsonschema.Draft202012Validator)
    assert read_bulletin(raw) == bulletin


def test_the_schema_refuses_what_is_no_message():
    said = json.loads(EXAMPLES[2].model_dump_json())
    for wrong in ({"state": "exploded"}, {"kind": "song"}, {"id": None}, {"more": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(said | wrong, messages_schema(), jsonschema.Draft202012Validator)
        with pytest.raises(InvalidInput, match="no MXT-VHF message"):
            read_bulletin(json.dumps(said | wrong).encode())


def test_subjects_name_burst_and_state():
    assert [bulletin.subject for bulletin in EXAMPLES] == [
        "mxtvhf.out.sb26051102.run.started",
        "mxtvhf.out.unknown.run.failed",
        "mxtvhf.out.sb26051102.step.fits_feed.retrying",
        "mxtvhf.out.sb26051102.report.final",
        "mxtvhf.out.intake.gap",
    ]


@given(st.text(min_size=1, max_size=250))
def test_no_task_id_breaks_a_subject(task_id):
    subject = StepBulletin(**ABOUT, task_id=task_id, state="started", try_number=1).subject
    assert len(subject.split(".")) == 6
    assert not set(subject) & set("*> \r\n\t")


@given(st.text())
def test_a_reason_is_one_printable_line(text):
    reason = RunBulletin(**ABOUT, state="failed", reason=text).reason
    assert reason.isprintable()
    assert len(reason) <= 1000


def test_ids_are_unique_and_times_are_utc():
    first, second = (RunBulletin(**ABOUT, state="started") for _ in range(2))
    assert first.id != second.id
    assert first.time.utcoffset() == timedelta(0)
    assert json.loads(first.model_dump_json())["time"].endswith("Z")


def test_the_outbox_gives_back_what_was_put_in_order_of_time(tmp_path):
    outbox = Outbox(tmp_path / "outbox")
    assert outbox.waiting() == []
    later = RunBulletin(**ABOUT, state="succeeded", time=NOW + timedelta(microseconds=1))
    earlier = RunBulletin(**ABOUT, state="started", time=NOW)
    outbox.put(later)
    outbox.put(earlier)
    (tmp_path / "outbox" / ".123-run-half.json.part").write_bytes(b"{")
    assert [read_bulletin(outbox.read(path)) for path in outbox.waiting()] == [earlier, later]
    for path in outbox.waiting():
        outbox.done(path)
        outbox.done(path)
        assert outbox.read(path) is None
    assert outbox.waiting() == []


def test_a_full_outbox_drops_the_oldest_steps_and_says_so(tmp_path, caplog):
    outbox = Outbox(tmp_path)
    for second in range(4):
        about = {**ABOUT, "time": NOW + timedelta(seconds=second)}
        outbox.put(StepBulletin(**about, task_id=f"step{second}", state="started", try_number=1))
        outbox.put(RunBulletin(**about, state="started"))
    assert outbox.limit(8) == 0
    assert outbox.limit(5) == 3
    kept = [read_bulletin(outbox.read(path)) for path in outbox.waiting()]
    assert [b.task_id for b in kept if b.kind == "step"] == ["step3"]
    assert sum(b.kind == "run" for b in kept) == 4
    assert "the 3 oldest about steps were dropped" in caplog.text
    assert outbox.limit(2) == 1
    assert len(outbox.waiting()) == 4, "messages about runs are never dropped"


@pytest.mark.parametrize(
    ("alert", "expected"),
    [
        ('<voe:VOEvent xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0" role="test">', True),
        ('<?xml version="1.0"?>\n<voe:VOEvent xmlns:voe="http://x" role="observation"><Who>', False),
        ("<VOEvent>", None),
        ("<html role='test'>", None),
        ("<", None),
        ('<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><VOEvent role="test">', True),
    ],
)
def test_the_first_tag_tells_a_test(alert, expected):
    assert is_test_notice(alert.encode()) is expected


def test_a_report_is_told_with_its_position_and_its_sum(tmp_path):
    pairs = [{"verdict": "consistent"}, {"verdict": "unclear"}, {"verdict": "consistent"}]
    report = {
        **{"burst_id": "sb26051102", "run_id": "sb26051102__1", "is_test": False, "is_replay": True},
        **{"status": "final", "sequence": 1, "is_retracted": False, "headline": "found", "crosscheck": pairs},
        "best_position": None,
        "more": "is not told",
    }
    (tmp_path / "report.json").write_text(json.dumps(report))
    told = report_bulletin(tmp_path / "report.json", url="https://airflow.example/mxtvhf/runs/x")
    assert told.verdicts == {"consistent": 2, "unclear": 1}
    assert told.url == "https://airflow.example/mxtvhf/runs/x/report.json"
    assert told.is_replay
    assert len(told.sha256) == 64
    assert report_bulletin(tmp_path / "report.json").url is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("30s", timedelta(seconds=30)), ("10m", timedelta(minutes=10)), ("2h", timedelta(hours=2)),
     ("1d", timedelta(days=1))],
)  # fmt: skip
def test_since_reads_a_span(text, expected):
    assert since_when(text, NOW) == NOW - expected
    assert since_when("all", NOW) is None


@pytest.mark.parametrize("text", ["", "10", "m", "-1m", "1w", "٣m", "10m ", "999999d"])
def test_since_refuses_another_text(text):
    with pytest.raises(InvalidInput, match="--since"):
        since_when(text, NOW)


def test_a_line_marks_tests_and_shows_no_control_characters():
    raw = EXAMPLES[2].model_dump_json().encode()
    assert "TEST" in line(raw)
    assert "fits_feed" in line(raw)
    assert "disk full" in line(raw)
    assert "TEST" not in line(EXAMPLES[1].model_dump_json().encode())
    evil = json.loads(EXAMPLES[3].model_dump_json()) | {"headline": "\x1b]0;owned\x07", "run_id": "\x1b[2J"}
    shown = line(json.dumps(evil).encode())
    assert "\x1b]" not in shown
    assert "\x1b[2J" not in shown
    assert "unreadable" in line(b"\xff\x1b[2J")


def test_one_line_keeps_words():
    assert one_line("a\n  b\tc\x00") == "a b c?"
