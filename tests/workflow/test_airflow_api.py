"""What the client says when Airflow refuses or is away."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mxtvhf.errors import Failure, InvalidInput, Retriable
from mxtvhf.operation.stack.access import airflow_api
from mxtvhf.settings import Settings
from mxtvhf.workflow.airflow_api import AirflowApi
from support.nats_server import free_port


@pytest.fixture
def answering():
    """An Airflow that logs anyone in and then gives one answer; its client."""
    answer = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.reply(201, b'{"access_token": "token"}')

        def do_GET(self):
            self.reply(answer["status"], answer["body"])

        def reply(self, status, body):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield answer, AirflowApi(f"http://127.0.0.1:{server.server_port}", "ada", "canary")
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (404, {"detail": "no run foo"}, InvalidInput, "no run foo (HTTP 404)"),
        (
            422,
            {"detail": [{"loc": ["query", "limit"], "msg": "too large"}, "odd"]},
            InvalidInput,
            "query.limit: too large; odd (HTTP 422)",
        ),
        (500, "<html>\nno JSON</html>", Failure, "<html> no JSON</html> (HTTP 500)"),
        (503, "", Retriable, "Service Unavailable (HTTP 503)"),
        (400, [1], InvalidInput, "[1] (HTTP 400)"),
        (401, {"detail": "Invalid credentials"}, Failure, "login of user 'ada' refused (HTTP 401); check"),
    ],
)
def test_a_refusal_is_told_in_the_words_of_the_answer(answering, status, body, kind, words):
    answer, api = answering
    answer |= {"status": status, "body": (body if isinstance(body, str) else json.dumps(body)).encode()}
    with pytest.raises(kind) as caught:
        api.get("/mxtvhf/status?seqid=foo")
    assert str(caught.value).startswith(f"{api.base_url}: {words}")
    for word in ("GET", "seqid", "detail", "\n", "canary"):
        assert word not in str(caught.value)


@pytest.mark.parametrize("body", [[], {}, {"state": None}, {"state": 3}])
def test_an_answer_without_the_state_of_a_run_is_asked_for_again(answering, body):
    answer, api = answering
    answer |= {"status": 200, "body": json.dumps(body).encode()}
    with pytest.raises(Retriable, match="sb26030701__1 contains no state"):
        api.run("sb26030701__1")


def test_all_pages_of_active_runs_are_read_and_each_thread_has_connections_of_its_own(answering, monkeypatch):
    answer, api = answering
    pages, asked = [["a", "b"], ["c"]], []

    def page(method, path, **_):
        asked.append(path)
        return {"dag_runs": [{"dag_run_id": one} for one in pages.pop(0)], "total_entries": 3}

    other = api.separate()
    assert other._session is not api._session
    answer |= {"status": 200, "body": b'{"dag_runs": [], "total_entries": 0}'}
    assert other.active_runs("mxt_vhf_decision") == []
    monkeypatch.setattr(api, "_send", page)
    assert api.active_runs("mxt_vhf_decision") == ["a", "b", "c"]
    assert [path.rpartition("=")[2] for path in asked] == ["0", "2"]


def test_an_airflow_that_is_away_names_the_setting():
    api = AirflowApi(f"http://127.0.0.1:{free_port()}", "ada", "word")
    with pytest.raises(
        Retriable, match=r"Airflow does not answer \(ConnectionError\); .* MXTVHF_AIRFLOW_URL"
    ):
        api.get("/")


@pytest.fixture
def guarded():
    """An Airflow that knows one password, which the test may change; its address."""
    known = {"password": "right"}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            login = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            is_right = login["password"] == known["password"]
            self.reply(201 if is_right else 401, {"access_token": login["password"]})

        def do_GET(self):
            is_right = self.headers["Authorization"] == f"Bearer {known['password']}"
            self.reply(200 if is_right else 401, {"state": "queued"})

        def reply(self, status, body):
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield known, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_password_that_is_corrected_or_changed_in_its_file_is_taken_by_itself(guarded, tmp_path):
    known, url = guarded
    file = tmp_path / "users"
    file.write_text('{"intake": "wrong"}')
    api = airflow_api(Settings(airflow_url=url, airflow_password_file=file), "intake")
    with pytest.raises(Failure, match="login of user 'intake' refused"):
        api.run("x")
    file.write_text("{}")
    with pytest.raises(Failure, match="users: no password of user 'intake'"):
        api.run("x")
    file.write_text('{"intake": "right"}')
    assert api.run("x") == {"state": "queued"}
    known["password"] = "new"
    with pytest.raises(Failure, match="refused"):
        api.run("x")
    file.write_text('{"intake": "new"}')
    assert api.run("x") == {"state": "queued"}
