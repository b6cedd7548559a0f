"""Start of and wait for GP in a real Airflow, with the reference GP and a misbehaving GP."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uvicorn

from mxtvhf.crosscheck.model import GpOutcome
from mxtvhf.localisation.model import Localisation
from mxtvhf.models.position import Origin, Position
from mxtvhf.simulator.gp import create_app
from support.fake_gp import PROCESS_ID, running_fake_gp
from support.project import PROJECT

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

DAG = """
import os
from datetime import timedelta
from airflow.sdk import DAG, chain
from mxtvhf.models.base import Model
from mxtvhf_airflow.gp_outcome import gp_outcome_of_run
from mxtvhf_airflow.operators.gp import StartMxtGpPipelineOperator
from mxtvhf_airflow.operators.steps import StepOperator
from mxtvhf_airflow.sensors.gp import MxtGpSensor

class Written(Model):
    path: str = os.environ.get("EVENT_FILE", "events.fits")
    observation: None = None

class Before(StepOperator):
    def step(self, run):
        return Written()

class Crosscheck(StepOperator):
    def step(self, run):
        return gp_outcome_of_run(run)

params = {"apid": "00810300005", "target": "2", "orbit": "2", "mode": "GeneralProgram",
          "alert": "alert.xml", "burst_id": "sb26030704"}
with DAG("gp_only", schedule=None, params=params,
         default_args={"retries": 2, "retry_delay": timedelta(0)}) as dag:
    chain(
        Before(task_id="reception_message"),
        Before(task_id="fits_feed"),
        StartMxtGpPipelineOperator(task_id="start_mxt_gp_pipeline"),
        MxtGpSensor(task_id="wait_mxt_gp", linger=0.0, poke_interval=0.05),
        Crosscheck(task_id="crosscheck_positions", trigger_rule="all_done"),
    )
