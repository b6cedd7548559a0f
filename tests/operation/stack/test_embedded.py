import json
import socket
from pathlib import Path

import pytest

from mxtvhf.errors import Failure, InvalidInput
from mxtvhf.operation.stack import embedded
from mxtvhf.operation.stack.access import password_of
from mxtvhf.operation.stack.airflow_config import (
    admin_password,
    airflow_environment,
    metrics_environment,
    password_file,
    secret,
    user_passwords,
)
from mxtvhf.operation.stack.postgresql import check_database_path
from mxtvhf.settings import Settings
from support.commands import mxtvhf
from support.project import PROJECT


def test_secrets_are_private_and_kept(tmp_path):
    path = tmp_path / "secrets" / "jwt"
    first = secret(path)
    assert secret(path) == first
    assert len(first) >= 32
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_password_is_private_and_kept(tmp_path):
    password = admin_password(tmp_path)
    assert admin_password(tmp_path) == password
    path = password_file(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text()) == {"admin": password}


def test_further_users_get_passwords_and_roles(tmp_path):
    admin = admin_password(tmp_path)
    users = {"ada": "user", "bob": "viewer"}
    passwords = user_passwords(tmp_path, users)
    assert passwords == user_passwords(tmp_path) == user_passwords(tmp_path, users)
    assert passwords["admin"] == admin
    assert len({passwords[user] for user in ("admin", "ada", "bob")}) == 3
    assert password_file(tmp_path).stat().st_mode & 0o777 == 0o600
    settings = airflow_environment(
        project=tmp_path, state=tmp_path, port=8080, database_uri="postgresql://x", users=users
    )
    assert settings["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] == "ada:user,bob:viewer,admin:admin"


@pytest.mark.parametrize("users", ['{"ada": "god"}', '{"a,b": "user"}', '{"ada:admin,eve": "user"}'])
def test_invalid_users_are_rejected(monkeypatch, users):
    monkeypatch.setenv("MXTVHF_USERS", users)
    with pytest.raises(ValueError, match="users"):
        Settings()


def test_all_servers_use_loopback_and_ignore_airflow_variables_of_the_caller(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "True")
    settings = airflow_environment(project=tmp_path, state=tmp_path, port=8080, database_uri="postgresql://x")
    assert settings["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert settings["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"
    assert settings["AIRFLOW_HOME"] == str(tmp_path / "airflow")


def start(settings, tmp_path, port, gp_port):
    with embedded.embedded_stack(settings, project=tmp_path, port=port, gp_port=gp_port):
        raise AssertionError("must not start")


def test_a_port_in_use_is_named(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Failure, match=rf"port {port}: in use by another program; choose other ports"):
            start(Settings(state=tmp_path), tmp_path, port, port)


def test_a_full_disk_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "FREE_DISK_BYTES", 1 << 60)
    with pytest.raises(Failure, match="MB free on this disk"):
        start(Settings(state=tmp_path), tmp_path, 1, 2)


def test_a_state_folder_that_cannot_be_created_is_reported(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Failure, match="the state folder cannot be created"):
        start(Settings(state=tmp_path / "file" / "var"), tmp_path, 1, 2)


def test_two_stacks_never_share_a_state(tmp_path):
    with embedded.only_one(tmp_path), pytest.raises(Failure, match="uses this state folder"):
        start(Settings(state=tmp_path), tmp_path, 1, 2)


@pytest.mark.parametrize(
    ("statsd", "otlp", "expected"),
    [
        (None, None, {}),
        (
            "stats.example:8125",
            None,
            {"STATSD_ON": "True", "STATSD_HOST": "stats.example", "STATSD_PORT": "8125"},
        ),
        (None, "http://otel.example:4318", {"OTEL_ON": "True"}),
    ],
)
def test_metrics_are_switched_on_by_configuration(tmp_path, statsd, otlp, expected):
    settings = airflow_environment(
        project=tmp_path, state=tmp_path, port=1, database_uri="x", statsd=statsd, otlp=otlp
    )
    prefix = "AIRFLOW__METRICS__"
    assert {k.removeprefix(prefix): v for k, v in settings.items() if k.startswith(prefix)} == expected
    assert settings.get("OTEL_EXPORTER_OTLP_ENDPOINT") == otlp


def test_two_receivers_of_metrics_are_rejected():
    with pytest.raises(InvalidInput, match="are both set"):
        metrics_environment("a:1", "http://b:2")


def test_the_command_line_uses_the_password_of_the_embedded_stack(tmp_path):
    password = admin_password(tmp_path)
    assert password_of("admin", password_file(tmp_path)) == password
    (tmp_path / "plain").write_text("a word\n")
    assert password_of("anyone", tmp_path / "plain") == "a word"


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (None, "cannot be read: No such file"),
        (b"\xff", "cannot be read: not a text file"),
        (b"", "expected one line"),
        (b"canary\nmore", "expected one line"),
        (b'{"other": "canary"}', "no password of user 'admin'"),
        (b'{"canary', "no password of user 'admin'"),
    ],
)
def test_a_bad_password_file_is_named_but_not_shown(tmp_path, content, cause):
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidInput, match=cause) as error:
        password_of("admin", path)
    assert str(path) in str(error.value)
    assert "canary" not in str(error.value)


@pytest.mark.parametrize(
    "arguments",
    [("up", "--project", PROJECT), ("cluster", "--project", PROJECT, "--folder"), ("backup", "b.tar.gz")],
    ids=["up", "cluster", "backup"],
)
def test_a_state_folder_that_postgresql_cannot_use_is_refused_before_anything_starts(tmp_path, arguments):
    folder = tmp_path / "state dir"
    (folder / "postgres").mkdir(parents=True)
    (folder / "postgres" / "PG_VERSION").touch()
    more = (folder,) if "--folder" in arguments else ()
    done = mxtvhf(*map(str, (*arguments, *more)), MXTVHF_STATE=folder)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "state dir" in line
    assert "the path contains a blank" in line
    assert {path.name for path in folder.iterdir()} == {"postgres"}


@pytest.mark.parametrize("name", ["a\tb", "a'b", "a$b", "a+b", "a%20b", "a,b", "a=b"])
def test_characters_of_the_shell_and_of_a_uri_are_refused(tmp_path, name):
    with pytest.raises(InvalidInput, match="the path contains"):
        check_database_path(tmp_path / name)


def test_an_ordinary_path_is_accepted():
    check_database_path(Path("/srv/mxt-vhf_1.0/é@xy~/a:z"))
