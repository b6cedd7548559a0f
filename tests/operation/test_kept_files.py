"""This version reads the files of all versions, and damaged files stop nothing else."""

import importlib
import json
import pkgutil
import shutil
import sqlite3
from collections import defaultdict
from contextlib import closing
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mxtvhf
from mxtvhf.archive.archive import Archive, ArchivedInput, QuarantineNote, Receipt, Retraction
from mxtvhf.archive.failures import PartFailure
from mxtvhf.archive.products import ReportSummary, report_summaries
from mxtvhf.archive.stream_gaps import StreamGap, read_gaps
from mxtvhf.catalogues.store import CatalogueStore
from mxtvhf.catalogues.version import CatalogueVersion
from mxtvhf.desk.burst_list import burst_lines
from mxtvhf.desk.burst_page import burst_page
from mxtvhf.desk.comments import Comment
from mxtvhf.desk.files import DeskFiles, MeasuredCurve
from mxtvhf.desk.render import render_burst
from mxtvhf.desk.states import State
from mxtvhf.desk.unreadable import Dismissal
from mxtvhf.errors import Failure, InvalidInput, NewerVersion
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.attitude import AttitudeHistory
from mxtvhf.intake.planned import PlannedRun, Submission, planned_runs
from mxtvhf.intake.spool import Label
from mxtvhf.intake.stream_ledger import StreamLedger
from mxtvhf.models.files import sha256_of
from mxtvhf.models.kept import KeptModel, parse_kept, read_kept
from mxtvhf.notification.model import Acknowledgement, Addressed, Attempt, DrillOrder, Occurrence
from mxtvhf.operation.backup_file import Manifest
from mxtvhf.operation.health import Health, oldest_waiting_s
from mxtvhf.operation.metrics import exposition
from mxtvhf.operation.retention import retention
from mxtvhf.reporting.announcement.deliveries import Channels
from mxtvhf.reporting.announcement.model import (
    Decision,
    Delivery,
    NamedEvent,
    Release,
    Reservation,
    SubmittedCircular,
)
from mxtvhf.reporting.announcement.news import Result
from mxtvhf.reporting.announcement.question import write_question
from mxtvhf.reporting.announcement.release import release, reservations
from mxtvhf.reporting.messages import (
    AnnouncementMessage,
    CircularMessage,
    IntakeMessage,
    ReportMessage,
    RunMessage,
    StepMessage,
)
from mxtvhf.reporting.messages.model import Envelope
from mxtvhf.reporting.report.model import Report
from mxtvhf.simulator.gp.jobs import JobStore
from mxtvhf.workflow.comparison.model import Comparison
from mxtvhf.workflow.gp.contract import GpState
from mxtvhf.workflow.replay import select_replays
from mxtvhf.workflow.replay_request import ReplayRequest
from mxtvhf.workflow.runs import AirflowState, Run
from mxtvhf.workflow.step_results import StepResult
from mxtvhf.workflow.steps.photons_extraction import RejectedPackets
from support.kept_state import VERSIONS, Airflow, files_of, intake_of, unpack

NOW = datetime(2026, 11, 29, 7, 30, tzinfo=UTC)
"""Some minutes after the state of version 0.1.0 was written."""

