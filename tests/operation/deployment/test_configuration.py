import json
import os
import subprocess
import sys

import pytest
from sqlalchemy.engine import make_url

from mxtvhf.errors import InvalidInput
from mxtvhf.operation.deployment.configuration import Deployment, read_deployment
from mxtvhf.operation.deployment.environment import gp_connection_text, service_environment
from mxtvhf.operation.deployment.secret_files import secret_parts
from mxtvhf.operation.deployment.servers import in_memory, nats_configuration, redis_configuration
from mxtvhf.operation.deployment.service import Service
from mxtvhf.operation.deployment.services import SERVICES
from mxtvhf.operation.stack.airflow_config import airflow_environment, password_file
from mxtvhf.settings import Settings
from support.deployment import PASSWORD, write_deployment
from support.project import PROJECT

EXAMPLE = PROJECT / "mxtvhf.toml"
PAGE = PROJECT / "docs" / "reference" / "configuration.md"


@pytest.fixture
def config(tmp_path):
    return write_deployment(tmp_path)


@pytest.fixture
def deployment(config):
    return read_deployment(config)


def edit(config, *changes):
    text = config.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    config.write_text(text)


def causes(config):
    with pytest.raises(InvalidInput) as caught:
        read_deployment(config)
    return str(caught.value).splitlines()


def test_a_valid_file_is_read_and_the_environment_is_ignored(config, monkeypatch):
    monkeypatch.setenv("MXTVHF_NATS_URL", "nats://elsewhere:1")
    monkeypatch.setenv("MXTVHF_REPLAYS_AT_ONCE", "9")
    deployment = read_deployment(config)
    assert (deployment.nats_url, deployment.replays_at_once) == ("nats://nats:4222", 4)
    assert deployment.airflow_url == "http://api-server:8080"


def test_each_fault_is_reported_in_one_line(config):
    folder = config.parent
    (folder / "postgres").unlink()
    (folder / "redis").write_text("\n")
    (folder / "jwt").chmod(0o644)
    (folder / "stations").write_text("[]")
    edit(
        config,
        ('ada = "user"', 'ada = "god"\neve = "viewer"'),
        ("http://api-server:8080/", "ftp://api-server"),
        ("nats://nats:4222", "nats://me:word@nats:4222"),
        ('host = "redis"', 'host = "redis"\nport = 99999\ncolour = 3'),
        ("[gp]\n", "[gp]\nsend_event_file = 7\n"),
        ('public_url = "https://mxt.example.org"', 'parallelism = "many"'),
    )
    found = causes(config)
    assert all(line.startswith(f"{config}: ") for line in found)
    told = dict(line.removeprefix(f"{config}: ").split(": ", 1) for line in found)
    assert told["database.password"].endswith("cannot be read: No such file or directory")
    assert told["redis.password"].endswith("empty file; expected a secret")
    assert "readable by everybody (mode 0644)" in told["airflow.jwt_secret"]
    assert "expected JSON" in told["nats.stations"]
    assert told["redis.colour"] == "unknown key"
    assert set(told) == {
        "users.ada", "airflow_url", "nats_url", "redis.port", "redis.colour", "redis.password",
        "gp.send_event_file", "airflow.parallelism", "airflow.jwt_secret", "database.password",
        "nats.stations",
    }  # fmt: skip


def test_a_user_without_password_is_named(config):
    edit(config, ('ada = "user"', 'eve = "viewer"'))
    assert causes(config) == [f"{config}: users: {config.parent}/users: missing password of eve"]


def test_a_missing_table_is_named(config):
    edit(config, ('[gp]\nurl = "http://gp.example.org:8765/api"', ""))
    assert causes(config) == [f"{config}: gp: missing"]


@pytest.mark.parametrize("key", ["fernet", "jwt"])
def test_a_short_key_is_rejected_and_not_shown(config, key):
    (config.parent / key).write_text("canary\n")
    (line,) = causes(config)
    assert "characters" in line
    assert "canary" not in line


def test_invalid_toml_is_rejected(config):
    config.write_text("state = ")
    assert causes(config)[0].startswith(f"{config}: not TOML")


