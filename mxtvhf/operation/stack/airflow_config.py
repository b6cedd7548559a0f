"""The Airflow settings for low latency, each with its reason.

Airflow's defaults suit batch processing: a dead worker is noticed after 5 minutes, and the scheduler sleeps
for a second between two tasks. ``docs/decisions/latency.md`` has the measurements behind the choices.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from mxtvhf.errors import InvalidInput
from mxtvhf.models.files import write_atomically
from mxtvhf.settings import ADMIN, Role

AIRFLOW = (sys.executable, "-m", "mxtvhf_airflow")
"""Command of Airflow's long-running processes; needs `process_environment`."""
LONGEST_TASK_S = 3600
"""Longest run time of a task, seconds. Airflow ends a task that runs longer."""


def secret(path: Path, length: int = 32) -> str:
    """Return the secret in a file with mode 0600, which the first call creates."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(length) + "\n")
    return path.read_text().strip()


def loopback_without_proxy() -> dict[str, str]:
    """Return ``NO_PROXY`` with loopback added, so that a proxy does not get local requests."""
    given = ",".join(os.environ.get(name, "") for name in ("NO_PROXY", "no_proxy")).split(",")
    value = ",".join(sorted({*given, "127.0.0.1", "localhost"} - {""}))
    return {"NO_PROXY": value, "no_proxy": value}


def admin_password(state: Path) -> str:
    """Return the password of the user ``admin``, which the first call creates."""
    return user_passwords(state)[ADMIN]


def user_passwords(state: Path, users: Iterable[str] = ()) -> dict[str, str]:
    """Return the passwords of ``admin`` and of further users, and create the missing ones.

    The passwords are in the file that Airflow's SimpleAuthManager reads. Airflow itself therefore never
    creates a password, which it would print into its log.
    """
    path = password_file(state)
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    missing = {ADMIN, *users} - known.keys()
    if missing:
        known |= {user: secrets.token_urlsafe(12) for user in sorted(missing)}
        write_atomically(path, json.dumps(known).encode(), mode=0o600)
    return known


def password_file(state: Path) -> Path:
    """Return the path of the password file of the web UI (mode 0600)."""
    return state / "secrets" / "passwords.json"


def metrics_environment(statsd: str | None, otlp: str | None) -> dict[str, str]:
    """Return the environment variables that make Airflow send its metrics; empty without a receiver.

    Parameters
    ----------
    statsd
        ``host:port`` of a StatsD server.
    otlp
        Base URL of an OpenTelemetry collector, which receives OTLP over HTTP.

    Raises
    ------
    InvalidInput
        Both are given, but Airflow supports only one receiver.
    """
    if statsd and otlp:
        raise InvalidInput(
            "MXTVHF_STATSD and MXTVHF_OTLP are both set; unset one, since Airflow has one place for metrics"
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
"""Airflow's configuration: section, option, value."""


def common_sections(*, project: Path, state: Path) -> Sections:
    """Return the settings common to all installations: folders, timings and disabled features.

    Parameters
    ----------
    project
        The folder with ``dags`` and ``plugins``.
    state
        The state folder, which contains the logs.
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
            # Limits sensors without a timeout of their own, whose default is 7 days.
            "default_task_execution_timeout": LONGEST_TASK_S,
        },
        "database": {
            "load_default_connections": False,
            # The stack and `mxtvhf migrate` compare the tables with the installed version before the services
            # start. Airflow would do so again in each of them: 0.5 s of CPU time.
            "check_migrations": False,
        },
        "api": {"workers": 1, "expose_config": False},
        "scheduler": {
            # Time until a killed worker is noticed (default 300 s).
            "task_instance_heartbeat_timeout": 60,
            "task_instance_heartbeat_sec": 5,
            "task_instance_heartbeat_timeout_detection_interval": 5,
            # Time until the next scheduler adopts the tasks of a killed one (default 300 s).
            "scheduler_heartbeat_sec": 2,
            "scheduler_health_check_threshold": 20,
            "orphaned_tasks_check_interval": 10,
            "task_queued_timeout": 60,
            "task_queued_timeout_check_interval": 10,
            "enable_health_check": False,
        },
        "workers": {
            # The default of 5 s kills tasks on a busy machine, where the API answers late.
            "execution_api_timeout": 30,
            # Time after which a worker checks again for the end of its task's process (default 5 s).
            "min_heartbeat_interval": 1,
        },
        # Time until the next triggerer adopts the triggers of a killed one (default 30 s).
        "triggerer": {"job_heartbeat_sec": 2, "triggerer_health_check_threshold": 10},
        "dag_processor": {
            # DAG files change only with a new version of the project, not while it runs.
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
    """Return ``admin`` and further users with their roles in the form of SimpleAuthManager.

    SimpleAuthManager has no role for robots. The least privileged role that may start runs is ``user``.
    """
    roles = {**users, ADMIN: "admin"}
    return ",".join(f"{user}:{'user' if role == 'robot' else role}" for user, role in roles.items())


def as_variables(*parts: Sections) -> dict[str, str]:
    """Return the environment variables of configuration sections. Later values override earlier ones."""
    return {
        f"AIRFLOW__{name.upper()}__{key.upper()}": str(value)
        for sections in parts
        for name, keys in sections.items()
        for key, value in keys.items()
    }


def process_environment(
    variables: Mapping[str, str], *, project: Path, state: Path, statsd: str | None, otlp: str | None
) -> dict[str, str]:
    """Return the environment of a process: that of the caller with Airflow's variables replaced.

    Parameters
    ----------
    variables
        Airflow's configuration from `as_variables`.
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
        # For `[core] executor` and `[celery] celery_config_options`, because Airflow adds the folder later.
        "PYTHONPATH": str(project / "plugins"),
        # A task has one core, so more threads of numpy would only compete with each other.
        "OPENBLAS_NUM_THREADS": "1",
        **loopback_without_proxy(),
        "PYTHONUNBUFFERED": "1",
        # The font cache takes 6 s to create and cannot be stored in the home folder of a container.
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
        The checkout with ``dags`` and ``plugins``.
    state
        The state folder with logs, secrets and Airflow's own home.
    port
        Loopback port of the API server and web UI.
    database_uri
        SQLAlchemy URI of the metadata database.
    users
        Users in addition to ``admin``, with their roles.
    statsd, otlp
        As for `metrics_environment`.
    """
    own: Sections = {
        "core": {
            "executor": "mxtvhf_airflow.executor.PreloadedLocalExecutor",
            # On 2 cores 8 workers ran 4 tasks/s and 4 workers 2 tasks/s. More workers only cost memory.
            "parallelism": 8,
            "execution_api_server_url": f"http://127.0.0.1:{port}/execution/",
            "simple_auth_manager_users": roles_text(users or {}),
            "fernet_key": secret(state / "secrets" / "fernet", 32) + "=",
        },
        # The executor waits instead, until it is woken.
        "scheduler": {"scheduler_idle_sleep_time": 0},
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