KINDS = {
    ArchivedInput: "archive/sb*/inputs/*.json",
    Receipt: "archive/sb*/*/received.jsonl",
    Retraction: "archive/sb*/retracted*.json",
    QuarantineNote: "archive/quarantine/*.json",
    StreamGap: "archive/streams/gaps.jsonl",
    Label: "archive/incoming/*.msg",
    PartFailure: "archive/failing/*.json",
    PlannedRun: "archive/sb*/planned/[0-9][0-9][0-9][0-9].json",
    Submission: "archive/sb*/planned/*.posted.json",
    Decision: "releases/*/*/decision.json",
    Reservation: "releases/*/*/record/claim.json",
    Occurrence: "notifications/*/occurrences/*.json",
    Addressed: "notifications/*/addressed.jsonl",
    Attempt: "notifications/*/attempts.jsonl",
    Acknowledgement: "notifications/*/acknowledged.jsonl",
    DrillOrder: "notifications/*/drill-order.json",
    Delivery: "releases/*/*/record/[nw]*.json",
    Release: "releases/*/*/release.json",
    SubmittedCircular: "releases/*/*/submission.json",
    NamedEvent: "releases/*/event.json",
    Report: "**/report.json",
    ReportSummary: "products/**/report.json",
    Result: "products/**/report.json",
    MeasuredCurve: "products/**/report.json",
    Comparison: "products/*/*/comparison.json",
    RejectedPackets: "products/*/*/rejected_packets.json",
    StepResult: "products/*/*/steps/*.json",
    CatalogueVersion: "catalogues/*/*.json",
    Comment: "desk/comments/*.jsonl",
    Dismissal: "desk/dismissed.jsonl",
    Manifest: "backup/manifest.json",
    RunMessage: "outbox/*-run-*.json",
    StepMessage: "outbox/*-step-*.json",
    ReportMessage: "outbox/*-report-*.json",
    IntakeMessage: "outbox/*-intake-*.json",
    AnnouncementMessage: "outbox/*-announcement-*.json",
    CircularMessage: "outbox/*-circular-*.json",
}
NOTIFICATIONS = {Occurrence, Addressed, Attempt, Acknowledgement, DrillOrder}
ON_THE_DESK = {Comment, Dismissal}
NOT_IN_0_1_0 = {
    StepResult, Manifest, PartFailure, SubmittedCircular, NamedEvent, CircularMessage, *NOTIFICATIONS,
    *ON_THE_DESK,
}  # fmt: skip
"""Results of steps were XComs. A backup lies outside the state folder; the parts of the listener ended
together; nobody was notified, nobody recorded what GCN made of an announcement, and nobody could write on the
desk."""

FACTS = {
    "0.1.0": {
        "bursts": 12, "inputs": 23, "gaps": 3, "reports": 4, "reservations": 4, "replays": 17,
        "quarantined": 5, "retracted": 3, "starts": ["sb26060111__1", "sb26060111__2", "sb26060113__1__test"],
    },
    "0.2.0": {
        "bursts": 2, "inputs": 1, "gaps": 1, "reports": 4, "reservations": 1, "replays": 1,
        "quarantined": 1,
        "retracted": 1, "starts": ["sb26061103__1"],
    },
}  # fmt: skip


@pytest.fixture(params=VERSIONS)
def version(request):
    return request.param


@pytest.fixture
def state(tmp_path, version):
    return unpack(version, tmp_path / "var")


@pytest.fixture
def old(tmp_path):
    return unpack("0.1.0", tmp_path / "var")


def records_in(kind, path):
    """Return the JSON of the records in a file."""
    lines = path.read_bytes().split(b"\n")
    if path.suffix == ".jsonl":
        return lines[:-1]
    return lines[:1] if path.suffix == ".msg" else [path.read_bytes()]


def kept_models(base=KeptModel):
    for kind in base.__subclasses__():
        yield kind
        yield from kept_models(kind)


