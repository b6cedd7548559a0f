"""The environment that makes Airflow a low-latency engine: each setting with its reason.

Airflow's defaults are a batch engine's: a dead worker is noticed after 5 minutes, the scheduler sleeps for a
second between two tasks. The figures behind the choices stand in ``docs/decisions/latency.md``.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from mxtvhf.errors import InvalidInput
from mxtvhf.models.files import write_atomically
from mxtvhf.settings import ADMIN, Role

LONGEST_TASK_S = 3600
"""A task that runs longer is ended, seconds."""


def secret(path: Path, length: int = 32) -> str:
    """Return the secret kept in a file, made at the first call, readable by its owner only (mode 0600)."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(length) + "\n")
    return path.read_text().strip()


def loopback_without_proxy() -> dict[str, str]:
    """Return ``NO_PROXY`` with loopback added: a proxy of the environment must not get what stays here."""
    given = ",".join(os.environ.get(name, "") for name in ("NO_PROXY", "no_proxy")).split(",")
    value = ",".join(sorted({*given, "127.0.0.1", "localhost"} - {""}))
    return {"NO_PROXY": value, "no_proxy": value}


def admin_password(state: Path) -> str:
    """Return the password of the user ``admin``, made at the first call."""
    return user_passwords(state)[ADMIN]


def user_passwords(state: Path, users: Iterable[str] = ()) -> dict[str, str]:
    """Return the passwords of ``admin`` and of further users; a missing one is made.

    They lie in the file from which Airflow's SimpleAuthManager reads, so that Airflow itself never makes one
    (it would print it into its log).
    """
    path = password_file(state)
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    missing = {ADMIN, *users} - known.keys()
    if missing:
        known |= {user: secrets.token_urlsafe(12) for user in sorted(missing)}
        write_atomically(path, json.dumps(known).encode(), mode=0o600)
    return known


def password_file(state: Path) -> Path:
    """Return the file of the passwords of the web UI, mode 0600."""
    return state / "secrets" / "passwords.json"


def metrics_environment(statsd: str | None, otlp: str | None) -> dict[str, str]:
    """Return the environment variables that make Airflow send its metrics; empty when nobody wants them.

    Parameters
    ----------
    statsd
        ``host:port`` of a StatsD server.
    otlp
        Base URL of an OpenTelemetry collector, which gets OTLP over HTTP. Airflow sends to one of the two.

    Raises
    ------
    InvalidInput
        Both are given.
    """
    if statsd and otlp:
        raise InvalidInput(
            "MXTVHF_STATSD and MXTVHF_OTLP: both are set; unset one, Airflow sends its metrics to one place"
        )
    if statsd:
        host, _, port = statsd.rpartition(":")
        return {
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": host,
            "AIRFLOW__METRICS__STATSD_PORT": port,
        }
    if otlp:
        return {
            "AIRFLOW__METRICS__OTEL_ON": "True",
            "OTEL_EXPORTER_OTLP_ENDPOINT": otlp,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        }
    return {}


Sections = Mapping[str, Mapping[str, object]]
"""Of Airflow's configuration: section, option, value."""


def common_sections(*, project: Path, state: Path) -> Sections:
    """Return what is the same for every installation: folders, timings, what is switched off.

    Parameters
    ----------
    project
        The folder with ``dags`` and ``plugins``.
    state
        The state folder; logs lie below it.
    """
    return {
        "core": {
            "dags_folder": project / "dags",
            "plugins_folder": project / "plugins",
            "load_examples": False,
            "max_active_runs_per_dag": 64,
            "max_active_tasks_per_dag": 64,
            "auth_manager": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
            "simple_auth_manager_passwords_file": password_file(state),
            "test_connection": "Disabled",
            # A sensor that nobody gave a limit must not wait for the default 7 days.
            "default_task_execution_timeout": LONGEST_TASK_S,
        },
        "database": {"load_default_connections": False},
        "api": {"workers": 1, "expose_config": False},
        "scheduler": {
            # At the default of 1 s a chain of 7 no-op tasks takes 8-9 s, at 0.1 s less than 2 s.
            "scheduler_idle_sleep_time": 0.1,
            # How soon a killed worker is noticed; the default of 300 s is a batch engine's.
            "task_instance_heartbeat_timeout": 60,
            "task_instance_heartbeat_sec": 5,
            "task_instance_heartbeat_timeout_detection_interval": 5,
            # How soon the tasks of a killed scheduler are taken up by the next one (default 300 s).
            "scheduler_heartbeat_sec": 2,
            "scheduler_health_check_threshold": 20,
            "orphaned_tasks_check_interval": 10,
            "task_queued_timeout": 60,
            "task_queued_timeout_check_interval": 10,
            "enable_health_check": False,
        },
        "workers": {
            # On a busy machine the API answers late; the default of 5 s then kills tasks.
            "execution_api_timeout": 30,
            # A worker that misses the end of its task's process asks again after this time (default 5 s).
            "min_heartbeat_interval": 1,
        },
        # How soon the waits of a killed triggerer are taken up by the next one (default 30 s).
        "triggerer": {"job_heartbeat_sec": 2, "triggerer_health_check_threshold": 10},
        "dag_processor": {
            # DAG files change by a new version of the project, not while it runs.
            "min_file_process_interval": 600,
            "refresh_interval": 300,
        },
        "logging": {
            "base_log_folder": state / "log" / "tasks",
            "dag_processor_child_process_log_directory": state / "log" / "dag_processor",
        },
        "usage_data_collection": {"enabled": False},
    }


