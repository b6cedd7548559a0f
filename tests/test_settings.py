"""A wrong value of any setting is one line with the variable, the value and what is expected."""

import ast

import pytest

from mxtvhf.errors import InvalidInput
from mxtvhf.settings import Settings, read_settings
from support.commands import mxtvhf
from support.project import PROJECT

WRONG = [
    ("REMOTE_CATALOGUES", "4xmm", """found '4xmm', expected JSON, e.g. ["4xmm", "erass1"]"""),
    ("REMOTE_CATALOGUES", "3", "found 3, expected a valid tuple"),
    ("INPUT_ROOTS", "/data", "found '/data', expected JSON"),
    ("INPUT_ROOTS", "[1]", "found 1, expected a path"),
    ("USERS", '{"ada": "god"}', "found 'god', expected 'viewer', 'robot', 'user', 'op' or 'admin'"),
    ("USERS", '{"a b": "user"}', "found 'a b', expected pattern"),
    ("USERS", "[" * 100_000, "expected JSON"),
    ("INTAKE", '{"growth": 0.5}', "growth: found 0.5, expected a value greater than 1"),
    ("INTAKE", '{"quiet_seconds": 1e999}', "quiet_seconds: found inf, expected"),
    ("INTAKE", '{"colour": 1}', "colour: unknown key"),
    ("ANNOUNCEMENT", '{"authors": "Ada"}', "authors: found 'Ada', expected"),
    ("ANNOUNCEMENT", '{"authors": ["two\\nlines"]}', "authors.0: found"),
    ("KEEP_DAYS", "x", "found 'x', expected a valid integer"),
    ("KEEP_DAYS", "999999999", "found '999999999', expected a value less than or equal to 36500"),
    ("REPLAYS_AT_ONCE", "0", "found '0', expected a value greater than or equal to 1"),
    ("ANSWER_WITHIN_DAYS", "nan", "found 'nan', expected"),
    ("ANSWER_WITHIN_DAYS", "inf", "found 'inf', expected"),
    ("AIRFLOW_URL", "airflow:8080", "found 'airflow:8080', expected a URL such as http://host:port"),
    ("AIRFLOW_URL", "http://airflow:99999", "found 'http://airflow:99999', expected a URL"),
    ("AIRFLOW_URL", "http://[::1", "found 'http://[::1', expected a URL"),
    ("STATSD", "stats.example", "found 'stats.example', expected host:port"),
    ("STATSD", ":8125", "found ':8125', expected host:port"),
    ("STATSD", "stats.example:99999999999999999999", "expected host:port"),
    ("OTLP", "otel.example:4318", "found 'otel.example:4318', expected a URL"),
    ("INTAKE_USER", "admin", "expected an account with fewer rights"),
    ("INTAKE_USER", "a b", "expected"),
    ("NATS_TLS", '{"certificate": "/c.pem"}', "certificate or key missing; expected both or neither"),
    ("NATS_TLS", '{"cert": "/c.pem"}', "unknown key"),
    ("STATE", __file__, "expected a folder"),
    ("PUBLIC_URL", "mxt.example.org", "found 'mxt.example.org', expected a URL"),
    ("NOTIFICATION", '{"rota": "/r"}', "channels: missing"),
    ("NOTIFICATION", '{"channels": "/c", "escalate_minutes": 0}', "escalate_minutes: found 0, expected"),
    (
        "NOTIFICATION",
        '{"channels": "/c", "rules": [{"events": ["first_notice"], "kinds": ["test"]}]}',
        'rules.0: to = "duty": tests must not wake people; expected the tag of a chat',
    ),
    (
        "NOTIFICATION",
        '{"channels": "/c", "rules": [{"events": ["first_notice"], "to": "all", "escalate": true}]}',
        "cannot be escalated; expected to = ",
    ),
]


@pytest.mark.parametrize(("name", "value", "cause"), WRONG)
def test_a_wrong_value_is_one_line(name, value, cause):
    done = mxtvhf("catalogue", "list", **{f"MXTVHF_{name}": value})
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"mxtvhf: MXTVHF_{name}")
    assert cause in line
    assert len(line) < 300


def test_every_setting_that_is_not_any_text_or_path_has_a_wrong_value_here():
    text = {"calibration", "airflow_user", "airflow_password_file", "airflow_ca", "gcn_credentials",
            "webhook_file", "observatories", "nats_url", "nats_credentials", "nats_trusted_keys"}  # fmt: skip
    # The files and the NATS URL are checked by what opens them: a fault of NATS must not stop the inbox.
    assert {name.lower() for name, _, _ in WRONG} == Settings.model_fields.keys() - text


def test_all_faults_are_told_at_once_and_no_password(monkeypatch):
    monkeypatch.setenv("MXTVHF_KEEP_DAYS", "x")
    monkeypatch.setenv("MXTVHF_AIRFLOW_URL", "http://me:canary@airflow")
    with pytest.raises(InvalidInput) as caught:
        read_settings()
    assert len(str(caught.value).splitlines()) == 2
    assert "canary" not in str(caught.value)


def test_what_one_process_gives_another_is_read_back_equal(monkeypatch):
    given = Settings(
        users={"ada": "user"}, remote_catalogues=("4xmm",), keep_days=3, intake={"growth": 3.0}, statsd="a:1"
    )
    for name, value in given.environment().items():
        monkeypatch.setenv(name, value)
    read = read_settings()
    assert all(getattr(read, name) == getattr(given, name) for name in given.model_fields_set)


def test_the_environment_is_read_by_one_function():
    """``Settings()`` anywhere else would show pydantic's traceback to the user."""
    for folder in ("mxtvhf", "plugins", "dags", "docs", "benchmarks"):
        for path in (PROJECT / folder).rglob("*.py"):
            if path == PROJECT / "mxtvhf" / "settings.py":
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
                assert not (is_call and node.func.id == "Settings" and not node.keywords), path
