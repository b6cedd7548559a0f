"""The REST API in a real Airflow, tested directly, by the command line and by schemathesis."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import schemathesis

from mxtvhf.models.ids import RunKind
from mxtvhf.simulator.scenario import scenario_of, write_scenario
from mxtvhf.workflow.gp.contract import Answer, GpState, job_status, started_job
from support.airflow_runs import conf_of
from support.openapi import asked_as_described
from support.project import PROJECT

pytestmark = pytest.mark.integration

BURST = "sb26022802"


@pytest.fixture(scope="session")
def token(stack):
    login = {"username": "admin", "password": stack.password}
    return requests.post(f"{stack.url}/auth/token", json=login, timeout=10).json()["access_token"]


@pytest.fixture
def ask(stack, token):
    """Send a request to the REST API and return the answer."""

    def send(method, path, **options):
        headers = {"Authorization": f"Bearer {token}"} | options.pop("headers", {})
        return requests.request(method, f"{stack.url}/mxtvhf{path}", headers=headers, timeout=20, **options)

    return send


@pytest.fixture(scope="session")
def burst_folder(settings):
    folder = settings.inputs / "rest"
    write_scenario(scenario_of(BURST, seed=5), folder)
    return folder


@pytest.fixture
def conf(burst_folder):
    return conf_of(BURST, burst_folder)


@pytest.fixture(scope="session")
def mxtvhf(stack, settings):
    """Return a function that runs the command line on the stack of the tests."""
    environment = {**os.environ, "MXTVHF_STATE": str(settings.home), "MXTVHF_AIRFLOW_URL": stack.url}

    def command(*arguments, **changes):
        return subprocess.run(
            [sys.executable, "-m", "mxtvhf", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            env=environment | changes,
        )

    return command


@pytest.fixture(scope="session")
def finished(mxtvhf, burst_folder):
    """Return a run that the command line started and waited for."""
    done = mxtvhf("start", burst_folder / "alert.xml", burst_folder / "packets.bin", "--wait", "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout)


def as_answer(response):
    return Answer(
        response.request.method,
        response.url,
        response.status_code,
        response.content,
        {name.lower(): value for name, value in response.headers.items()},
    )


def test_the_status_of_a_finished_run_follows_gps_contract(ask, finished, burst_folder):
    run_id = finished["processing_descriptor"]["process_id"]
    assert run_id == f"{BURST}__1__test"
    status = job_status(as_answer(ask("GET", f"/status?seqid={run_id}")), run_id)
    assert status.state is GpState.COMPLETED
    truth = json.loads((burst_folder / "truth.json").read_text())
    assert status.position.ra_deg == pytest.approx(truth["ra_deg"], abs=0.1)
    assert finished["run"]["problems"] == []
    assert finished["report"]["is_test"]


def test_a_test_runs_in_its_own_dag_and_is_found_without_its_mark(ask, finished):
    assert finished["run"]["dag_id"] == "mxt_vhf_test"
    assert ask("GET", f"/status?seqid={BURST}__1").json()["run"]["run_id"] == f"{BURST}__1__test"


def test_a_real_alert_runs_in_the_dag_of_live_alerts(ask, run, conf, burst_folder):
    alert = (burst_folder / "alert.xml").read_text().replace('role="test"', 'role="observation"')
    started = ask("POST", "/processing", json={**conf, "alert": alert, "packets": None, "sequence": 76})
    assert started.status_code == 201
    assert started.json()["run"]["dag_id"] == "mxt_vhf"
    assert started.json()["run"]["run_id"] == f"{BURST}__76"
    run.wait(f"{BURST}__76")


def test_report_and_products_are_available_at_their_urls(stack, web, finished):
    report = finished["report"]
    assert web(report["json_url"]).json()["run_id"] == f"{BURST}__1__test"
    assert web(report["url"]).status_code == 307
    for url in report["products"].values():
        assert web(url).status_code == 200
    assert web(report["products"]["event_file"]).content.startswith(b"SIMPLE  =")


def test_the_same_input_starts_nothing_and_a_different_one_is_rejected(ask, run, finished, conf):
    before = run.ids()
    again = ask("POST", "/processing", json=conf)
    assert again.status_code == 200
    assert started_job(as_answer(again)) == f"{BURST}__1__test"
    other = ask("POST", "/processing", json={**conf, "orbit": "7", "packets": None})
    assert other.status_code == 409
    reason = f"run {BURST}__1__test exists with another packets, orbit; use another sequence"
    assert other.json()["detail"] == reason
    assert run.ids() == before


def test_two_posts_at_once_make_one_run(ask, run, conf):
    body = {**conf, "packets": None, "sequence": 77}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask("POST", "/processing", json=body), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert {started_job(as_answer(answer)) for answer in answers} == {f"{BURST}__77__test"}
    assert run.ids().count(f"{BURST}__77__test") == 1
    run.wait(f"{BURST}__77__test")


def test_the_status_of_a_failed_run_has_the_reason(ask, run, conf):
    started = ask("POST", "/processing", json={**conf, "packets": None, "sequence": 78})
    assert started.json()["processing_descriptor"]["state"] in ("PENDING", "RUNNING")
    run.wait(f"{BURST}__78__test")
    skipped = ask("GET", f"/status?seqid={BURST}__78__test").json()
    assert skipped["processing_descriptor"]["state"] == "FAILED"
    assert "no VHF packets received with this alert" in skipped["processing_descriptor"]["message"]
    (problem,) = skipped["run"]["problems"]
    assert (problem["step"], problem["state"]) == ("reception_message", "skipped")
    assert skipped["run"]["state"] == "success"

    ask("POST", "/processing", json={**conf, "alert": "<voe:VOEvent", "sequence": 79})
    run.wait(f"{BURST}__79")
    failed = ask("GET", f"/status?seqid={BURST}__79").json()
    assert (failed["run"]["state"], failed["processing_descriptor"]["state"]) == ("failed", "FAILED")
    assert "inline alert: not well-formed XML" in failed["processing_descriptor"]["message"]
    (note,) = [n for n in ask("GET", "/quarantine").json() if n["size"] == len("<voe:VOEvent")]
    assert note["reason"] in failed["processing_descriptor"]["message"]


def test_the_status_has_the_reason_for_a_missing_gp_result(ask, run, conf, bad_gp):
    with bad_gp("html"):
        ask("POST", "/processing", json={**conf, "sequence": 80})
        assert run.wait(f"{BURST}__80__test") == "failed"
    status = ask("GET", f"/status?seqid={BURST}__80__test").json()
    assert status["processing_descriptor"]["state"] == "COMPLETED"
    assert status["result"]["r90_stat_arcsec"] > 0
    assert "start_mxt_gp_pipeline: " in status["processing_descriptor"]["message"]
    assert "text/html" in status["processing_descriptor"]["message"]


def test_lists_of_bursts_and_runs(ask, finished):
    (burst,) = [entry for entry in ask("GET", "/bursts").json() if entry["burst_id"] == BURST]
    assert burst["runs"] >= 1
    runs = ask("GET", f"/runs?burst_id={BURST}&limit=1000").json()
    assert burst["latest"]["process_id"] == runs[0]["process_id"]
    (entry,) = [run for run in runs if run["process_id"] == f"{BURST}__1__test"]
    assert entry["state"] == "COMPLETED"
    assert entry["is_test"]
    assert entry["best_position"]["ra_deg"] == finished["report"]["best_position"]["ra_deg"]
    assert len(ask("GET", "/runs?limit=1").json()) == 1
    assert ask("GET", "/runs?burst_id=sb00000000").json() == []


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"burst_id": "../../etc"}, 422, "body.burst_id"),
        ({"gp_url": "http://169.254.169.254/"}, 422, "body.gp_url: unknown key"),
        ({"alert": "nul \x00 byte"}, 422, "body.alert"),
        ({"alert": "x" * 200_001}, 422, "body.alert"),
        ({"alert": "x" * 2_000_001}, 413, "longer than 2000000 bytes"),
        ({"sequence": None}, 422, "body.sequence"),
        ({"sequence": 7000, "packets": "/nowhere/packets.bin"}, 422, "packets: '/nowhere/packets.bin': "),
        ({"sequence": 7000, "alert": "http://example.org/a.xml"}, 422, "alert: 'http://example.org/a.xml': "),
    ],
)
def test_a_bad_request_is_rejected_in_one_line(ask, conf, body, status, words):
    answer = ask("POST", "/processing", json=conf | body)
    assert answer.status_code == status
    assert words in answer.json()["detail"]
    assert "\n" not in answer.json()["detail"]


def test_the_sky_of_a_position(ask):
    place = {"ra": 197.4488, "dec": -23.3838, "at": "2026-03-01T00:00:00Z"}
    sight = ask("GET", "/line-of-sight", params=place).json()
    assert sight["extinction"]["e_b_v_mag"] == pytest.approx(0.11, abs=0.01)
    assert {one["source_class"]: one["checked"] for one in sight["sources"]}["galaxies"] is False
    seen = ask("GET", "/visibility", params=place).json()
    assert "VLT" in {one["telescope"] for one in seen["telescopes"] if one["windows"]}
    assert ask("GET", "/visibility", params={**place, "at": "2026-03-01T00:00:00"}).json() == seen
    assert ask("GET", "/line-of-sight", params={**place, "ra": "360"}).json()["ra_deg"] == 0.0
    text = ask("GET", "/line-of-sight", params={**place, "ra": "14:00:25"})
    assert (text.status_code, text.json()["detail"]) == (
        422,
        "query.ra: found '14:00:25', expected a valid number",
    )
    late = ask("GET", "/visibility", params={**place, "at": "2200-01-01T00:00:00Z"})
    assert late.status_code == 404
    assert "no ephemeris of Sun and Moon" in late.json()["detail"]


def test_files_for_observers_are_made_on_demand(ask, finished):
    run_id = finished["processing_descriptor"]["process_id"]
    names = ("finding_chart.png", "positions.vot", "positions.fits", "positions.reg", "targets.csv")
    for name in names:
        answer = ask("GET", f"/desk/{BURST}/followup/{name}", params={"run": run_id})
        assert answer.status_code == 200, answer.text
        assert len(answer.content) > 50
    assert ask("GET", f"/desk/{BURST}/followup/x.png", params={"run": run_id}).status_code == 404


def test_missing_pages_give_404(ask):
    for path in ("/status?seqid=unknown", "/runs/unknown/events.fits", "/nothing"):
        assert ask("GET", path).status_code == 404
        assert list(ask("GET", path).json()) == ["detail"]
    assert ask("GET", "/status?seqid=a%00b").status_code == 422


def test_the_cookie_of_the_web_ui_opens_the_documentation(stack, token):
    session = requests.Session()
    session.cookies.set("_token", token)
    page = session.get(f"{stack.url}/mxtvhf/docs", timeout=10)
    assert page.status_code == 200
    # Nothing is loaded from elsewhere.
    assert "https://" not in page.text
    assert "http://" not in page.text
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"):
        assert f"/mxtvhf/docs/{name}" in page.text
        assert session.get(f"{stack.url}/mxtvhf/docs/{name}", timeout=10).status_code == 200
    assert session.get(f"{stack.url}/mxtvhf/docs/redoc.standalone.js", timeout=10).status_code == 404


def test_info_shows_bursts_runs_and_a_run(mxtvhf, finished):
    assert BURST in mxtvhf("info").stdout
    assert f"{BURST}__1__test" in mxtvhf("info", BURST).stdout
    shown = mxtvhf("info", f"{BURST}__1__test").stdout
    assert f"{BURST}__1__test: position, run succeeded" in shown
    assert finished["report"]["headline"] in shown
    assert json.loads(mxtvhf("info", f"{BURST}__1__test", "--json").stdout) == finished
    assert mxtvhf("info", "--quarantine", "--json").returncode == 0


def test_info_shows_the_latency(mxtvhf, finished):
    table = mxtvhf("info", "--latency").stdout
    for stage in ("received to report", "run created to preliminary report", "step fits_feed"):
        assert stage in table
    found = json.loads(mxtvhf("info", "--latency", "--json").stdout)
    tests = {entry["stage"]: entry for entry in found if entry["group"] == "test"}
    assert 0 < tests["step vhf_localisation"]["median_s"] < tests["received to report"]["median_s"]
    assert tests["received to report"]["median_s"] < tests["T0 to report"]["median_s"]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["info", "unknown"], 2, "run unknown not found"),
        (["info", "sb00000000"], 2, "no run of this burst"),
        (["info", "unknown", "--latency"], 2, "give only one of"),
        (["start", "/nowhere/alert.xml"], 2, "/nowhere/alert.xml"),
    ],
)
def test_errors_of_the_commands_are_one_line(mxtvhf, arguments, status, words):
    done = mxtvhf(*arguments)
    assert done.returncode == status
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_airflow_down_and_a_wrong_password_are_failures(mxtvhf, tmp_path):
    from support.nats_server import free_port

    down = mxtvhf("info", MXTVHF_AIRFLOW_URL=f"http://127.0.0.1:{free_port()}")
    assert (down.returncode, len(down.stderr.splitlines())) == (1, 1)
    assert "Airflow does not answer" in down.stderr
    (tmp_path / "password").write_text("canary-wrong\n")
    refused = mxtvhf("info", MXTVHF_AIRFLOW_PASSWORD_FILE=str(tmp_path / "password"))
    assert refused.returncode == 1
    assert "401" in refused.stderr
    assert "canary" not in refused.stderr


def test_start_waits_and_its_exit_status_shows_a_missing_result(mxtvhf, burst_folder):
    done = mxtvhf("start", burst_folder / "alert.xml", "--sequence", "81", "--wait")
    assert done.returncode == 1
    assert "no VHF packets received with this alert" in done.stdout


def test_curl_lines_of_the_docs(stack, settings, burst_folder):
    blocks = (PROJECT / "docs" / "how-to" / "start-a-run.md").read_text().split("```")[1::2]
    (block,) = [block for block in blocks if "/mxtvhf/processing" in block]
    script = block.removeprefix("sh\n")
    for here, there in {
        "http://127.0.0.1:8080": stack.url,
        "var/secrets": str(settings.home / "secrets"),
        ".venv/bin/python": sys.executable,
        "/tmp/burst": str(burst_folder),
    }.items():
        assert here in script
        script = script.replace(here, there)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    started, end = json.JSONDecoder().raw_decode(done.stdout)
    status = json.loads(done.stdout[end:])
    assert started["run"]["sequence"] == 102
    assert status["processing_descriptor"]["process_id"] == f"{BURST}__102__test"


@pytest.fixture(scope="session")
def description(stack, token):
    headers = {"Authorization": f"Bearer {token}"}
    return schemathesis.openapi.from_url(f"{stack.url}/mxtvhf/openapi.json", headers=headers)


@pytest.fixture(scope="module")
def paused(stack, run, token):
    """Pause the DAGs of live alerts and tests, so that runs stay queued, and remove these runs afterwards."""
    api, headers = f"{stack.url}/api/v2/dags", {"Authorization": f"Bearer {token}"}
    dag_ids = [kind.dag_id for kind in (RunKind.LIVE, RunKind.TEST)]
    for dag_id in dag_ids:
        url = f"{api}/{dag_id}"
        requests.patch(url, json={"is_paused": True}, headers=headers, timeout=60).raise_for_status()
    yield
    for dag_id in dag_ids:
        while queued := run.api.get(f"/api/v2/dags/{dag_id}/dagRuns?state=queued")["dag_runs"]:
            for entry in queued:
                url = f"{api}/{dag_id}/dagRuns/{entry['dag_run_id']}"
                requests.delete(url, headers=headers, timeout=60).raise_for_status()
        assert run.api.unpause(dag_id)


def test_a_paused_dag_is_reported(ask, conf, paused):
    started = ask("POST", "/processing", json={**conf, "sequence": 84}).json()["processing_descriptor"]
    assert started["state"] == "PENDING"
    assert "the DAG is paused" in started["message"]


def test_the_rest_api_matches_its_openapi_description(description, token, paused):
    assert (
        asked_as_described(
            description, may_refuse=("POST /processing",), headers={"Authorization": f"Bearer {token}"}
        )
        >= 8
    )
