"""Write the state folder of this version: one record of each kind, made by what makes it in operation.

``PYTHONPATH=tests python -m support.write_state`` writes ``tests/data/state-<version>.tar.xz``. Do it once
for each version, before its release; `support.kept_state` reads them all.
"""

import io
import lzma
import shutil
import sqlite3
import tarfile
import tempfile
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from mxtvhf import __version__
from mxtvhf.archive.archive import Archive
from mxtvhf.catalogues.ingest import add_catalogue
from mxtvhf.desk.comments import Comments
from mxtvhf.desk.unreadable import UnreadableInputs
from mxtvhf.errors import InvalidInput
from mxtvhf.intake.parts import Part
from mxtvhf.intake.spool import ReceivedMessage, Spool
from mxtvhf.intake.stream_ledger import StreamLedger
from mxtvhf.models.ids import kind_of_run, run_id_of
from mxtvhf.models.input_folders import InputFolders
from mxtvhf.models.run_conf import RunConf
from mxtvhf.notices.voevent import read_alert
from mxtvhf.notification.ledger import Ledger
from mxtvhf.notification.model import Addressed, Attempt, DrillOrder, Occurrence
from mxtvhf.operation.backup_file import Manifest
from mxtvhf.operation.database_dump import DatabaseDump
from mxtvhf.reporting.announcement.deliveries import Channels
from mxtvhf.reporting.announcement.model import Decision
from mxtvhf.reporting.announcement.question import read_report
from mxtvhf.reporting.announcement.release import release
from mxtvhf.reporting.announcement.submission import name_event, record_submission, send_submission
from mxtvhf.reporting.messages import IntakeMessage, Outbox, RunMessage, StepMessage
from mxtvhf.reporting.messages.report_message import report_message
from mxtvhf.settings import Settings
from mxtvhf.simulator.gp.analysis import AnalysisResult
from mxtvhf.simulator.gp.jobs import JobStore
from mxtvhf.simulator.notices import write_notice
from mxtvhf.simulator.scenario import scenario_of, write_scenario
from mxtvhf.workflow.comparison.runs import compare_runs, write_comparison
from mxtvhf.workflow.gp.contract import GpRequest
from mxtvhf.workflow.local import process_burst
from mxtvhf.workflow.step_results import StepResults
from mxtvhf.workflow.steps.reception_message import reception_message
from mxtvhf.workflow.steps.start_mxt_gp_pipeline import GpStart
from support.arrivals import retraction_of
from support.kept_state import DATA, STAND_IN, intake_of

NOW = datetime(2026, 6, 11, 12, tzinfo=UTC)
ANALYSED, RETRACTED, WAITING = "sb26061101", "sb26061102", "sb26061103"
TOO_LARGE = (".png", ".html", ".fits", ".pha", ".arf", ".rmf", ".reg", ".lock")
"""Files that no later version reads or that are checked otherwise."""


def write_state(settings, work):
    """Write one record of each kind."""
    folders = {burst: work / burst for burst in (ANALYSED, RETRACTED, WAITING)}
    for burst, folder in folders.items():
        scenario = scenario_of(
            burst, seed=3, ra_deg=10.0, dec_deg=20.0, counts=25, background=20, role="observation"
        )
        write_scenario(scenario, folder)
    _receive(settings, folders)
    _analyse(settings, folders[ANALYSED])
    _announce(settings)
    _tell(settings)
    _streams(settings)
    _failures(settings)
    _notify(settings)
    _write_on_the_desk(settings)
    _other_rooms(settings, work)


def _receive(settings, folders):
    """File notices, packets and a damaged input, plan and start runs, and store one waiting message."""
    intake = intake_of(settings, first_photons=10, first_seconds=0.0)

    def comes(raw, source):
        intake.keep(ReceivedMessage(raw, source, NOW))
        intake.round()

    for burst in (ANALYSED, RETRACTED):
        comes((folders[burst] / "eclairs-wakeup.xml").read_bytes(), "inbox")
        comes((folders[burst] / "packets.bin").read_bytes(), "NATS mxtvhf.in.packets")
    wakeup = read_alert((folders[RETRACTED] / "eclairs-wakeup.xml").read_bytes(), name="wakeup")
    comes(write_notice(retraction_of(wakeup)), "inbox")
    comes(b"neither notice nor packets", "inbox")
    Spool(settings.archive).keep(
        ReceivedMessage((folders[WAITING] / "eclairs-wakeup.xml").read_bytes(), "inbox", NOW)
    )


def _analyse(settings, folder):
    """Process a burst twice, as a run and its replay, and compare them."""
    runs = run_id_of(ANALYSED, 1), f"{run_id_of(ANALYSED, 1)}__replay_20260611T120000.000000Z"
    with (folder / "packets.bin").open("ab") as file:
        file.write(b"damaged")
    report = process_burst(folder / "alert.xml", folder / "packets.bin", folder / "out")
    for run in runs:
        products = settings.products / ANALYSED / run
        shutil.copytree(report.parent, products, ignore=shutil.ignore_patterns("archive"))
    results = StepResults(settings.products / ANALYSED / runs[0], kind_of_run(runs[0]).dag_id, runs[0])
    attempt = "019eb5a0-0000-7000-8000-000000000000"
    results.write("start_mxt_gp_pipeline", attempt, GpStart(process_id="2611"), started=NOW)
    archive = Archive(settings.archive)
    kept = next(iter(archive.first_notices(ANALYSED)))
    packets = next((settings.archive / ANALYSED / "packets").glob("*.bin"))
    conf = RunConf(burst_id=ANALYSED, alert=str(kept), packets=str(packets))
    reception_message(
        conf, run_id=runs[0], archive=archive, folders=InputFolders((settings.home,)), created=NOW
    )
    comparison = compare_runs(settings.products, ANALYSED, archived_run=runs[0], new_run=runs[1])
    write_comparison(settings.products, comparison)


