"""The DAG in a real Airflow: alerts become reports, and bad input fails a run."""

import json
import re
import subprocess
from datetime import datetime
from pathlib import Path

import pytest
import requests

from mxtvhf.errors import InvalidInput
from mxtvhf.models.angles import separation_arcsec
from mxtvhf.models.files import sha256_of
from mxtvhf.models.position import Position
from mxtvhf.operation.stack.processes import wait_until
from mxtvhf.reporting.report.page import AWAITS_FIGURES
from mxtvhf.simulator.scenario import scenario_of, write_scenario
from mxtvhf.workflow.airflow_api import DAG_ID, run_path
from mxtvhf.workflow.step_results import StepResults
from support.airflow_runs import conf_of

pytestmark = pytest.mark.integration

BURST = "sb26030704"
OTHER = "sb26030303"


@pytest.fixture(scope="session")
def burst_files(settings):
    folder = settings.inputs / "simulated"
    write_scenario(scenario_of(BURST, seed=7), folder)
    return folder


@pytest.fixture
def conf(burst_files):
    return conf_of(BURST, burst_files)


@pytest.fixture(autouse=True)
def questions(run):
    """End the question of each run after its test."""
    yield
    run.end_questions()


@pytest.fixture(scope="module")
def finished(run, burst_files):
    """Return a successful run that several tests examine."""
    run_id = f"{BURST}__1"
    state = run(
        run_id,
        burst_id=BURST,
        alert=(burst_files / "alert.xml").as_uri(),
        packets=(burst_files / "packets.bin").as_uri(),
    )
    assert state == "success", run.api.task_states(run_id)
    return run_id


def report_of(run, run_id, name="report.json"):
    return json.loads((run.folder(run_id) / name).read_text())


def moment(report, name):
    return next(
        datetime.fromisoformat(entry["time"]) for entry in report["timeline"] if entry["name"] == name
    )


def test_a_burst_becomes_a_report_with_the_true_position(run, finished, burst_files):
    report = report_of(run, finished)
    truth = json.loads((burst_files / "truth.json").read_text())
    best = Position.model_validate(report["best_position"])
    assert separation_arcsec(best.ra_deg, best.dec_deg, truth["ra_deg"], truth["dec_deg"]) < best.r90_arcsec
    assert {position["origin"] for position in report["positions"]} == {
        "ECLAIRs",
        "MXT on-board",
        "MXT-VHF",
        "MXT GP",
    }
    assert report["gp"]["available"]
    # Positions made of the same photons are no test of each other.
    assert {pair["verdict"] for pair in report["crosscheck"]} <= {"consistent", "not independent"}
    assert report["packets"]["repeated"] > 0
    assert report["is_test"]


def test_every_task_of_the_workflow_ran(run, finished):
    states = run.api.task_states(finished)
    assert states.pop("remote_catalogues") == "skipped", "no service is configured"
    assert states.pop("ask_ba_final") == "skipped", "the preliminary report was asked about"
    assert set(states) == {
        "reception_message",
        "photons_extraction",
        "fits_feed",
        "start_mxt_gp_pipeline",
        "wait_mxt_gp",
        "vhf_localisation",
        "source_analysis",
        "preliminary_report",
        "crosscheck_positions",
        "update_BA",
        "ask_ba",
        "run_complete",
    }
    assert set(states.values()) == {"success"}


def note_of(run, run_id):
    return run.api.run(run_id)["note"]


def test_the_note_of_a_run_is_its_headline(run, finished):
    assert note_of(run, finished) == report_of(run, finished)["headline"]


def test_the_note_of_a_run_without_report_is_the_reason(run, conf):
    assert run("note-of-notice", **{**conf, "packets": None}) == "success"
    assert "no VHF packets received with this alert" in note_of(run, "note-of-notice")


def test_the_preliminary_report_comes_before_gp_has_answered(run, finished):
    final, preliminary = report_of(run, finished), report_of(run, finished, "preliminary/report.json")
    assert preliminary["status"] == "preliminary"
    assert not preliminary["gp"]["available"]
    assert moment(preliminary, "report_written") < moment(final, "report_written")
    assert preliminary["best_position"]["origin"] in ("MXT-VHF", "MXT on-board")