def roles_text(users: Mapping[str, Role]) -> str:
    """Return ``admin`` and further users with their roles, as SimpleAuthManager reads them.

    It knows no robots: the least that may start runs there is ``user``.
    """
    roles = {**users, ADMIN: "admin"}
    return ",".join(f"{user}:{'user' if role == 'robot' else role}" for user, role in roles.items())


def as_variables(*parts: Sections) -> dict[str, str]:
    """Return the environment variables of sections; of an option given twice the later value counts."""
    return {
        f"AIRFLOW__{name.upper()}__{key.upper()}": str(value)
        for sections in parts
        for name, keys in sections.items()
        for key, value in keys.items()
    }


def process_environment(
    variables: Mapping[str, str], *, project: Path, state: Path, statsd: str | None, otlp: str | None
) -> dict[str, str]:
    """Return the environment of a process: the caller's without its Airflow, and what is given.

    Parameters
    ----------
    variables
        Airflow's configuration, of `as_variables`.
    project, state
        As for `common_sections`.
    statsd, otlp
        As for `metrics_environment`.
    """
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")}
    return {
        **inherited,
        **variables,
        **metrics_environment(statsd, otlp),
        "AIRFLOW_HOME": str(state / "airflow"),
        "MXTVHF_STATE": str(state),
        # For `[core] executor` and `[celery] celery_config_options`; Airflow itself adds the folder later.
        "PYTHONPATH": str(project / "plugins"),
        # A task has one core: more threads of numpy's would only get into each other's way.
        "OPENBLAS_NUM_THREADS": "1",
        **loopback_without_proxy(),
        "PYTHONUNBUFFERED": "1",
        # Its font cache, which takes 6 s to make: in a container the home folder can not keep it.
        "MPLCONFIGDIR": str(state / "matplotlib"),
    }


def airflow_environment(
    *,
    project: Path,
    state: Path,
    port: int,
    database_uri: str,
    users: Mapping[str, Role] | None = None,
    statsd: str | None = None,
    otlp: str | None = None,
) -> dict[str, str]:
    """Return the environment variables of all Airflow processes of the embedded stack.

    Parameters
    ----------
    project
        The checkout: its ``dags`` and ``plugins`` folders are used.
    state
        The state folder; logs, secrets and Airflow's own home lie below it.
    port
        Loopback port of the API server and web UI.
    database_uri
        SQLAlchemy URI of the metadata database.
    users
        Further users beside ``admin``, and their roles.
    statsd, otlp
        As for `metrics_environment`.
    """
    own: Sections = {
        "core": {
            "executor": "mxtvhf_airflow.executor.PreloadedLocalExecutor",
            # A small multiple of the cores: 8 workers ran 4 tasks/s where 4 ran 2, more only cost memory.
            "parallelism": 8,
            "execution_api_server_url": f"http://127.0.0.1:{port}/execution/",
            "simple_auth_manager_users": roles_text(users or {}),
            "fernet_key": secret(state / "secrets" / "fernet", 32) + "=",
        },
        "database": {"sql_alchemy_conn": database_uri},
        "api": {
            "host": "127.0.0.1",
            "port": port,
            "base_url": f"http://127.0.0.1:{port}",
            "secret_key": secret(state / "secrets" / "api"),
        },
        "api_auth": {"jwt_secret": secret(state / "secrets" / "jwt", 64)},
    }
    variables = as_variables(common_sections(project=project, state=state), own)
    return process_environment(variables, project=project, state=state, statsd=statsd, otlp=otlp)
