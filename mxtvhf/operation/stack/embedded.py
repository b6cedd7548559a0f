"""Start and stop of the embedded stack, with progress messages."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

from mxtvhf.errors import Failure
from mxtvhf.models.files import write_atomically
from mxtvhf.models.ids import RUN_DAG_IDS
from mxtvhf.operation.stack.access import address_file
from mxtvhf.operation.stack.airflow_config import (
    AIRFLOW,
    admin_password,
    airflow_environment,
    loopback_without_proxy,
    password_file,
    user_passwords,
)
from mxtvhf.operation.stack.postgresql import EmbeddedPostgresql, check_database_path, embedded_postgresql
from mxtvhf.operation.stack.processes import ProcessGroup, wait_until
from mxtvhf.settings import ADMIN, Role, Settings
from mxtvhf.workflow.airflow_api import DECISION_DAG_ID, AirflowApi
from mxtvhf.workflow.replay_request import REPLAY_DAG_ID

DAG_IDS = (*RUN_DAG_IDS, DECISION_DAG_ID, REPLAY_DAG_ID)
"""DAGs that are unpaused at the start. A user enables the nightly replay and the retention if wanted."""
LOOPBACK = "127.0.0.1"
FREE_DISK_BYTES = 500_000_000
"""Disk space for a first start (database 60 MB, logs, products) with a margin."""
GP_CONNECTION = "mxt_gp"
"""Id of the Airflow Connection of GP."""


@dataclass(frozen=True)
class Stack:
    """A running embedded stack."""

    api: AirflowApi
    url: str
    gp_url: str
    password: str
    password_file: Path
    processes: ProcessGroup
    database: EmbeddedPostgresql


@contextmanager
def embedded_stack(settings: Settings, *, project: Path, port: int, gp_port: int) -> Iterator[Stack]:
    """Run PostgreSQL, the reference GP and Airflow within a context, and end every process with it.

    Parameters
    ----------
    settings
        Settings with the path of the state folder. Its content is reused at the next start.
    project
        The checkout with ``dags`` and ``plugins``.
    port, gp_port
        Loopback ports of Airflow and of the reference GP.

    Raises
    ------
    Failure
        A port is in use, the disk is full, another stack uses the same state, or a process did not start.
    """
    state = settings.home
    url, gp_url = f"http://{LOOPBACK}:{port}", f"http://{LOOPBACK}:{gp_port}"
    prepare_state(state)
    print(f"MXT-VHF: starting (state in {state})", file=sys.stderr)
    os.environ.update(loopback_without_proxy())
    with ExitStack() as ending:
        ending.enter_context(only_one(state))
        for wanted in (port, gp_port):
            _check_port(wanted)
        with step("PostgreSQL"):
            database = ending.enter_context(embedded_postgresql(state / "postgres"))
        users: dict[str, Role] = {settings.intake_user: "robot", **settings.users}
        api = AirflowApi(url, ADMIN, user_passwords(state, users)[ADMIN])
        environment = airflow_environment(
            project=project,
            state=state,
            port=port,
            database_uri=database.uri,
            users=users,
            statsd=settings.statsd,
            otlp=settings.otlp,
        )
        environment |= settings.environment() | {"MXTVHF_STATE": str(state), "MXTVHF_AIRFLOW_URL": url}
        processes = ending.enter_context(ProcessGroup(environment, state / "log"))
        ending.callback(_stop, processes)
        with step("Airflow's database tables"):
            migrate(processes, state)
        with step("Airflow and the reference GP"):
            _start_services(processes, settings, gp_port)
            wait_until(api.serves_tasks, what="Airflow's API server", timeout=300, processes=processes)
            wait_until(api.is_healthy, what="Airflow", timeout=300, processes=processes)
        with step("DAGs and the connection to GP"):
            for dag_id in DAG_IDS:
                ready = partial(api.unpause, dag_id)
                wait_until(ready, what=f"DAG {dag_id}", timeout=240, processes=processes)
            _connect_gp(api, gp_url)
        # Commands of this state folder read the address, so that users need not give the port.
        write_atomically(address_file(state), f"{url}\n".encode())
        ending.callback(address_file(state).unlink, missing_ok=True)
        processes.start("listen", [sys.executable, "-m", "mxtvhf", "listen"])
        yield Stack(
            api=api,
            url=url,
            gp_url=gp_url,
            password=admin_password(state),
            password_file=password_file(state),
            processes=processes,
            database=database,
        )


def _stop(processes: ProcessGroup) -> None:
    with step("stopping all processes"):
        processes.stop()


def _connect_gp(api: AirflowApi, gp_url: str) -> None:
    """Set the Connection to the reference GP unless a user has set it to another machine."""
    wanted = gp_connection(gp_url)
    existing = api.connection(GP_CONNECTION)
    host = (existing or {}).get("host") or ""
    if existing is None or urlsplit(host if "://" in host else f"//{host}").hostname == LOOPBACK:
        api.put_connection(wanted)


def gp_connection(gp_url: str) -> dict[str, str | int | None]:
    """Return the Airflow Connection ``mxt_gp`` of the reference GP.

    Schema, host and port are separate fields, so that each can be changed in the web UI.
    """
    parts = urlsplit(gp_url)
    return {
        "connection_id": GP_CONNECTION,
        "conn_type": "http",
        "schema": parts.scheme,
        "host": parts.hostname,
        "port": parts.port,
        "description": "GP (General Program), here the reference GP of `mxtvhf gp`",
        "extra": '{"send_event_file": true}',
    }


def _start_services(processes: ProcessGroup, settings: Settings, gp_port: int) -> None:
    for folder in (settings.products, settings.inbox):
        folder.mkdir(parents=True, exist_ok=True)
    python = sys.executable
    processes.start(
        "gp",
        [python, "-m", "mxtvhf", "gp", "--port", str(gp_port), "--data", str(settings.products),
         "--state", str(settings.home / "gp")],
    )  # fmt: skip
    # Log servers listen on all addresses and are not needed: the API server reads the logs on disk.
    processes.start("scheduler", [*AIRFLOW, "scheduler", "--skip-serve-logs"])
    processes.start("api-server", [*AIRFLOW, "api-server"])
    processes.start("dag-processor", [*AIRFLOW, "dag-processor"])
    # Its supervisor waits up to 10 s for the end of a child that closed its sockets before it ended.
    processes.start("triggerer", [*AIRFLOW, "triggerer", "--skip-serve-logs"], misses_child=True)


def migrate(processes: ProcessGroup, state: Path) -> None:
    """Create or upgrade Airflow's tables, once per version of Airflow."""
    from importlib.metadata import version

    marker = state / "postgres" / "airflow-version"
    if marker.exists() and marker.read_text() == version("apache-airflow"):
        return
    processes.run("migrate", [*AIRFLOW, "db", "migrate"])
    marker.write_text(version("apache-airflow"))