def test_all_fits_products_are_clean(run, finished):
    paths = [product["path"] for product in report_of(run, finished)["products"].values()]
    files = [path for path in paths if Path(path).suffix in (".fits", ".pha", ".arf", ".rmf")]
    assert len(files) == 10
    for path in files:
        checked = subprocess.run(
            ["fitsverify", "-q", run.folder(finished) / path], capture_output=True, text=True, check=False
        )
        assert checked.stdout.startswith("verification OK"), checked.stdout


def test_products_are_what_the_report_says(run, finished):
    for product in report_of(run, finished)["products"].values():
        assert sha256_of((run.folder(finished) / product["path"]).read_bytes()) == product["sha256"]


def test_results_of_steps_are_small_files_and_no_xcoms(run, finished):
    results = StepResults(run.folder(finished), DAG_ID, finished)
    steps = {task for task in run.api.task_states(finished) if results.path(task).exists()}
    assert steps >= {
        "reception_message",
        "start_mxt_gp_pipeline",
        "wait_mxt_gp",
        "update_BA",
        "source_analysis",
    }
    for task in steps:
        assert len(json.dumps(results.record(task).result)) < 20_000, "no photons"
    for task in run.api.task_states(finished):
        # Airflow itself keeps the id of the run of the decision.
        keys = {entry["key"] for entry in run.task(finished, task, "xcomEntries")["xcom_entries"]}
        assert keys <= {"trigger_run_id", "_link_TriggerDagRunLink"}, task


def test_the_tasks_link_to_their_reports(stack, run, web, finished):
    for task, name in (("update_BA", "report.html"), ("preliminary_report", "preliminary/report.html")):
        links = run.links(finished, task)
        assert links == {
            "Report": f"/mxtvhf/runs/{finished}/{name}",
            "Desk": f"/mxtvhf/desk/runs/{finished}",
        }
        url = stack.url + links["Report"]
        assert requests.get(url, timeout=10, allow_redirects=False).status_code in (401, 403)
        page = web(links["Report"])
        assert BURST in page.text
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        # The first view draws the figures; the browser loads the page again until they are there.
        assert AWAITS_FIGURES in page.text
        assert page.headers["Refresh"]
        address = links["Report"]
        drawn = lambda: "data:image/png" in web(address).text  # noqa: B023, E731
        wait_until(drawn, what="figures", timeout=120)
        assert "Refresh" not in web(address).headers
        assert web(address.replace("report.html", "detector.png")).content.startswith(b"\x89PNG")


def test_pages_show_only_files_of_their_run(web, finished):
    assert web(f"/mxtvhf/runs/{finished}/..%2f..%2f..%2fsecrets%2fpasswords.json").status_code == 404


def test_a_run_without_a_report_has_a_page_with_the_reason(web):
    page = web("/mxtvhf/runs/<b>none/report")
    assert page.status_code == 404
    assert page.headers["Content-Type"].startswith("text/html")
    assert "&lt;b&gt;none" in page.text


def test_the_same_run_id_never_runs_twice(run, finished, conf):
    assert not run.api.start_run(finished, conf)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"burst_id": "../../etc"}, "burst_id"),
        ({"burst_id": None}, "burst_id"),
        ({"orbit": "{{ 7*7 }}"}, "orbit"),
        ({"sequence": 0}, "sequence"),
        ({"alert": ""}, "alert"),
    ],
)
def test_an_invalid_conf_is_rejected_when_the_run_is_created(run, conf, change, field):
    with pytest.raises(InvalidInput, match=r"HTTP 4\d\d") as error:
        run.api.start_run("refused", {**conf, **change})
    assert field in str(error.value)


def test_an_unknown_field_fails_the_run(run, conf):
    run_id = "unknown-field"
    assert run(run_id, **conf, gp_url="http://169.254.169.254/") == "failed"
    assert run.api.task_states(run_id)["reception_message"] == "failed"
    assert "gp_url" in run.log(run_id, "reception_message")


BOMB = """<?xml version="1.0"?><!DOCTYPE v [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>
<v>&b;</v>"""
SWIFT = """<?xml version="1.0"?><voe:VOEvent xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0" version="2.0"
role="test" ivorn="ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_1"><Who><AuthorIVORN>ivo://nasa.gsfc.tan/gcn
</AuthorIVORN></Who></voe:VOEvent>"""


