"""Security of a real Airflow: logins, roles, hostile requests and secrets."""

import base64
import io
import json
from contextlib import closing
from datetime import UTC, datetime
from urllib.parse import quote

import psycopg2
import pytest
import requests

from mxtvhf.archive.archive import Archive
from mxtvhf.desk.comments import MAX_COMMENT, Comments
from mxtvhf.errors import Failure
from mxtvhf.operation.stack.access import airflow_api
from mxtvhf.operation.stack.embedded import gp_connection
from mxtvhf.simulator.scenario import scenario_of, write_scenario
from support.airflow_runs import conf_of
from support.role_checks import (
    WebUsers,
    asked_of_airflow,
    check_connections_are_closed,
    check_starter,
    check_strangers,
    check_viewer,
    check_viewer_starts_nothing,
    filled,
    routes_of,
)

pytestmark = pytest.mark.integration

BURST = "sb26030303"
CANARY = "canary-q7Zk2"
ROLES = ("viewer", "user", "op", "admin")

TOKENS = """
import json
from airflow.api_fastapi.app import create_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

manager = create_auth_manager()
print(json.dumps({
    role: manager.generate_jwt(SimpleAuthManagerUser(username=role, role=role))
    for role in ("viewer", "user", "op", "admin")
}))
"""


@pytest.fixture(scope="module")
def users(stack):
    """Users of each role."""
    return WebUsers(stack.url, asked_of_airflow(TOKENS, stack.processes.environment))


@pytest.fixture(scope="module")
def routes(stack):
    return routes_of(stack.processes.environment)


@pytest.fixture(scope="module")
def ask(users):
    return users.ask


@pytest.fixture(scope="module")
def conf(settings):
    folder = settings.inputs / "security"
    write_scenario(scenario_of(BURST, counts=200, seed=3), folder)
    return conf_of(BURST, folder)


# ------------------------------------------------------------------ who may do what, as in test_logins.py


def test_every_url_requires_a_login(users, routes):
    check_strangers(users, routes)


def test_a_viewer_reads_everything_and_changes_nothing(users, routes):
    check_viewer(users, routes)


@pytest.mark.parametrize("role", ROLES[1:])
def test_users_who_may_trigger_can_start_runs(users, role):
    check_starter(users, role)


def test_a_viewer_cannot_start_runs_by_airflows_api(users, conf):
    check_viewer_starts_nothing(users, conf)


def test_the_listener_uses_its_own_account(stack, settings):
    """The account may start, read and stop runs and has no rights of an administrator."""
    listener = airflow_api(settings.model_copy(update={"airflow_url": stack.url}), settings.intake_user)
    assert listener.get("/api/v2/dags/mxt_vhf/dagRuns?limit=1")["total_entries"] >= 0
    with pytest.raises(Failure, match="HTTP 403"):
        listener.get("/api/v2/connections")


# ------------------------------------------------------------------ hostile requests


@pytest.mark.parametrize("way", ["../../../secrets/passwords.json", "../../../../../../../../etc/passwd"])
def test_no_url_parameter_reads_files_outside_the_folder(ask, routes, stack, way):
    for method, path in routes:
        if method == "GET" and "{" in path:
            for text in (
                quote(way, safe=""),
                quote(way, safe="").replace("%2F", "/").replace("..", "%2e%2e"),
            ):
                answer = ask(method, filled(path, text))
                assert answer.status_code < 500, path
                assert stack.password not in answer.text
                assert "root:" not in answer.text


def test_no_url_parameter_adds_a_header(ask, routes):
    for method, path in routes:
        if method == "GET" and "{" in path:
            answer = ask(method, filled(path, "x%0d%0aX-Canary:%201"))
            assert answer.status_code < 500, path
            assert "X-Canary" not in answer.headers