def test_every_kind_of_record_has_a_golden_file_of_each_of_its_versions(tmp_path):
    for module in pkgutil.walk_packages(mxtvhf.__path__, "mxtvhf."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    ours = {kind for kind in kept_models() if kind.__module__.startswith("mxtvhf.")}
    assert ours - {Envelope} == KINDS.keys()
    assert mxtvhf.__version__ in VERSIONS, "PYTHONPATH=tests python -m support.write_state"
    found = defaultdict(set)
    for version in VERSIONS:
        home = unpack(version, tmp_path / version).home
        for kind, pattern in KINDS.items():
            raws = [raw for path in files_of(home, pattern) for raw in records_in(kind, path)]
            read = [parse_kept(raw, kind, name=pattern) for raw in raws]
            assert read or (version == "0.1.0" and kind in NOT_IN_0_1_0), kind
            found[kind] |= {record.schema_version for record in read}
            if version == mxtvhf.__version__:
                written = {json.loads(raw)["schema_version"] for raw in raws}
                assert written == {kind.current_version()}, kind
    assert found == {kind: set(range(1, kind.current_version() + 1)) for kind in KINDS}


def test_the_state_folder_of_each_version_is_read_completely(state, version):
    facts, archive = FACTS[version], Archive(state.archive)
    assert len(archive.bursts()) == facts["bursts"]
    assert len(list(archive.inputs())) == facts["inputs"]
    assert len(read_gaps(archive.root)) == facts["gaps"]
    assert len(list(report_summaries(state.products))) == facts["reports"]
    assert len(archive.quarantined()) == facts["quarantined"]
    assert len(reservations_of(state)) == facts["reservations"]
    replays = select_replays(archive, ReplayRequest(limit=50), at=NOW)
    assert len(replays) == facts["replays"]
    retracted = [archive.retraction(burst, is_test=test) for burst in archive.bursts() for test in (0, 1)]
    assert sum(one is not None for one in retracted) == facts["retracted"]
    (catalogue,) = CatalogueStore(state.catalogues).versions()
    assert CatalogueStore(state.catalogues).fault(catalogue) is None
    jobs = JobStore(state.home / "gp")
    assert all(job.request is not None for job in jobs.latest(10))
    assert jobs.counts()["COMPLETED"] >= 1
    jobs.close()
    assert not list(state.home.rglob("*.unreadable"))


def test_the_intake_continues_with_the_state_folder_of_each_version(state, version):
    """Waiting messages are filed and started. Notices with a run of the old version get no second run."""
    airflow, archive = Airflow(), Archive(state.archive)
    intake = intake_of(state, airflow)
    before = {burst: planned_runs(archive, burst) for burst in archive.bursts()}
    for path in (state.archive / "incoming").glob("*.msg"):
        assert intake.incoming.read(path).source
    for burst, runs in before.items():
        if runs:
            intake.bursts.open(burst)
    for _ in range(3):
        intake.round(lambda: NOW)
    assert sorted(airflow.runs) == FACTS[version]["starts"]
    for burst, runs in before.items():
        assert [run for run, _ in planned_runs(archive, burst)] == [run for run, _ in runs]
        assert all(posting for _, posting in planned_runs(archive, burst))
    assert not list((state.archive / "incoming").iterdir())


def reservations_of(state):
    folders = [path for path in state.releases.glob("sb*") if path.is_dir()]
    return [
        claim
        for folder in folders
        for test in (False, True)
        for claim in reservations(folder, is_test=test)[0]
    ]


def seen(state):
    """Return what the programs read, by burst or part of the state folder."""
    archive, desk = Archive(state.archive), DeskFiles(state)
    found = defaultdict(dict)
    runs = []
    for burst in archive.bursts():
        planned = planned_runs(archive, burst)
        found[burst] = {
            "inputs": [entry.run_id for entry in archive.inputs(burst)],
            "notices": [path.name for path in archive.first_notices(burst)],
            "messages": [path.name for path in archive.vhf(burst)],
            "planned": [(run.run_id, posting and posting.outcome) for run, posting in planned],
            "retracted": [archive.retraction(burst, is_test=test) for test in (False, True)],
            "reservations": [reservations(state.releases / burst, is_test=test)[0] for test in (False, True)],
        }
        runs += [
            Run(
                run_id=path.name,
                burst_id=burst,
                sequence=1,
                state=AirflowState.SUCCESS,
                created=NOW,
                ended=NOW,
            )
            for path in {*state.products.glob(f"{burst}/*"), *state.releases.glob(f"{burst}/sb*")}
        ]
    for run in sorted(runs, key=lambda run: run.run_id, reverse=True):
        report = desk.summary(run.burst_id, run.run_id)
        found[run.burst_id][run.run_id] = desk.state(run, report, is_asked=False), report
    for replay in select_replays(archive, ReplayRequest(limit=50), at=NOW):
        found[replay.conf.burst_id].setdefault("replays", []).append(replay.original)
    found["quarantine"] = {note.sha256: note.reason for note in archive.quarantined()}
    found["streams"] = read_gaps(archive.root)
    found["catalogues"] = [
        answer.checked for answer in CatalogueStore(state.catalogues).cone(81.0, 11.0, 300.0)
    ]
    assert burst_lines(runs, {}, (), desk)
    assert exposition(state, {}, Health(is_healthy=True, checks=()))
    assert retention(state, NOW + timedelta(days=1), dry_run=True)
    assert oldest_waiting_s(archive) > 0.0
    return found


AREAS = ("quarantine", "streams", "catalogues", "incoming", "outbox")


def area_of(path):
    """Return the burst or the part of the state folder of a file."""
    return next(part for part in path.parts if part in AREAS or part.startswith("sb2"))


def changed_json(raw, **changes):
    content = json.loads(raw)
    return json.dumps({**content, **changes}).encode()


def change(path, **changes):
    """Change fields of every record in a file."""
    raw = path.read_bytes()
    if path.suffix == ".jsonl":
        path.write_bytes(b"".join(changed_json(line, **changes) + b"\n" for line in raw.splitlines()))
    elif path.suffix == ".msg":
        label, _, message = raw.partition(b"\n")
        path.write_bytes(changed_json(label, **changes) + b"\n" + message)
    else:
        path.write_bytes(changed_json(raw, **changes))


RECORDS = tuple(dict.fromkeys(KINDS.values()))


def test_an_unknown_field_in_every_record_changes_nothing(old):
    before = seen(old)
    for path in files_of(old.home, *RECORDS):
        change(path, a_new_field={"of": ["a", "later", "version"]})
    assert seen(old) == before
    airflow = Airflow()
    intake_of(old, airflow).round(lambda: NOW)
    assert sorted(airflow.runs) == FACTS["0.1.0"]["starts"]
    assert not list(old.home.rglob("*.unreadable"))


def test_records_of_a_later_version_stop_nothing_and_are_not_moved(old, caplog):
    paths = files_of(old.home, *RECORDS)
    for path in paths:
        change(path, schema_version=99)
    kept = {path: path.read_bytes() for path in paths}
    seen(old)
    intake = intake_of(old)
    intake.round(lambda: NOW)
    intake.round(lambda: NOW)
    waiting = [path for path in paths if path.parent.name != "incoming"]
    assert all(path.read_bytes() == kept[path] for path in waiting)
    assert not list(old.home.rglob("*.unreadable"))
    assert "schema version 99; mxtvhf" in caplog.text
    assert len(set(caplog.messages)) == len(caplog.messages), "each file is logged once"


def damages(raw, place):
    yield raw[: int(place * len(raw))]
    yield b""
    yield b"[]"
    yield b"\0" * len(raw)
    yield b"{}\n" + raw
    yield raw[:1] + b'"new": 1,' + raw[1:]
    yield raw.replace(b'"', b'"schema_version":99,"', 1)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return seen(unpack("0.1.0", tmp_path_factory.mktemp("sound") / "var"))


@pytest.mark.slow
@given(data=st.data())
@settings(max_examples=20)
def test_a_damaged_file_affects_only_its_own_content(tmp_path_factory, sound, data):
    home = tmp_path_factory.mktemp("state")
    old = unpack("0.1.0", home / "var")
    others = ("archive/*/alerts/*.xml", "archive/sb*/*/*.bin", "archive/streams/*.seen*")
    path = data.draw(st.sampled_from(files_of(old.home, *RECORDS, *others)))
    place = data.draw(st.floats(0.0, 1.0, exclude_max=True))
    content = data.draw(st.sampled_from(list(damages(path.read_bytes(), place))))
    area = area_of(path)
    path.write_bytes(content)
    after = seen(old)
    assert {key: value for key, value in after.items() if key != area} == {
        key: value for key, value in sound.items() if key != area
    }
    airflow = Airflow()
    intake = intake_of(old, airflow)
    intake.round(lambda: NOW)
    intake.round(lambda: NOW)
    if area not in ("sb26060111", "incoming"):
        assert {"sb26060111__1", "sb26060111__2", "sb26060113__1__test"} <= airflow.runs.keys()
    shutil.rmtree(home)


def one_of(settings, pattern):
    return files_of(settings.home, pattern)[0]


@pytest.mark.parametrize("content", [b"", b'{"source": "inb', b"[]"])
def test_a_message_with_a_damaged_label_is_filed(old, content):
    path = next(path for path in files_of(old.home, KINDS[Label]) if b"<" in path.read_bytes())
    message = path.read_bytes().partition(b"\n")[2]
    path.write_bytes(content + b"\n" + message)
    intake_of(old).round(lambda: NOW)
    assert not path.exists()
    kept = old.archive / "sb26060113" / "alerts" / f"{path.stem}.xml"
    assert kept.read_bytes() == message
    assert "unreadable label" in (kept.parent / "received.jsonl").read_text()


def test_a_message_damaged_together_with_its_label_goes_to_quarantine(old):
    path = one_of(old, KINDS[Label])
    path.write_bytes(path.read_bytes()[:40])
    intake_of(old).round(lambda: NOW)
    assert not path.exists()
    note = next(note for note in Archive(old.archive).quarantined() if note.input == str(path))
    assert "damaged JSON" in note.reason
    assert (old.archive / "quarantine" / f"{note.sha256}.bin").stat().st_size == 40


def test_a_run_without_submission_record_is_submitted_again_under_its_id(old):
    (old.archive / "sb26060111" / "planned" / "0001.posted.json").write_bytes(b"{")
    airflow = Airflow()
    intake_of(old, airflow).round(lambda: NOW)
    assert {"sb26060111__1", "sb26060111__2"} <= airflow.runs.keys()
    assert all(posting for _, posting in planned_runs(Archive(old.archive), "sb26060111"))


def test_the_sequence_of_a_damaged_planned_run_is_not_reused(old):
    path = old.archive / "sb26060111" / "planned" / "0002.json"
    path.write_bytes(path.read_bytes()[:100])
    airflow, archive = Airflow(), Archive(old.archive)
    intake_of(old, airflow).round(lambda: NOW)
    assert [run.conf.sequence for run, _ in planned_runs(archive, "sb26060111")] == [1, 3]
    assert {"sb26060111__1", "sb26060111__3"} <= airflow.runs.keys()
    assert [aside.name.split(".")[0] for aside in path.parent.glob("*.unreadable")] == ["0002"]


def test_a_run_that_cannot_be_started_does_not_block_others(old):
    class Broken(Airflow):
        def start_run(self, run_id, conf):
            if run_id == "sb26060111__1":
                raise ValueError("what nobody expects")
            return super().start_run(run_id, conf)

    airflow = Broken()
    intake = intake_of(old, airflow)
    intake.round(lambda: NOW)
    intake.round(lambda: NOW)
    assert "sb26060113__1__test" in airflow.runs


@pytest.mark.parametrize("content", [b"", b"{", b'{"schema_version": 99}'])
def test_a_burst_stays_retracted_when_the_record_is_damaged(old, content):
    (old.archive / "sb26060104" / "retracted.json").write_bytes(content)
    retraction = Archive(old.archive).retraction("sb26060104", is_test=False)
    assert "unreadable" in retraction.ivorn
    assert Archive(old.archive).retraction("sb26060104", is_test=True) is None


def test_an_input_in_quarantine_is_listed_without_its_note(old):
    for path in files_of(old.home, KINDS[QuarantineNote]):
        path.write_bytes(b"")
    notes = Archive(old.archive).quarantined()
    assert {note.sha256 for note in notes} == {
        path.stem for path in files_of(old.home, "archive/quarantine/*.bin")
    }
    assert all("is missing or unreadable" in note.reason for note in notes)


def test_a_truncated_line_of_the_gaps_is_copied_aside_and_the_audit_continues(old):
    path = one_of(old, KINDS[StreamGap])
    path.write_bytes(path.read_bytes()[:-30])
    assert len(read_gaps(old.archive)) == 2
    ledger = StreamLedger(old.archive, "MXTVHF_IN", datetime(2026, 11, 29, 7, 17, 44, 111739, tzinfo=UTC))
    ledger.lose(9, 9, "unreadable in the stream")
    assert [gap.first for gap in read_gaps(old.archive)][-1] == 9
    assert len(read_gaps(old.archive)) == 3
    assert path.with_name("gaps.jsonl.unreadable").exists()


def test_a_ledger_of_0_1_0_is_read_despite_a_truncated_line(old):
    made = datetime(2026, 11, 29, 7, 17, 44, 111739, tzinfo=UTC)
    path = one_of(old, "archive/streams/*.seen")
    numbers = [int(line.split()[0]) for line in path.read_text().splitlines()]
    ledger = StreamLedger(old.archive, "MXTVHF_IN", made)
    assert ledger.missing(numbers[0], numbers[-1]) == []
    path.write_bytes(path.read_bytes()[:-9])
    again = StreamLedger(old.archive, "MXTVHF_IN", made)
    again.note(99, b"another")
    assert again.newest() == 99
    assert again.agrees(99, b"another")
    assert StreamLedger(old.archive, "MXTVHF_IN", made).missing(numbers[-1], 99)[0] == numbers[-1]
    assert path.with_name(f"{path.name}.unreadable").exists()


def test_a_new_ledger_contains_its_version(tmp_path):
    ledger = StreamLedger(tmp_path, "S", NOW)
    ledger.note(1, b"a")
    (path,) = (tmp_path / "streams").iterdir()
    assert path.read_text().startswith("# schema_version 1\n1 ")
    assert StreamLedger(tmp_path, "S", NOW).newest() == 1


def test_a_damaged_decision_or_release_is_shown_as_unreadable(old):
    burst, run_id = "sb26060101", "sb26060101__2"
    run = Run(run_id=run_id, burst_id=burst, sequence=2, state=AirflowState.SUCCESS, created=NOW, ended=NOW)

    def state():
        desk = DeskFiles(old)
        return desk.state(run, desk.summary(burst, run_id), is_asked=True)

    folder = old.releases / burst / run_id
    assert state() is State.SENT
    for name in ("release.json", "decision.json"):
        kept = (folder / name).read_bytes()
        for content in (b"", kept[:50], b"[]", changed_json(kept, schema_version=99)):
            (folder / name).write_bytes(content)
            assert state() is State.UNREADABLE
            page = burst_page(burst, [run], run, {}, DeskFiles(old), airflow="", now=NOW)
            text = unescape(render_burst(page, base="/mxtvhf"))
            assert f"{folder / name}: " in text
            assert "No decision is open" not in text
        (folder / name).write_bytes(kept)
    assert state() is State.SENT


def released_again(old, run_id="sb26060101__2"):
    """Release the announcement of a run with its decision."""
    folder = old.releases / run_id[:10] / run_id
    report = read_kept(folder / "record" / "report.json", Report)
    decision = read_kept(folder / "decision.json", Decision)
    channels = Channels(outbox=old.outbox, webhook=old.webhook_file)
    return release(report, decision, releases=old.releases, channels=channels, now=NOW)


def test_an_announcement_of_0_1_0_is_not_made_again(old):
    before = {path: path.read_bytes() for path in files_of(old.home, "releases/**/[!.]*", "outbox/*")}
    assert released_again(old).number == 1
    assert {path: path.read_bytes() for path in files_of(old.home, "releases/**/[!.]*", "outbox/*")} == before


def test_a_killed_release_of_0_1_0_is_resumed(old):
    folder = old.releases / "sb26060101" / "sb26060101__3"
    done = read_kept(folder / "release.json", Release)
    (folder / "release.json").unlink()
    again = released_again(old, "sb26060101__3")
    assert again.model_copy(update={"products": done.products}) == done
    assert len(list(old.outbox.glob("*-announcement-*"))) == 1, "that of another burst; NATS has this one"


def test_a_damaged_claim_is_read_from_its_release(old):
    path = old.releases / "sb26060101" / "sb26060101__2" / "record" / "claim.json"
    before = reservations(path.parents[2], is_test=False)
    path.write_bytes(path.read_bytes()[:60])
    assert reservations(path.parents[2], is_test=False) == before
    assert released_again(old).number == 1


def test_no_number_is_reserved_while_one_may_be_in_use(old, tmp_path):
    folder = old.releases / "sb26060101" / "sb26060101__2"
    report = read_kept(folder / "record" / "report.json", Report)
    for name in ("record/claim.json", "release.json"):
        (folder / name).write_bytes(b"")
    newer = report.model_copy(update={"run_id": "sb26060101__4", "written": NOW})
    decision = read_kept(folder / "decision.json", Decision).model_copy(update={"run_id": newer.run_id})
    with pytest.raises(InvalidInput, match=r"sb26060101__4: .*claim\.json: damaged JSON.*; restore it"):
        release(newer, decision, releases=old.releases, channels=Channels(), now=NOW)
    question = write_question(newer, out=tmp_path / "out", releases=old.releases, desk_url=None, page=None)
    assert "cannot be released" in question.body


def test_a_damaged_delivery_record_causes_no_second_delivery(old):
    folder = old.releases / "sb26060101" / "sb26060101__3"
    (folder / "release.json").unlink()
    for channel in ("nats", "webhook"):
        (folder / "record" / f"{channel}.json").write_bytes(b"{")
    again = released_again(old, "sb26060101__3")
    assert {delivery.channel: delivery.state for delivery in again.deliveries} == {
        "nats": "sent", "webhook": "off",
    }  # fmt: skip
    sent = [path for path in old.outbox.glob("*-announcement-*") if "sb26060101" in path.read_text()]
    assert [json.loads(path.read_bytes())["id"] for path in sent] == [sha256_of(again.ivorn.encode())[:32]]


def test_jobs_of_a_later_version_are_rejected_and_damaged_ones_fail(old):
    path = old.home / "gp" / "jobs.sqlite"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE jobs SET request = json_set(request, '$.new', 1)")
        database.execute("UPDATE jobs SET result = substr(result, 1, 30) WHERE number = 1")
        database.execute("UPDATE jobs SET request = '{', state = 'PENDING' WHERE number = 2")
    jobs = JobStore(path.parent)
    job = jobs.claim()
    with pytest.raises(InvalidInput, match="stored request is damaged; submit it again"):
        job.known_request()
    *_, second, first = jobs.latest(10)
    assert (first.state, first.result, first.message) == (
        GpState.FAILED, None, "the stored result is damaged; submit the request again",
    )  # fmt: skip
    assert second.request is None
    assert all(other.request for other in jobs.latest(10)[:-2])
    jobs.close()
    with closing(sqlite3.connect(path)) as database, database:
        assert database.execute("PRAGMA user_version").fetchone() == (1,)
        database.execute("PRAGMA user_version = 7")
    with pytest.raises(NewerVersion, match=r"jobs\.sqlite: schema version 7; .*; upgrade mxtvhf"):
        JobStore(path.parent)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(Failure, match=r"jobs\.sqlite: damaged: "):
        JobStore(path.parent)


@pytest.mark.parametrize("name", ["photons.npz", "attitude.npz"])
@pytest.mark.parametrize("part", [0.0, 0.5, 0.99])
def test_damaged_arrays_are_an_error_that_names_them(old, name, part):
    path = one_of(old, f"products/*/*/{name}")
    content = path.read_bytes()
    read = (
        PhotonList.load
        if name == "photons.npz"
        else lambda path: AttitudeHistory.from_bytes(path.read_bytes())
    )
    assert read(path) is not None
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(InvalidInput, match=r"damaged arrays: .*; rerun the step"):
        read(path)


def test_a_damaged_catalogue_is_named_and_the_others_are_listed(old):
    folder = old.catalogues / "example"
    shutil.copytree(folder, old.catalogues / "other")
    (old.catalogues / "other" / "1.json").write_bytes(b"{")
    store = CatalogueStore(old.catalogues)
    assert [version.catalogue for version in store.versions()] == ["example"]
    (fault,) = store.unreadable()
    assert "other/1.json: damaged JSON" in fault