@pytest.mark.parametrize(
    ("name", "alert", "cause"),
    [
        ("malformed", "<voe:VOEvent unfinished", "XML"),
        ("bomb", BOMB, "DOCTYPE|document type"),
        ("other-mission", SWIFT, "SWIFT#BAT_GRB_Pos_1"),
        ("impossible", "{impossible}", "C2|Dec"),
    ],
    ids=("malformed", "bomb", "other-mission", "impossible"),
)
def test_a_bad_alert_fails_at_reception_and_is_kept(run, settings, conf, burst_files, name, alert, cause):
    good = (burst_files / "alert.xml").read_text()
    alert = alert.replace("{impossible}", re.sub("<C2>.*</C2>", "<C2>91.0</C2>", good))
    run_id = f"bad-alert-{name}"
    before = set((settings.archive / "quarantine").glob("*.json"))
    assert run(run_id, **{**conf, "alert": alert}) == "failed"
    states = run.api.task_states(run_id)
    assert states["reception_message"] == "failed"
    assert states["update_BA"] == "upstream_failed"
    assert re.search(cause, run.log(run_id, "reception_message"))
    (note,) = set((settings.archive / "quarantine").glob("*.json")) - before
    assert re.search(cause, json.loads(note.read_text())["reason"])
    assert note.with_suffix(".bin").read_bytes() == alert.encode()


def test_an_alert_of_another_burst_is_rejected(run, conf):
    assert run("other-burst", **{**conf, "burst_id": OTHER}) == "failed"
    assert "the alert belongs to burst sb26030704" in run.log("other-burst", "reception_message")


def test_a_notice_without_a_position_skips_the_analysis(run, settings, conf, grm_notice):
    assert run("grm", burst_id="sb26020809", alert=grm_notice.decode(), packets=conf["packets"]) == "success"
    states = run.api.task_states("grm")
    assert set(states.values()) == {"skipped"}
    assert "without a position" in run.log("grm", "reception_message")
    assert len(list((settings.archive / "sb26020809" / "alerts").glob("*.xml"))) == 1


@pytest.fixture
def grm_notice():
    from mxtvhf.notices.alert import Alert
    from mxtvhf.simulator.notices import write_notice

    facts = {
        "ivorn": "ivo://org.svom/fsc#sb26020809_grm-trigger",
        "burst_id": "sb26020809",
        "notice_type": "grm-trigger",
        "packet_type": 201,
        "notice_level": "N1g",
        "instrument": "GRM",
        "role": "test",
        "published": "2026-02-08T17:51:17Z",
        "event_time": "2026-02-08T17:50:54Z",
        "position": None,
        "attitude": None,
        "snr": 5.5,
    }
    return write_notice(Alert.model_validate(facts))


@pytest.mark.parametrize(
    ("name", "damage", "cause"),
    [
        ("noise", lambda raw: bytes(range(256)) * 8, "no .*packet"),
        ("foreign", None, OTHER),
    ],
    ids=("noise", "foreign"),
)
def test_bad_packets_fail_at_the_extraction_and_are_kept(
    run, settings, conf, tmp_path_factory, name, damage, cause
):
    folder = settings.inputs / f"packets-{name}"
    if damage is None:
        write_scenario(scenario_of(OTHER, seed=1), folder)
    else:
        folder.mkdir(parents=True)
        (folder / "packets.bin").write_bytes(damage(b""))
    run_id = f"bad-packets-{name}"
    packets = folder / "packets.bin"
    assert run(run_id, **{**conf, "packets": str(packets)}) == "failed"
    states = run.api.task_states(run_id)
    assert (states["reception_message"], states["photons_extraction"]) == ("success", "failed")
    assert re.search(cause, run.log(run_id, "photons_extraction"))
    kept = [path.read_bytes() for path in (settings.archive / BURST / "packets").glob("*.bin")]
    assert packets.read_bytes() in kept


def test_an_empty_stream_gives_the_report_of_the_notices(run, settings, conf):
    folder = settings.inputs / "packets-empty"
    folder.mkdir()
    (folder / "packets.bin").write_bytes(b"")
    assert run("empty-packets", **{**conf, "packets": str(folder / "packets.bin")}) == "success"
    assert run.api.task_states("empty-packets")["photons_extraction"] == "success"
    report = report_of(run, "empty-packets")
    assert "empty, no VHF packets" in report["localisation"]["reason"]
    assert report["best_position"] is not None
    assert not report["gp"]["available"]