def test_the_command_ends_with_status_2(config):
    edit(config, ('host = "postgres"', 'host = "post gres"'), ('host = "redis"', ""))
    done = subprocess.run(
        [sys.executable, "-m", "mxtvhf", "service", "scheduler", "--config", str(config)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert all(line.startswith(f"mxtvhf: {config}: ") for line in done.stderr.splitlines())
    assert "redis.host: missing" in done.stderr


def test_the_shipped_example_has_only_known_keys():
    with pytest.raises(InvalidInput) as caught:
        read_deployment(EXAMPLE)
    # Here are no secrets and no folder for the state; all else must be right.
    for line in str(caught.value).splitlines():
        assert "cannot be read: No such file" in line or "no such folder" in line, line


def test_airflow_gets_the_secrets_and_addresses(deployment):
    found = service_environment(deployment)
    uri = make_url(found["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
    assert (uri.host, uri.username, uri.password, uri.database) == (
        "postgres",
        "airflow",
        PASSWORD,
        "airflow",
    )
    broker = make_url(found["AIRFLOW__CELERY__BROKER_URL"])
    assert (broker.host, broker.password, broker.database) == ("redis", PASSWORD, "0")
    assert found["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    assert found["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://api-server:8080/execution/"
    assert found["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] == "intake:user,ada:user,admin:admin"
    assert found["AIRFLOW__API__BASE_URL"] == "https://mxt.example.org"


def test_no_task_is_given_to_a_second_worker_while_it_may_run(deployment):
    found = service_environment(deployment)
    longest = int(found["AIRFLOW__CORE__DEFAULT_TASK_EXECUTION_TIMEOUT"])
    assert int(found["AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT"]) > longest


def test_both_executors_have_the_same_timings(deployment, tmp_path):
    single = airflow_environment(project=tmp_path, state=tmp_path, port=1, database_uri="x")
    several = service_environment(deployment)
    for section in ("SCHEDULER", "TRIGGERER", "DAG_PROCESSOR"):
        names = {name for name in single if name.startswith(f"AIRFLOW__{section}__")}
        names.discard("AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME")  # longer, for its idle load
        assert names
        assert {name: single[name] for name in names} == {name: several[name] for name in names}


def test_the_settings_of_the_file_reach_the_processes(deployment, monkeypatch):
    for name, value in service_environment(deployment).items():
        if name.startswith("MXTVHF_"):
            monkeypatch.setenv(name, value)
    settings = Settings()
    for name in Settings.model_fields.keys() - {"public_url"}:
        assert getattr(settings, name) == getattr(deployment, name), name
    assert settings.public_url == deployment.airflow.public_url
    assert settings.desk == "https://mxt.example.org/mxtvhf/desk"


NOTIFICATION = """
[notification]
channels = "{folder}/channels"
rota = "{folder}/rota.toml"

[[notification.rules]]
events = ["first_position"]
escalate = true

[gp]
"""


@pytest.fixture
def notified(config):
    """Return the same configuration with notifications."""
    folder = config.parent
    (folder / "rota.toml").write_text('[people.ada]\nname = "Ada"\n')
    (folder / "channels").touch(0o600)
    (folder / "channels").write_text("ada = json://s3cr3t@localhost\n")
    edit(config, ("[gp]\n", NOTIFICATION.format(folder=folder)))
    return config


def test_notification_settings_reach_the_listener_and_channels_are_secret(notified, monkeypatch):
    deployment = read_deployment(notified)
    monkeypatch.setenv("MXTVHF_NOTIFICATION", service_environment(deployment)["MXTVHF_NOTIFICATION"])
    policy = Settings().notification
    assert policy.model_dump() == deployment.notification.model_dump()
    assert policy.rules[0].escalate
    assert notified.parent / "channels" in secret_parts(deployment).values()
    (notified.parent / "channels").chmod(0o644)
    assert "readable by everybody" in causes(notified)[0]


def test_invalid_channels_and_rota_are_reported_but_stop_no_service(notified):
    (notified.parent / "channels").write_text("eve = nothing://s3cr3t\n")
    assert read_deployment(notified).notification
    done = subprocess.run(
        [sys.executable, "-m", "mxtvhf", "config", "check", str(notified)], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "line 1: eve/nothing: unknown service" in done.stderr
    assert "s3cr3t" not in done.stderr


def test_the_connection_of_gp_has_url_and_login(config):
    path = config.parent / "gp"
    path.touch(0o600)
    path.write_text("word")
    edit(config, ("[gp]", f'[gp]\nuser = "mxt"\npassword = "{path}"'))
    connection = json.loads(gp_connection_text(read_deployment(config).gp))
    assert connection == {
        "conn_type": "http",
        "host": "http://gp.example.org:8765/api",
        "login": "mxt",
        "password": "word",
        "extra": {"send_event_file": False},
    }


def test_the_queue_survives_a_crash_and_asks_for_a_password(deployment):
    lines = redis_configuration(deployment.redis).splitlines()
    assert "appendonly yes" in lines
    assert f'requirepass "{PASSWORD}"' in lines


@pytest.mark.service
def test_nats_accepts_the_configuration_and_limits_the_rights_of_a_station(deployment, tmp_path):
    text = nats_configuration(deployment.nats, deployment.nats_credentials)
    (tmp_path / "nats.json").write_text(text)
    subprocess.run(["nats-server", "-t", "-c", str(tmp_path / "nats.json")], check=True, capture_output=True)
    own, station = json.loads(text)["authorization"]["users"]
    assert own == {"user": "mxtvhf", "password": "n"}
    assert station["permissions"] == {
        "publish": ["mxtvhf.in.>", "mxtvhf.sky.>"],
        "subscribe": ["_INBOX.>"],
    }


def test_nats_without_login_is_rejected(deployment, tmp_path):
    with pytest.raises(InvalidInput, match="expected a file with user:password"):
        nats_configuration(deployment.nats, None)


def test_a_file_in_memory_is_readable_by_the_next_program():
    name = in_memory("word")
    done = subprocess.run(["cat", name], capture_output=True, text=True, close_fds=False, check=True)
    os.close(int(name.rpartition("/")[2]))
    assert done.stdout == "word"


def test_the_command_line_names_every_service():
    assert {name.value for name in Service} == set(SERVICES)


def test_every_key_of_the_file_is_explained():
    text = PAGE.read_text()
    for name, field in Deployment.model_fields.items():
        assert f"`{name}`" in text or f"`[{name}]`" in text, name
        for key in getattr(field.annotation, "model_fields", {}) if name != "intake" else ():
            assert f"`{key}`" in text, (name, key)


def test_the_password_file_is_complete_while_the_api_server_starts(config):
    """If Airflow reads the given file itself, another service may be reading it at the same time."""
    deployment = read_deployment(config)
    path = password_file(deployment.home)
    path.parent.mkdir()
    path.write_bytes(deployment.airflow_password_file.read_bytes())
    path.chmod(0o600)
    deployment = deployment.model_copy(update={"airflow_password_file": path})
    with path.open() as reader:
        SERVICES[Service.API_SERVER](deployment, "host")
        assert json.load(reader) == json.loads(path.read_text())
        assert os.fstat(reader.fileno()).st_ino != path.stat().st_ino, "written in place"
    assert path.stat().st_mode & 0o777 == 0o600
