"""No message and no answer of Airflow blocks other messages, bursts and runs."""

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mxtvhf.intake.intake import Intake
from mxtvhf.intake.planned import planned_runs
from mxtvhf.intake.spool import ReceivedMessage
from mxtvhf.notices.voevent import read_alert
from mxtvhf.settings import IntakePolicy
from mxtvhf.simulator.notices import write_notice
from mxtvhf.workflow.airflow_api import AirflowApi
from support.arrivals import NOON, seconds

BURSTS = ("sb26030701", "sb26030702", "sb26030703")


class AirflowServer(ThreadingHTTPServer):
    """Accepts runs like Airflow's REST API, except for the answers given by a test."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.odd = {}
        self.runs, self.asked = {}, Counter()


class Answers(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/auth/token":
            return self.answer(*self.server.odd.get("login", (201, b'{"access_token": "t"}')))
        run_id = body["dag_run_id"]
        self.server.asked[run_id] += 1
        for name, odd in self.server.odd.items():
            if name in run_id:
                return self.answer(*odd)
        self.server.runs[run_id] = body["conf"]
        return self.answer(200, b"{}")

    def do_GET(self):
        return self.answer(*self.server.odd.get("get", (404, b"{}")))

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-7")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def airflow():
    with AirflowServer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def intake(archive, airflow, products):
    return Intake(archive, AirflowApi(airflow.url, "admin", "x"), IntakePolicy(), products)


def notice(burst, burst_id):
    alert = read_alert(burst.wakeup)
    ivorn = alert.ivorn.replace(burst.id, burst_id)
    return write_notice(alert.model_copy(update={"burst_id": burst_id, "ivorn": ivorn}))


def rounds(intake, number=4, start=0.0):
    """Run some rounds without the pauses after an outage."""
    for turn in range(number):
        intake._next_attempt = 0.0
        intake.round(lambda turn=turn: seconds(start + turn))


ODD_ANSWERS = {
    "server error": (500, b"<html>\x1b[2J"),
    "forbidden": (403, b"{}"),
    "teapot": (418, b""),
    "unavailable": (503, b""),
    "unknown DAG": (404, b"{}"),
    "conflict": (409, b"{}"),
    "refused, any bytes": (422, b"\xff\xfe\x00+2D0- \x1b]0;x\x07"),
}


@pytest.mark.parametrize("answer", ODD_ANSWERS)
def test_an_unexpected_answer_about_one_run_does_not_block_others(
    answer, burst, intake, airflow, archive, caplog
):
    airflow.odd = {BURSTS[1]: ODD_ANSWERS[answer], "get": (200, b'{"conf": null, "state": "\\ud800"}')}
    for place, burst_id in enumerate(BURSTS):
        intake.keep(ReceivedMessage(notice(burst, burst_id), "inbox", seconds(place)))
    rounds(intake)
    assert airflow.runs.keys() == {f"{BURSTS[0]}__1", f"{BURSTS[2]}__1"}
    assert airflow.asked[f"{BURSTS[1]}__1"] >= 1


@pytest.mark.parametrize("get", [(200, b"[]"), (200, b"null"), (200, b"nonsense"), (200, b'{"conf": []}')])
def test_an_unexpected_description_of_a_run_does_not_block_others(get, burst, intake, airflow, archive):
    airflow.odd = {BURSTS[1]: (409, b"{}"), "get": get}
    for burst_id in BURSTS:
        intake.keep(ReceivedMessage(notice(burst, burst_id), "inbox", NOON))
    rounds(intake)
    assert airflow.runs.keys() >= {f"{BURSTS[0]}__1", f"{BURSTS[2]}__1"}


@pytest.mark.parametrize("login", [b"", b"[]", b"{}", b'{"access_token": "a\\nb"}', b'{"access_token": 5}'])
def test_an_unexpected_answer_to_the_login_is_an_outage(login, burst, intake, airflow):
    airflow.odd = {"login": (200, login)}
    intake.keep(ReceivedMessage(notice(burst, BURSTS[0]), "inbox", NOON))
    rounds(intake)
    assert not airflow.runs
    airflow.odd = {}
    rounds(intake)
    assert airflow.runs


def test_a_run_that_could_not_be_started_is_retried(burst, intake, airflow):
    airflow.odd = {BURSTS[0]: (500, b"")}
    intake.keep(ReceivedMessage(notice(burst, BURSTS[0]), "inbox", NOON))
    rounds(intake)
    assert airflow.asked[f"{BURSTS[0]}__1"] == 1
    airflow.odd = {}
    rounds(intake, start=10 * 365 * 86400.0)  # the pause counts from now
    assert airflow.runs


def test_a_damaged_folder_of_one_burst_does_not_block_others(burst, intake, airflow, archive, caplog):
    archive.root.joinpath(BURSTS[0]).write_text("a file where the burst's folder should be")
    (archive.root / BURSTS[1]).mkdir()
    (archive.root / BURSTS[1] / "alerts").write_text("the same one folder below")
    for place, burst_id in enumerate(BURSTS):
        intake.keep(ReceivedMessage(notice(burst, burst_id), "inbox", seconds(place)))
    rounds(intake)
    assert airflow.runs.keys() == {f"{BURSTS[2]}__1"}
    assert len(intake.incoming.waiting()) == 2
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == len(set(errors)) == 2
    archive.root.joinpath(BURSTS[0]).unlink()
    rounds(intake)
    assert f"{BURSTS[0]}__1" in airflow.runs


def test_damaged_files_in_the_spool_do_not_block_notices(burst, intake, airflow, archive):
    folder = archive.root / "incoming"
    (folder / "folder.msg").mkdir()
    (folder / "caf\udce9.msg").write_bytes(b'{"source": "\\ud800", "received": 1}\nx')
    (folder / "empty.msg").write_bytes(b"")
    (folder / "link.msg").symlink_to("nowhere")
    (folder / "no label.msg").write_bytes(b"\xff" * 1000)
    intake.keep(ReceivedMessage(notice(burst, BURSTS[0]), "inbox", NOON))
    rounds(intake)
    assert airflow.runs.keys() == {f"{BURSTS[0]}__1"}
    notes = archive.quarantined()
    assert len(notes) == 3
    assert all(note.input.isprintable() and note.reason.isprintable() for note in notes)


def test_a_rejection_with_any_bytes_is_recorded(burst, intake, airflow, archive):
    airflow.odd = {BURSTS[0]: ODD_ANSWERS["refused, any bytes"]}
    intake.keep(ReceivedMessage(notice(burst, BURSTS[0]), "inbox", NOON))
    rounds(intake)
    ((_, submission),) = planned_runs(archive, BURSTS[0])
    assert submission.outcome == "refused"
    assert submission.reason.isprintable()