"""


class Driver:
    """The Airflow process of these tests."""

    def __init__(self, home: Path) -> None:
        (home / "dags").mkdir()
        (home / "dags" / "gp_only.py").write_text(DAG)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        environment |= {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
            "MXTVHF_STATE": str(home / "var"),
            "PYTHONPATH": f"{PROJECT}:{PROJECT / 'plugins'}",
        }
        subprocess.run(
            [sys.executable, "-m", "mxtvhf_airflow", "db", "migrate"],
            env=environment,
            check=True,
            capture_output=True,
        )
        self.log = (home / "driver.log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(Path(__file__).with_name("gp_driver.py"))],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )

    def ask(self, **order: object) -> dict:
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            self.log.write(line)
            if line == "ANSWER\n":
                return json.loads(self.process.stdout.readline())
        self.log.seek(0)
        raise RuntimeError(f"the driver ended: {self.log.read()[-3000:]}")

    def run_dag(
        self, gp_url: str, *, extra: dict | None = None, event_file: str = "events.fits", **order: object
    ) -> dict:
        connection = {"conn_type": "http", "host": gp_url, "login": "me", "password": "canary"}
        environment = {"AIRFLOW_CONN_MXT_GP": json.dumps(connection | {"extra": extra or {}})}
        environment["EVENT_FILE"] = event_file
        return self.ask(do="dag", environment=environment, **order)

    def run_trigger(self, gp_url: str, *, seconds: float = 30.0, **arguments: object) -> dict:
        environment = {"AIRFLOW_CONN_TRIGGER_GP": json.dumps({"conn_type": "http", "host": gp_url})}
        deadline = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
        fixed = {"gp_conn_id": "trigger_gp", "process_id": PROCESS_ID, "deadline": deadline}
        trigger = fixed | {"poll_interval": 0.05} | arguments
        return self.ask(do="trigger", environment=environment, trigger=trigger)

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=30)
        self.process.stdout.close()
        self.log.close()


@pytest.fixture(scope="module")
def airflow(tmp_path_factory):
    driver = Driver(tmp_path_factory.mktemp("airflow"))
    yield driver
    driver.stop()


@pytest.fixture
def gp():
    with running_fake_gp() as server:
        yield server


def outcome(run: dict) -> GpOutcome:
    """Return the outcome of GP for later tasks."""
    assert run["states"]["crosscheck_positions"] == "success"
    return GpOutcome.model_validate(run["results"]["crosscheck_positions"])


def test_a_gp_that_finishes_at_the_first_poll_needs_no_deferral(airflow, gp):
    run = airflow.run_dag(gp.url)
    assert run["states"]["wait_mxt_gp"] == "success"
    assert run["results"]["start_mxt_gp_pipeline"]["process_id"] == PROCESS_ID
    assert run["xcoms"] == {}, "each XCom costs requests"
    assert outcome(run).position.ra_deg == pytest.approx(252.6053)
    assert len(gp.polls) == 1
    assert gp.posts == [{"apid": "00810300005", "target": "2", "orbit": "2", "mode": "GeneralProgram"}]


def test_gp_is_not_asked_for_the_observation_of_another_burst(airflow, gp):
    unknown = {"apid": None, "target": None, "orbit": None, "burst_id": "sb26112901"}
    run = airflow.run_dag(gp.url, conf=unknown)
    assert set(run["states"].values()) == {"success"}
    assert outcome(run).word == "not asked"
    assert "no observation (apid, target, orbit) is known for burst sb26112901" in outcome(run).reason
    assert (gp.posts, gp.polls) == ([], [])


def test_a_gp_that_takes_the_event_file_needs_no_observation(airflow, gp):
    unknown = {"apid": None, "target": None, "orbit": None}
    assert outcome(airflow.run_dag(gp.url, extra={"send_event_file": True}, conf=unknown)).available
    assert gp.posts == [{"mode": "GeneralProgram", "event_file": "events.fits"}]


def test_a_fast_gp_is_polled_in_the_worker(airflow, gp):
    gp.states = ["pending", "running", "completed"]
    assert outcome(airflow.run_dag(gp.url, sensor={"linger": 20.0})).available
    assert len(gp.polls) == 3


def test_a_failing_gp_is_not_polled_in_the_worker(airflow, gp):
    gp.states = ["503", "completed"]
    assert outcome(airflow.run_dag(gp.url, sensor={"linger": 20.0})).available
    assert len(gp.polls) == 2


def test_a_slow_gp_is_polled_by_the_trigger(airflow, gp):
    gp.states = ["pending", "running", "500", "running", "completed"]
    run = airflow.run_dag(gp.url)
    assert outcome(run).available
    assert run["results"]["wait_mxt_gp"]["process_id"] == PROCESS_ID
    assert len(gp.polls) == 5
    assert all(header.startswith("Basic ") for header in gp.authorization)


def test_a_retry_never_starts_the_analysis_twice(airflow, gp):
    run = airflow.run_dag(gp.url, deaths=2)
    assert run["tries"]["start_mxt_gp_pipeline"] == 3
    assert outcome(run).available
    assert len(gp.posts) == 1


@pytest.mark.parametrize("mode", ["hang up", "html", "502"])
def test_a_start_without_a_usable_answer_is_not_repeated(airflow, gp, mode):
    gp.start = mode
    run = airflow.run_dag(gp.url)
    assert run["states"]["start_mxt_gp_pipeline"] == "failed"
    assert run["tries"]["start_mxt_gp_pipeline"] == 1
    assert "GP may be running and is not asked again" in outcome(run).reason
    assert len(gp.posts) == 1


def test_a_busy_gp_is_asked_again(airflow, gp):
    gp.start = "503"
    run = airflow.run_dag(gp.url)
    assert run["tries"]["start_mxt_gp_pipeline"] == 3
    assert len(gp.posts) == 3
    assert "GP answers 503" in outcome(run).reason


def test_a_rejecting_gp_is_not_asked_again(airflow, gp):
    gp.start = "400"
    run = airflow.run_dag(gp.url)
    assert len(gp.posts) == 1
    assert "no such target" in outcome(run).reason
    assert run["states"]["wait_mxt_gp"] == "upstream_failed"


def test_an_unreachable_gp_is_reported(airflow):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    run = airflow.run_dag(url)
    reached = (
        "GP cannot be reached (Connection refused); check that it is running and that its address is correct"
    )
    assert (outcome(run).word, outcome(run).reason) == ("not reached", f"POST {url}/processing: {reached}")


@pytest.mark.parametrize("states", [["nothing"], ["running", "nothing"]])
def test_a_gp_without_a_source_ends_the_wait_successfully(airflow, gp, states):
    """This used to fail the task."""
    gp.states = states.copy()
    run = airflow.run_dag(gp.url)
    assert set(run["states"].values()) == {"success"}
    assert (outcome(run).word, outcome(run).reason) == ("no detection", "TS 12 is below 25")


@pytest.mark.parametrize("states", [["failed"], ["running", "failed"]])
def test_the_message_of_gp_is_recorded(airflow, gp, states):
    gp.states = states.copy()
    run = airflow.run_dag(gp.url)
    assert run["states"]["wait_mxt_gp"] == "failed"
    assert run["tries"]["wait_mxt_gp"] == 1
    assert outcome(run).reason == f"GP process {PROCESS_ID} failed: no source found"
    assert len(gp.posts) == 1


@pytest.mark.parametrize("states", [["html"], ["running", "html"]])
def test_a_final_error_ends_the_wait(airflow, gp, states):
    gp.states = states.copy()
    run = airflow.run_dag(gp.url)
    assert run["states"]["wait_mxt_gp"] == "failed"
    assert "answer is text/html, not JSON" in outcome(run).reason
    assert len(gp.polls) == len(states)


def test_the_wait_ends_at_its_time_limit(airflow, gp):
    gp.states = ["running"]
    run = airflow.run_dag(gp.url, sensor={"timeout": 0.3})
    assert run["states"]["wait_mxt_gp"] == "failed"
    assert "given up; last state: still RUNNING" in outcome(run).reason
    assert outcome(run).word == "timed out"


def test_without_deferral_the_worker_polls(airflow, gp):
    gp.states = ["running", "503", "completed"]
    run = airflow.run_dag(gp.url, sensor={"deferrable": False})
    assert outcome(run).available
    assert len(gp.polls) == 3


def test_a_failed_run_shows_no_password(airflow, gp):
    gp.states = ["401"]
    assert "canary" not in json.dumps(airflow.run_dag(gp.url))


def test_a_missing_connection_is_reported(airflow):
    run = airflow.run_dag("ftp://gp.example.org")
    assert run["tries"]["start_mxt_gp_pipeline"] == 1
    assert "Airflow Connection 'mxt_gp': GP base URL" in outcome(run).reason


def test_the_reference_service_analyses_the_event_file_it_is_given(airflow, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "burst.fits").write_text("123.25")
    app = create_app(data, tmp_path / "gp", localise=right_ascension_in_file)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        run = airflow.run_dag(url, extra={"send_event_file": True}, event_file=str(data / "burst.fits"))
        server.should_exit = True
        thread.join()
    assert outcome(run).position.ra_deg == 123.25


def right_ascension_in_file(event_file: Path) -> Localisation:
    radii = {"r90_stat_arcsec": 40.0, "r90_sys_arcsec": 25.0, "r90_arcsec": 47.2}
    ra_deg = float(event_file.read_text())
    position = Position(origin=Origin.MXT_VHF, label="VHF photons", ra_deg=ra_deg, dec_deg=0.0, **radii)
    numbers = {"r50_arcsec": 20.0, "detector_x": 1.0, "detector_y": 1.0, "ts": 99.0}
    return Localisation(
        detected=True, position=position, n_photons=9, n_source=9.0, n_background=0.0, **numbers
    )


def test_trigger_fires_once_with_the_result_and_never_blocks(airflow, gp):
    gp.states = ["slow", "running", "completed"]
    told = airflow.run_trigger(gp.url)
    (event,) = told["events"]
    assert event["status"]["state"] == "COMPLETED"
    # A blocking request would hold the event loop for the second that the slow answer takes.
    assert told["largest_lag"] < 0.8


@pytest.mark.parametrize(
    ("mode", "polls"),
    # Pauses of 0.2, 0.4 and 0.8 s make polls at 0, 0.2, 0.6 s and at the deadline; aiohttp itself repeats
    # a GET at once when the connection breaks; an answer that never ends takes all the time there is.
    [("500", 4), ("503", 2), ("429", 2), ("hang up", 8), ("dribble", 1)],
)
def test_trigger_spaces_its_polls_and_ends_at_the_deadline(airflow, gp, mode, polls):
    gp.states = [mode]
    (event,) = airflow.run_trigger(gp.url, seconds=1.0, poll_interval=0.2)["events"]
    assert "given up" in event["error"]
    assert PROCESS_ID in event["error"]
    assert 1 <= len(gp.polls) <= polls


def test_trigger_honours_retry_after(airflow, gp):
    gp.states = ["503", "completed"]
    airflow.run_trigger(gp.url)
    assert gp.polls[1] - gp.polls[0] >= 0.99


def test_trigger_survives_a_gp_that_forgets_for_a_moment(airflow, gp):
    gp.states = ["404", "404", "completed"]
    (event,) = airflow.run_trigger(gp.url)["events"]
    assert event["status"]["position"]


def test_trigger_gives_up_on_a_job_that_gp_does_not_know(airflow, gp):
    gp.states = ["404"]
    (event,) = airflow.run_trigger(gp.url, unknown_grace=0.2)["events"]
    assert f"GP does not know process {PROCESS_ID}" in event["error"]


@pytest.mark.parametrize("mode", ["400", "401", "html", "huge", "nested", "redirect", "types", "word"])
def test_trigger_does_not_repeat_after_a_final_error(airflow, gp, mode):
    gp.states = [mode]
    (event,) = airflow.run_trigger(gp.url)["events"]
    assert f"GET {gp.url}/status?seqid={PROCESS_ID}: " in event["error"]
    assert len(gp.polls) == 1


def test_trigger_against_a_port_without_tls(airflow, gp):
    (event,) = airflow.run_trigger(gp.url.replace("http:", "https:"))["events"]
    assert "TLS connection failed" in event["error"]


def test_a_restarted_trigger_keeps_its_deadline(airflow, gp):
    gp.states = ["running"]
    (event,) = airflow.run_trigger(gp.url, seconds=-60.0)["events"]
    assert "given up; last state: still RUNNING" in event["error"]
    assert len(gp.polls) == 1


def test_every_form_of_a_connection_is_accepted(airflow):
    connections = {
        "http://gp:8000": {"host": "gp", "port": 8000},
        "https://gp": {"host": "gp", "schema": "https"},
        "http://gp:8000/v1": {"host": "http://gp/v1/", "port": 8000},
        "https://gp:1/v1": {"host": "https://gp:1/v1", "port": 1, "schema": "https"},
        "http://gp/v1/gp": {"host": "gp/v1/gp"},
        "http://[::1]:8000": {"host": "[::1]", "port": 8000},
        "http://": {},
    }
    uris = {
        "http://127.0.0.1:8000": "http://127.0.0.1:8000",
        "http://127.0.0.1:8000/gp": "http://127.0.0.1:8000/gp",
        "https://127.0.0.1:8443": "http://127.0.0.1:8443/https",
    }
    told = airflow.ask(do="urls", connections=list(connections.values()), uris=list(uris.values()))
    assert told["urls"] == list(connections) + list(uris)


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        (
            {"host": "http://gp:8000", "port": 9999},
            "host names port 8000, but Port is 9999; give the port once",
        ),
        ({"host": "gp:8000", "port": 9999}, "host names port 8000, but Port is 9999; give the port once"),
        (
            {"host": "https://gp", "schema": "http"},
            "host names schema https, but Schema is http; give the schema once",
        ),
        ({"host": "http://[::1"}, "host: Invalid IPv6 URL; expected a name or http(s)://host[:port][/path]"),
        ({"host": "gp:port"}, "host: Port could not be cast to integer value as 'port'; expected a name or"),
    ],
)
def test_a_contradictory_connection_is_rejected(airflow, fields, cause):
    (told,) = airflow.ask(do="urls", connections=[fields], uris=[])["urls"]
    assert told.startswith(f"refused: {cause}")
