import json
from datetime import UTC, datetime, timedelta

from mxtvhf.archive.archive import Archive, ArchivedInput
from mxtvhf.models.run_conf import RunConf

BURST = "sb26051102"
T = datetime(2026, 5, 11, 11, 4, tzinfo=UTC)


def entry(run_id, received=T, packets="/p.bin", **changes):
    conf = RunConf(burst_id=BURST, alert="/a.xml", packets=packets, sequence=1)
    return ArchivedInput(run_id=run_id, burst_id=BURST, conf=conf, received=received, **changes)


def test_equal_files_are_stored_once(tmp_path):
    archive = Archive(tmp_path)
    first = archive.keep_alert(BURST, b"<alert/>")
    again = archive.keep_alert(BURST, b"<alert/>")
    other = archive.keep_alert(BURST, b"<other/>")
    assert first == again != other
    assert first.read_bytes() == b"<alert/>"


def test_the_first_record_of_a_run_stays(tmp_path):
    archive = Archive(tmp_path)
    archive.keep_input(entry("sb26051102__1"))
    again = archive.keep_input(entry("sb26051102__1", received=T + timedelta(days=1)))
    assert again.received == T
    assert list(archive.inputs()) == [again]


def test_a_run_that_found_its_packets_later_gets_a_further_record(tmp_path):
    archive = Archive(tmp_path)
    archive.keep_input(entry("sb26051102__1", packets="/missing"))
    again = archive.keep_input(entry("sb26051102__1", received=T + timedelta(hours=1)))
    assert again.received == T
    assert {kept.conf.packets for kept in archive.inputs()} == {"/missing", "/p.bin"}


def test_run_ids_that_make_the_same_file_name_keep_their_records(tmp_path):
    archive = Archive(tmp_path)
    run_ids = {"a/b", "a_b", "x" * 250, "x" * 251}
    for run_id in run_ids:
        assert archive.keep_input(entry(run_id)).run_id == run_id
    assert {kept.run_id for kept in archive.inputs()} == run_ids


def test_the_original_of_a_replay_is_the_newest_input_with_its_bytes(tmp_path):
    archive = Archive(tmp_path)
    archive.keep_input(entry("first"))
    newest = archive.keep_input(entry("again", received=T + timedelta(hours=1)))
    archive.keep_input(entry("other", received=T + timedelta(hours=2), packets=None))
    replay = archive.keep_input(entry("replay", received=T + timedelta(hours=3), is_replay=True))
    assert archive.original_of(replay) == newest


def test_receipts_give_the_last_reception_of_a_notice(tmp_path):
    archive = Archive(tmp_path)
    first, other = (archive.keep_alert(BURST, raw) for raw in (b"<alert/>", b"<other/>"))
    later = T + timedelta(minutes=5)
    for kept, received in ((first, T), (other, T), (first, later), (first, later)):
        archive.log_receipt(kept, received)
    assert archive.notices(BURST, until=T) == {first: T, other: T}
    assert archive.notices(BURST, until=later) == {first: later, other: T}
    assert len((first.parent / "received.jsonl").read_text().splitlines()) == 3
    assert archive.notices("sb26051103", until=later) == {}


def test_a_truncated_receipt_affects_no_other(tmp_path):
    archive = Archive(tmp_path)
    kept = archive.keep_alert(BURST, b"<alert/>")
    (kept.parent / "received.jsonl").write_bytes(b'{"alert":"5e')
    archive.log_receipt(kept, T)
    assert archive.notices(BURST, until=T) == {kept: T}


def test_quarantine_keeps_the_bytes_and_the_reason(tmp_path):
    path = Archive(tmp_path).quarantine(b"\x00junk", name="inbox/x.xml", reason="not XML")
    assert path.read_bytes() == b"\x00junk"
    note = json.loads(path.with_suffix(".json").read_text())
    assert (note["input"], note["reason"], note["size"]) == ("inbox/x.xml", "not XML", 5)


def test_a_second_quarantine_of_the_same_bytes_adds_a_note(tmp_path):
    archive = Archive(tmp_path)
    path = archive.quarantine(b"junk", name="a", reason="not XML")
    first = path.with_suffix(".json").read_bytes()
    for _ in range(2):
        assert archive.quarantine(b"junk", name="a", reason="not XML") == path
        assert archive.quarantine(b"junk", name="b", reason="not XML") == path
    assert path.with_suffix(".json").read_bytes() == first
    notes = [json.loads(note.read_bytes()) for note in path.parent.glob("*.json")]
    assert sorted(note["input"] for note in notes) == ["a", "b"]


def test_the_last_receipt_up_to_a_moment(tmp_path):
    archive = Archive(tmp_path)
    packets = archive.keep_packets(BURST, b"packets")
    assert archive.last_receipt(packets, until=T) is None
    for days in (0, 1, 2):
        archive.log_receipt(packets, T + timedelta(days=days))
    archive.log_receipt(archive.keep_packets(BURST, b"others"), T + timedelta(hours=1))
    assert archive.last_receipt(packets, until=T - timedelta(seconds=1)) is None
    assert archive.last_receipt(packets, until=T + timedelta(hours=30)) == T + timedelta(days=1)


def test_the_quarantine_is_listed_newest_first(tmp_path):
    archive = Archive(tmp_path)
    assert archive.quarantined() == []
    archive.quarantine(b"first", name="a.xml", reason="no XML")
    archive.quarantine(b"second", name="b.xml", reason="too long")
    archive.quarantine(b"first", name="c.xml", reason="no XML")
    notes = archive.quarantined()
    assert {(note.input, note.reason, note.size) for note in notes} == {
        ("a.xml", "no XML", 5),
        ("b.xml", "too long", 6),
        ("c.xml", "no XML", 5),
    }
    assert [note.time for note in notes] == sorted((note.time for note in notes), reverse=True)
    assert {note.sha256 for note in notes} == {path.stem for path in (tmp_path / "quarantine").glob("*.bin")}