@contextmanager
def step(what: str, stream: TextIO | None = None) -> Iterator[None]:
    """Print the name of a step and its duration."""
    out = stream or sys.stderr
    print(f"  {what} ...", end="", file=out, flush=True)
    start = time.monotonic()
    try:
        yield
    except BaseException:
        print(" failed", file=out, flush=True)
        raise
    print(f" {time.monotonic() - start:.1f} s", file=out, flush=True)


def prepare_state(state: Path) -> None:
    """Check the path of a state folder, create it and check its disk space.

    Raises
    ------
    InvalidInput
        The database cannot use the path of the folder.
    Failure
        The folder cannot be created, or its disk is full.
    """
    check_database_path(state)
    try:
        state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(f"{state}: the state folder cannot be created: {error.strerror}") from error
    free = shutil.disk_usage(state).free
    if free < FREE_DISK_BYTES:
        raise Failure(
            f"{state}: {free / 1e6:.0f} MB free on this disk; expected at least "
            f"{FREE_DISK_BYTES / 1e6:.0f} MB; free some space"
        )


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            reason = "in use by another program" if error.errno == errno.EADDRINUSE else error.strerror
            raise Failure(
                f"port {port}: {reason}; choose other ports with `make run PORT=8081 GP_PORT=8766`"
            ) from error


@contextmanager
def only_one(state: Path) -> Iterator[None]:
    """Hold the lock of a state folder, because two stacks on one folder would damage it.

    Raises
    ------
    Failure
        Another stack holds the lock.
    """
    with (state / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Failure(
                f"{state}: another `make run` or `make demo` uses this state folder; stop it or set "
                "MXTVHF_STATE"
            ) from error
        yield