@pytest.mark.parametrize("nested", ["[" * 500_000, '{"burst_id":' * 100_000, "[" * 9_000 + "]" * 9_000])
def test_deeply_nested_json_is_rejected_in_one_line(ask, nested):
    answer = ask("POST", "/mxtvhf/processing", data=nested, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert list(answer.json()) == ["detail"]
    assert len(answer.json()["detail"]) <= 1000


def test_a_form_of_another_site_is_rejected(stack, users, conf, ask):
    """A browser sends forms as text/plain with its cookies, but it may not send JSON to another site."""
    answer = requests.post(
        f"{stack.url}/mxtvhf/processing",
        data=json.dumps({**conf, "sequence": 91}),
        headers={"Content-Type": "text/plain", "Origin": "http://evil.example"},
        cookies={"_token": users.tokens["admin"]},
        timeout=30,
    )
    assert answer.status_code == 422
    assert ask("GET", f"/api/v2/dags/mxt_vhf/dagRuns/{BURST}__91").status_code == 404
    asked = ask("OPTIONS", "/mxtvhf/processing", headers={"Origin": "http://evil.example"})
    assert "access-control-allow-origin" not in asked.headers


# ------------------------------------------------------------------ what people write on the desk

MARKUP = "<script>alert(1)</script> & \u2605\nsecond line"


@pytest.fixture(scope="module")
def received(settings, conf):
    """A burst of which a notice is in the archive."""
    archive = Archive(settings.archive)
    raw = (settings.inputs / "security" / "alert.xml").read_bytes()
    archive.log_receipt(archive.keep_alert(BURST, raw), datetime.now(UTC))
    return BURST


def test_comments_are_of_who_may_decide_and_shown_as_typed(ask, users, received, settings):
    address, comments = f"/mxtvhf/desk/{received}/comments", Comments(settings.desk_records / "comments")
    for role, text, status in (
        ("viewer", "seen", 403),
        ("user", MARKUP, 201),
        ("admin", "x" * MAX_COMMENT, 201),
        ("user", "x" * (MAX_COMMENT + 1), 422),
        ("user", " \n ", 422),
        ("user", "\x1b[2J\x00", 422),
        ("user", "\ud800", 422),
        ("user", ["no text"], 422),
    ):
        answer = ask("POST", address, role=role, json={"text": text})
        assert answer.status_code == status, (role, text)
        assert status == 201 or answer.json()["detail"].count("\n") == 0
    kept = comments.of(received)
    assert [(one.author, one.text) for one in kept] == [("user", MARKUP), ("admin", "x" * MAX_COMMENT)]
    page = ask("GET", f"/mxtvhf/desk/{received}", role="viewer").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; \u2605" in page
    assert ask("POST", "/mxtvhf/desk/sb26030399/comments", json={"text": "seen"}).status_code == 404


def test_an_unreadable_input_is_dismissed_by_who_may_decide(ask, settings):
    archive = Archive(settings.archive)
    sha256 = archive.quarantine(
        b"<a>not well-formed", name="inbox <b>.xml", reason="not well-formed XML"
    ).stem
    address = f"/mxtvhf/desk/unreadable/{sha256}"
    assert "inbox &lt;b&gt;.xml" in ask("GET", "/mxtvhf/desk/unreadable", role="viewer").text
    assert ask("POST", address, role="viewer", json={}).status_code == 403
    assert ask("POST", f"/mxtvhf/desk/unreadable/{'ab' * 32}", json={}).status_code == 404
    assert ask("POST", "/mxtvhf/desk/unreadable/x", json={}).status_code == 422
    assert "inbox &lt;b&gt;.xml" in ask("GET", "/mxtvhf/desk/unreadable").text
    # The second of two people who press the button at once is told nothing wrong.
    assert [ask("POST", address, role=role, json={}).status_code for role in ("user", "admin")] == [204, 204]
    assert "inbox &lt;b&gt;.xml" not in ask("GET", "/mxtvhf/desk/unreadable").text
    assert sha256 in {note.sha256 for note in archive.quarantined()}, "the quarantine keeps it"


def test_a_form_of_another_site_writes_nothing_on_the_desk(stack, users, received, settings, routes):
    """A browser sends a form as text/plain with the cookies it has."""
    changing = [path for method, path in routes if "/desk/" in path and method in ("POST", "PATCH")]
    assert len(changing) >= 7
    before = Comments(settings.desk_records / "comments").of(received)
    for path in changing:
        address = filled(path, received).replace(f"unreadable/{received}", f"unreadable/{'ab' * 32}")
        answer = requests.request(
            "PATCH" if path.endswith("/answer") else "POST",
            stack.url + address,
            data=json.dumps({"text": "from elsewhere"}),
            headers={"Content-Type": "text/plain", "Origin": "http://evil.example"},
            cookies={"_token": users.tokens["admin"]},
            timeout=60,
        )
        assert answer.status_code == 415, path
    assert Comments(settings.desk_records / "comments").of(received) == before


TEMPLATE = "{{ 6*7 }}{% raw %}${7*6}"


@pytest.fixture(scope="module")
def templated(run, conf):
    """Return a run whose configuration contains templates."""
    assert run(f"{BURST}__1", **{**conf, "apid": "1", "target": TEMPLATE, "orbit": "3"}) == "success"
    return f"{BURST}__1"


def test_a_template_in_the_configuration_stays_text(run, templated):
    path = f"/api/v2/dags/mxt_vhf/dagRuns/{templated}"
    assert run.api.get(path)["conf"]["target"] == TEMPLATE
    tasks = run.api.get(f"{path}/taskInstances")["task_instances"]
    assert [task["rendered_fields"] for task in tasks] == [{}] * len(tasks)
    event_file = (run.folder(templated) / "events.fits").read_bytes()
    assert TEMPLATE.encode() in event_file


# ------------------------------------------------------------------ secrets


@pytest.fixture(scope="module")
def failed(stack, run, conf, templated):
    """Return a run that failed because GP, used with a login, was unreachable."""
    login = {"login": "mxtvhf", "password": CANARY}
    stack.api.put_connection({**gp_connection("http://127.0.0.1:9"), **login})
    try:
        assert run(f"{BURST}__2", **conf, sequence=2) == "failed"
        yield f"{BURST}__2"
    finally:
        stack.api.put_connection({**gp_connection(stack.gp_url), "login": None, "password": None})


def secrets_of(settings):
    """Return all secrets in every encoding in which they are sent."""
    files = [path for path in (settings.home / "secrets").iterdir() if path.name != "passwords.json"]
    texts = [CANARY, *(path.read_text().strip() for path in files)]
    texts += json.loads((settings.home / "secrets" / "passwords.json").read_text()).values()
    basic = base64.b64encode(f"mxtvhf:{CANARY}".encode()).decode()
    return {*texts, basic, base64.b64encode(CANARY.encode()).decode().rstrip("=")}


def test_no_secret_is_in_logs_products_archive_or_messages(settings, failed):
    secrets, searched = secrets_of(settings), 0
    assert len(secrets) >= 6
    for path in settings.home.rglob("*"):
        inside = path.relative_to(settings.home).parts[0]
        if inside in ("secrets", "postgres") or not path.is_file():
            continue
        text = path.read_bytes()
        searched += 1
        assert not [secret for secret in secrets if secret.encode() in text], path
    assert searched > 50


def test_no_secret_is_in_the_database(settings, stack, failed):
    uri = stack.processes.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg2", "")
    dump = io.StringIO()
    with closing(psycopg2.connect(uri)) as database, database.cursor() as cursor:
        cursor.execute("select quote_ident(tablename) from pg_tables where schemaname = 'public'")
        for (table,) in cursor.fetchall():
            cursor.copy_expert(f"copy {table} to stdout", dump)
    # What is stored as bytes is written in hexadecimal.
    spelled = {spelling for secret in secrets_of(settings) for spelling in (secret, secret.encode().hex())}
    assert failed in dump.getvalue()
    assert not [secret for secret in spelled if secret in dump.getvalue()]


def test_no_secret_is_shown_by_the_api(ask, users, failed, settings):
    tasks = f"/api/v2/dags/mxt_vhf/dagRuns/{failed}/taskInstances"
    shown = [
        "/api/v2/connections",
        "/api/v2/connections/mxt_gp",
        "/api/v2/config",
        "/api/v2/eventLogs?limit=1000",
        tasks,
        f"{tasks}/start_mxt_gp_pipeline/logs/1?full_content=true",
        f"{tasks}/start_mxt_gp_pipeline/xcomEntries",
        f"/mxtvhf/status?seqid={failed}",
        "/mxtvhf/quarantine",
    ]
    for path in shown:
        text = ask("GET", path).text
        assert not [secret for secret in secrets_of(settings) if secret in text], path
    check_connections_are_closed(users, "viewer", "user")
