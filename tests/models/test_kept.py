"""Records on disk: tolerant when read, strict when created, never lost and never blocking."""

import json
import multiprocessing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mxtvhf.errors import InvalidInput, NewerVersion
from mxtvhf.models.base import Model
from mxtvhf.models.kept import KeptModel, parse_kept, read_or_set_aside
from mxtvhf.models.kept_lines import append_line, append_record, read_records


class Inner(Model):
    number: int


class Record(KeptModel):
    name: str
    inner: Inner = Inner(number=0)
    more: tuple[Inner, ...] = ()


class Later(Record):
    schema_version: int = 2


TEXT = b'{"name": "a", "new": 1, "inner": {"number": 1, "new": 2}, "more": [{"number": 2, "new": []}]}'


def test_unknown_fields_are_ignored_at_every_depth_and_a_missing_version_is_the_first():
    record = parse_kept(TEXT, Record, name="file")
    assert record == Record(name="a", inner=Inner(number=1), more=(Inner(number=2),))
    assert record.schema_version == 1
    assert json.loads(record.model_dump_json())["schema_version"] == 1


def test_a_record_created_by_the_program_is_strict():
    with pytest.raises(ValidationError, match="Extra inputs"):
        Record(name="a", new=1)


def test_a_later_version_is_reported_with_advice():
    text = Later(name="a").model_dump_json().encode()
    assert parse_kept(text, Later, name="file").schema_version == 2
    with pytest.raises(
        NewerVersion, match=r"^file: schema version 2; mxtvhf \S+ reads up to 1; upgrade mxtvhf$"
    ):
        parse_kept(text, Record, name="file")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (b"", "damaged JSON: EOF"),
        (b"[]", "expected a JSON object"),
        (TEXT[:-9], "damaged JSON"),
        (b"\xff\0", "damaged JSON"),
        (b"{}", "invalid Record: name: Field required"),
        (b'{"name": "a", "schema_version": "1"}', "invalid schema_version '1'"),
        (b'{"name": "a", "schema_version": true}', "invalid schema_version True"),
        (b'{"name": "a", "schema_version": 0}', "invalid schema_version 0"),
        (b'{"name": "a", "inner": {"number": "x"}}', "inner.number: Input should be"),
    ],
)
def test_a_damaged_record_is_named_with_its_cause_and_set_aside_once(tmp_path, caplog, text, cause):
    path = tmp_path / "r.json"
    path.write_bytes(text)
    with pytest.raises(InvalidInput, match=r"^file: .*; restore it from a backup$"):
        parse_kept(text, Record, name="file")
    assert read_or_set_aside(path, Record) is read_or_set_aside(path, Record) is None
    (aside,) = tmp_path.iterdir()
    assert (aside.suffix, aside.read_bytes()) == (".unreadable", text)
    (entry,) = caplog.messages
    assert entry.startswith(f"{path}: ")
    assert cause in entry
    assert aside.name in entry


def test_a_record_of_a_later_version_stays_in_place(tmp_path, caplog):
    path = tmp_path / "r.json"
    path.write_text(Later(name="a").model_dump_json())
    assert read_or_set_aside(path, Record) is read_or_set_aside(path, Record) is None
    assert read_or_set_aside(path, Later) == Later(name="a")
    assert len(caplog.messages) == 1


def test_a_folder_with_the_name_of_a_record_is_ignored(tmp_path):
    (tmp_path / "r.json").mkdir()
    assert read_or_set_aside(tmp_path / "r.json", Record) is None
    assert read_or_set_aside(tmp_path / "missing.json", Record) is None


@given(st.data())
def test_an_incomplete_line_affects_no_other_and_is_copied_once(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("lines") / "r.jsonl"
    for name in "abc":
        append_record(path, Record(name=name))
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    left = [Record(name=name) for name in "abc"[: whole[: cut + 1].count(b"\n")]]
    assert read_records(path, Record) == left
    append_record(path, Record(name="d"))
    assert read_records(path, Record) == read_records(path, Record) == [*left, Record(name="d")]
    aside = path.with_name("r.jsonl.unreadable")
    torn = whole[:cut].rpartition(b"\n")[2]
    is_torn = torn and cut < len(whole) and whole[cut : cut + 1] != b"\n"
    assert (aside.read_bytes().splitlines() if aside.exists() else []) == ([torn] if is_torn else [])


def test_a_record_is_appended_once(tmp_path):
    path = tmp_path / "r.jsonl"
    append_record(path, Record(name="a"), once=True)
    append_record(path, Record(name="a"), once=True)
    append_record(path, Record(name="b"), once=True)
    append_record(path, Record(name="b"), once=True)
    assert [record.name for record in read_records(path, Record)] == ["a", "b"]


def append_many(path, name):
    for _ in range(50):
        append_record(path, Record(name=name))
        append_record(path, Record(name="once"), once=True)


def test_several_processes_append_whole_lines(tmp_path):
    path = tmp_path / "r.jsonl"
    append_line(path, b"torn", durable=False)
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=append_many, args=(path, name)) for name in "ab"]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    names = [record.name for record in read_records(path, Record)]
    assert sorted(names) == ["a"] * 50 + ["b"] * 50 + ["once"]