def test_a_damaged_stream_still_gives_a_report_that_says_so(run, settings, conf, burst_files):
    folder = settings.inputs / "damaged"
    folder.mkdir()
    raw = bytearray((burst_files / "packets.bin").read_bytes())
    raw[40] ^= 0xFF
    (folder / "packets.bin").write_bytes(bytes(raw[: len(raw) - 30]))
    assert run("damaged", **{**conf, "packets": str(folder / "packets.bin")}) == "success"
    report = report_of(run, "damaged")
    assert report["packets"]["corrupt"] == 2
    assert any("corrupt" in warning for warning in report["warnings"])


GP_ERROR = b'{"processing_descriptor": {"process_id": "job-1", "state": "FAILED", "message": "no attitude"}}'
GP_RUNNING = b'{"processing_descriptor": {"process_id": "job-1", "state": "RUNNING"}}'


@pytest.mark.parametrize(
    ("mode", "status", "task", "cause"),
    [
        ("html", b"", "start_mxt_gp_pipeline", "HTML|text/html"),
        ("500", b"", "start_mxt_gp_pipeline", "500"),
        ("status", GP_ERROR, "wait_mxt_gp", "no attitude"),
        ("status", b"<html>", "wait_mxt_gp", "JSON"),
        ("status", GP_RUNNING, "wait_mxt_gp", "no result until .* given up"),
    ],
    ids=("start-html", "start-500", "failed", "status-html", "endless"),
)
def test_a_gp_failure_fails_its_task_but_the_report_is_sent(run, conf, bad_gp, mode, status, task, cause):
    run_id = f"gp-{mode}-{len(status)}"
    with bad_gp(mode, status) as server:
        assert run(run_id, **conf, gp_timeout_s=3) == "failed"
        # Also after a 500: GP may have started all the same.
        assert server.posts == 1
    states = run.api.task_states(run_id)
    assert states[task] == "failed"
    assert states["update_BA"] == "success"
    report = report_of(run, run_id)
    assert not report["gp"]["available"]
    assert re.search(cause, report["gp"]["reason"])
    assert report["best_position"] is not None


def test_waiting_for_gp_holds_no_worker(run, conf, bad_gp):
    with bad_gp("status", GP_RUNNING) as server:
        assert run.api.start_run("gp-slow", {**conf, "gp_timeout_s": 600})
        wait_until(
            lambda: run.api.task_states("gp-slow").get("wait_mxt_gp") == "deferred",
            what="deferral",
            timeout=60,
        )
        server.status = GP_ERROR
        assert run.wait("gp-slow") == "failed"


def priorities(run, run_id):
    """Return the weight of each task of a run."""
    path = f"{run_path(run_id)}/taskInstances"
    return {ti["task_id"]: ti["priority_weight"] for ti in run.api.get(path)["task_instances"]}


def test_the_replay_dag_repeats_archived_alerts(run, finished):
    replay, before = "manual-replay", set(run.ids())
    assert run.api.start_run(replay, {"burst_id": BURST, "limit": 1}, dag_id="mxt_vhf_replay")
    assert run.wait(replay, dag_id="mxt_vhf_replay") == "success"
    replays = sorted(set(run.ids()) - before)
    assert len(replays) == 1
    assert "__replay_" in replays[0]
    assert run.wait(replays[0]) == "success"
    weights = [priorities(run, run_id) for run_id in (finished, replays[0])]
    assert min(weights[0].values()) > max(weights[1].values()), "live alerts go before replays"
    assert weights[0]["update_BA"] > weights[0]["fits_feed"], "what is nearer to its report goes first"
    original, again = report_of(run, finished), report_of(run, replays[0])
    assert again["is_replay"]
    assert not original["is_replay"]
    assert again["best_position"]["ra_deg"] == original["best_position"]["ra_deg"]
    assert again["products"]["event_file"] == original["products"]["event_file"]


def test_dag_is_documented(stack):
    assert stack.api.get(f"/api/v2/dags/{DAG_ID}/details")["doc_md"].startswith("### From an alert")


def test_the_state_has_no_open_secrets(settings):
    for path in (settings.home / "secrets").iterdir():
        assert path.stat().st_mode & 0o077 == 0
    password = json.loads((settings.home / "secrets" / "passwords.json").read_text())["admin"]
    for log in (settings.home / "log").rglob("*.log"):
        assert password not in log.read_text(errors="replace")
