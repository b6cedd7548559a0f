import json
import socket

import pytest

from mxtvhf.errors import Failure
from mxtvhf.settings import Settings
from mxtvhf.stack import embedded
from mxtvhf.stack.airflow_environment import admin_password, airflow_environment, password_file, secret


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


def test_all_servers_are_on_loopback_and_nothing_of_the_caller_leaks_in(tmp_path, monkeypatch):
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
        with pytest.raises(Failure, match=rf"port {port}: in use by another program; choose others"):
            start(Settings(state=tmp_path), tmp_path, port, port)


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "FREE_DISK_BYTES", 1 << 60)
    with pytest.raises(Failure, match="MB free on this disk"):
        start(Settings(state=tmp_path), tmp_path, 1, 2)


def test_a_state_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Failure, match="the state folder cannot be made"):
        start(Settings(state=tmp_path / "file" / "var"), tmp_path, 1, 2)


def test_two_stacks_never_share_a_state(tmp_path):
    with embedded._only_one(tmp_path), pytest.raises(Failure, match="uses this state folder"):
        start(Settings(state=tmp_path), tmp_path, 1, 2)
