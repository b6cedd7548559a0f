"""The messages and their published schema."""

import json
import re
from datetime import timedelta

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.errors import InvalidInput, NewerVersion
from mxtvhf.reporting.messages import RunMessage, StepMessage, read_message
from mxtvhf.reporting.messages.model import messages_schema, one_line
from mxtvhf.reporting.messages.schema import schema_text
from support.messages import ABOUT, EXAMPLES
from support.project import PROJECT

DOCS = PROJECT / "docs"


def test_the_published_schema_is_current():
    assert (DOCS / "messages.schema.json").read_text() == schema_text()
    jsonschema.Draft202012Validator.check_schema(messages_schema())


def test_the_documented_example_is_a_message():
    text = (DOCS / "reference" / "messages.md").read_text()
    (example,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    jsonschema.validate(json.loads(example), messages_schema(), jsonschema.Draft202012Validator)
    assert read_message(example.encode()).best_position.origin == "MXT-VHF"


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: message.subject)
def test_every_message_matches_the_schema_and_can_be_read(message):
    raw = message.model_dump_json().encode()
    jsonschema.validate(json.loads(raw), messages_schema(), jsonschema.Draft202012Validator)
    assert read_message(raw) == message


def test_the_schema_refuses_other_documents():
    said = json.loads(EXAMPLES[2].model_dump_json())
    for wrong in ({"state": "exploded"}, {"kind": "song"}, {"id": None}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(said | wrong, messages_schema(), jsonschema.Draft202012Validator)
        with pytest.raises(InvalidInput, match="invalid MXT-VHF message"):
            read_message(json.dumps(said | wrong).encode())


def test_unknown_fields_of_a_later_version_are_ignored():
    said = json.loads(EXAMPLES[2].model_dump_json())
    assert read_message(json.dumps(said | {"more": 1}).encode()) == EXAMPLES[2]
    with pytest.raises(NewerVersion, match=r"schema version 2; .* reads up to 1; upgrade mxtvhf"):
        read_message(json.dumps(said | {"schema_version": 2, "kind": "song"}).encode())


def test_subjects_name_burst_and_state():
    assert [message.subject for message in EXAMPLES] == [
        "mxtvhf.out.sb26051102.run.started",
        "mxtvhf.out.unknown.run.failed",
        "mxtvhf.out.sb26051102.step.fits_feed.retrying",
        "mxtvhf.out.sb26051102.report.final",
        "mxtvhf.out.intake.gap",
    ]


@given(st.text(min_size=1, max_size=250))
def test_no_task_id_breaks_a_subject(task_id):
    subject = StepMessage(**ABOUT, task_id=task_id, state="started", try_number=1).subject
    assert len(subject.split(".")) == 6
    assert not set(subject) & set("*> \r\n\t")


@given(st.text())
def test_a_reason_is_one_printable_line(text):
    reason = RunMessage(**ABOUT, state="failed", reason=text).reason
    assert reason.isprintable()
    assert len(reason) <= 1000


def test_ids_are_unique_and_times_are_utc():
    first, second = (RunMessage(**ABOUT, state="started") for _ in range(2))
    assert first.id != second.id
    assert first.time.utcoffset() == timedelta(0)
    assert json.loads(first.model_dump_json())["time"].endswith("Z")


def test_one_line_keeps_words():
    assert one_line("a\n  b\tc\x00") == "a b c?"