def _announce(settings):
    """Reject the report, then approve it and release the announcement."""
    report, _ = read_report(settings.products, ANALYSED, run_id_of(ANALYSED, 1))
    told = {"run_id": report.run_id, "burst_id": ANALYSED, "decided_by": "ada", "decided_at": NOW}
    channels = {"releases": settings.releases, "channels": Channels(outbox=settings.outbox), "now": NOW}
    try:
        decision = Decision(choice="approve", position="another label", **told)
        release(report, decision, **channels)
    except InvalidInput:
        pass
    release(report, Decision(choice="approve", comment="bright", **told), **channels)
    folder = settings.releases / ANALYSED / report.run_id
    record_submission(folder, 44454, by="ada", at=NOW)
    send_submission(folder, settings.outbox)
    name_event(folder.parent.parent, folder.parent.name, "GRB 260611A", by="ada", at=NOW)


def _tell(settings):
    """Queue the other messages."""
    outbox, about = Outbox(settings.outbox), {"burst_id": ANALYSED, "run_id": run_id_of(ANALYSED, 1)}
    outbox.put(RunMessage(state="succeeded", is_test=False, time=NOW, **about))
    outbox.put(
        StepMessage(task_id="update_BA", state="succeeded", try_number=1, is_test=False, time=NOW, **about)
    )
    outbox.put(IntakeMessage(what="gap", source="NATS", reason="lost", lost=1, time=NOW))
    outbox.put(report_message(settings.products / ANALYSED / run_id_of(ANALYSED, 1) / "report.json"))


def _streams(settings):
    ledger = StreamLedger(settings.archive, "MXTVHF_IN", NOW)
    ledger.note(1, b"one")
    ledger.note(3, b"three")
    ledger.lose(2, 2, "unreadable in the stream")


def _failures(settings):
    """Write the record of a failing part of the listener."""

    def work(stop, works):
        stop.set()
        raise InvalidInput("'no-url' is no NATS URL, e.g. nats://localhost:4222")

    Part("NATS", work, settings.archive).run(threading.Event())


def _notify(settings):
    """Record a notification and its acknowledgement, and order a drill."""
    ledger = Ledger(settings.notifications)
    occurrence = Occurrence(
        key="first_notice", event="first_notice", subject=ANALYSED, raised=NOW, title="new burst", body="What"
    )
    ledger.raise_occurrence(occurrence)
    address = {"key": occurrence.key, "to": ("ada",), "time": NOW}
    ledger.address(ANALYSED, Addressed(stage=0, reason="on duty", **address))
    ledger.log_attempt(ANALYSED, Attempt(channel="ada/mailto", state="failed", reason="error=502", **address))
    ledger.acknowledge(ANALYSED, "ada", instead_of=None, now=NOW)
    ledger.order_drill(f"{ANALYSED}__test", DrillOrder(by="ada", time=NOW))


def _write_on_the_desk(settings):
    """Comment on a burst, dismiss an unreadable input."""
    Comments(settings.desk_records / "comments").add(ANALYSED, "VT sees it fade.", author="ada", now=NOW)
    archive = Archive(settings.archive)
    note = archive.quarantined()[0]
    UnreadableInputs(archive, settings.desk_records).dismiss(note.sha256, by="ada", now=NOW)


def _other_rooms(settings, work):
    """A catalogue, jobs of the reference GP, the manifest of a backup."""
    table = work / "catalogue.csv"
    table.write_text("name,ra,dec,r90\nX-1,10.0,20.0,5.0\nX-2,11.0,21.0,5.0\n")
    add_catalogue(settings.catalogues, table, "example")
    jobs = JobStore(settings.home / "gp")
    request = {"apid": "00810300005", "target": "2", "orbit": "2", "mode": "GeneralProgram"}
    done, failed, _ = (jobs.submit(GpRequest(**request)) for _ in range(3))
    result = AnalysisResult(ra_deg=10.0, dec_deg=20.0, r90_stat_arcsec=30.0, r90_sys_arcsec=25.0)
    jobs.complete(done.process_id, result)
    jobs.fail(failed.process_id, "no detection")
    jobs.close()
    with closing(sqlite3.connect(settings.home / "gp" / "jobs.sqlite")) as database:
        database.execute("PRAGMA journal_mode=DELETE")  # in one file
    manifest = Manifest(
        made=NOW,
        version=__version__,
        airflow="3.3.2",
        home=str(settings.home),
        with_secrets=False,
        database=DatabaseDump(tables={}, sequences={}),
        sha256={},
    )
    (settings.home / "backup").mkdir()
    (settings.home / "backup" / "manifest.json").write_text(manifest.model_dump_json(indent=1))


def pack(folder, target):
    """Pack a state folder; its own path becomes `STAND_IN`."""
    with lzma.open(target, "wb", preset=9) as file, tarfile.open(fileobj=file, mode="w") as tar:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix not in TOO_LARGE and path.name != ".lock":
                content = path.read_bytes()
                if path.suffix == ".json":
                    content = content.replace(str(folder).encode(), STAND_IN)
                part = tar.gettarinfo(path, arcname=str(path.relative_to(folder)))
                part.size, part.uid, part.gid, part.uname, part.gname = len(content), 0, 0, "", ""
                tar.addfile(part, io.BytesIO(content))


def main():
    with tempfile.TemporaryDirectory() as work:
        state = Path(work) / "var"
        settings = Settings(state=state)
        write_state(settings, Path(work))
        target = DATA / f"state-{__version__}.tar.xz"
        pack(state, target)
        print(target)


if __name__ == "__main__":
    main()
