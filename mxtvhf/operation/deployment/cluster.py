"""The installation of ``make cluster``: all services on this machine, from an ordinary configuration file.

The services are started by the same entrypoint as in containers. Only PostgreSQL differs: it is the embedded
server, reached through a Unix socket.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from mxtvhf.errors import Failure
from mxtvhf.models.files import write_atomically
from mxtvhf.operation.deployment.configuration import Deployment, read_deployment
from mxtvhf.operation.deployment.health_target import check_service
from mxtvhf.operation.deployment.service import Service
from mxtvhf.operation.stack.access import password_of
from mxtvhf.operation.stack.airflow_config import (
    loopback_without_proxy,
    password_file,
    secret,
    user_passwords,
)
from mxtvhf.operation.stack.embedded import DAG_IDS, LOOPBACK, only_one, prepare_state, step
from mxtvhf.operation.stack.postgresql import EmbeddedPostgresql, embedded_postgresql
from mxtvhf.operation.stack.processes import ProcessGroup, stop_on_signals, wait_until
from mxtvhf.operation.stack.supervisor import supervise
from mxtvhf.settings import ADMIN
from mxtvhf.workflow.airflow_api import AirflowApi

SERVICES = (
    Service.GP,
    Service.SCHEDULER,
    Service.API_SERVER,
    Service.DAG_PROCESSOR,
    Service.TRIGGERER,
    Service.LISTEN,
)
START_S = 300.0
TEMPLATE = """\
# Written by `mxtvhf cluster`, for this machine only; docs/how-to/deploy.md.
state = {state}
airflow_url = {url}
airflow_password_file = {passwords}
nats_url = {nats_url}
nats_credentials = {nats_credentials}

[airflow]
project = {project}
listen = "127.0.0.1"
port = {port}
public_url = {url}
parallelism = 8
worker_concurrency = 2
fernet_key = {fernet}
jwt_secret = {jwt}

[database]
host = {database_host}
user = "postgres"
password = {database_password}

[redis]
host = "127.0.0.1"
port = {redis_port}
listen = "127.0.0.1"
data = {redis_data}
password = {redis_password}

[nats]
listen = "127.0.0.1"
port = {nats_port}
data = {nats_data}

[gp]
url = {gp_url}
listen = "127.0.0.1"
port = {gp_port}
send_event_file = true
"""


@dataclass(frozen=True)
class Cluster:
    """A running installation."""

    api: AirflowApi
    config: Path
    deployment: Deployment
    processes: ProcessGroup
    database: EmbeddedPostgresql


def run(folder: Path, *, project: Path, port: int, workers: int) -> int:
    """Run the cluster until Ctrl-C and return the exit status."""
    stop_on_signals()
    try:
        with native_cluster(folder, project=project, port=port, workers=workers) as cluster:
            deployment = cluster.deployment
            print(
                f"Airflow: {deployment.airflow_url}  user {ADMIN}, "
                f"passwords in {deployment.airflow_password_file}\n"
                f"Inbox:   {deployment.inbox}\nConfig:  {cluster.config}\nRunning; press Ctrl-C to stop.",
                file=sys.stderr,
            )
            supervise(cluster, threading.Event(), lambda line: print(line, file=sys.stderr))
    except KeyboardInterrupt:
        print("\nMXT-VHF: stopped", file=sys.stderr)
    return 0


@contextmanager
def native_cluster(folder: Path, *, project: Path, port: int, workers: int = 2) -> Iterator[Cluster]:
    """Run PostgreSQL, Redis, NATS, GP, the listener, Airflow and Celery workers within a context.

    Parameters
    ----------
    folder
        Folder of the configuration file ``mxtvhf.toml``, the secrets and all state. Existing files are
        reused.
    project
        The checkout with ``dags`` and ``plugins``.
    port
        Loopback port of Airflow, used if the configuration file does not exist yet.
    workers
        Number of Celery workers.

    Raises
    ------
    InvalidInput
        The configuration file is invalid.
    Failure
        A service did not start.
    """
    folder = folder.resolve()
    prepare_state(folder)
    os.environ.update(loopback_without_proxy())
    with ExitStack() as ending:
        ending.enter_context(only_one(folder))
        with step("PostgreSQL"):
            database = ending.enter_context(embedded_postgresql(folder / "postgres"))
        config = folder / "mxtvhf.toml"
        if not config.exists():
            write_configuration(config, project=project, port=port, database_uri=database.uri)
        deployment = read_deployment(config)
        environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"}  # Debian's nats-server
        processes = ending.enter_context(ProcessGroup(environment, folder / "log"))
        api = AirflowApi(
            deployment.airflow_url,
            ADMIN,
            password_of(ADMIN, deployment.airflow_password_file),
            ca=deployment.airflow_ca,
        )
        _start(processes, config, deployment, workers)
        with step("Airflow and its workers"):
            wait_until(api.serves_tasks, what="Airflow's API server", timeout=START_S, processes=processes)
            wait_until(api.is_healthy, what="Airflow", timeout=START_S, processes=processes)
            for dag_id in DAG_IDS:
                ready = partial(api.unpause, dag_id)
                wait_until(ready, what=f"DAG {dag_id}", timeout=START_S, processes=processes)
            for number in range(workers):
                _wait_for(Service.WORKER, deployment, processes, instance=worker_name(number))
        yield Cluster(api, config, deployment, processes, database)


def worker_name(number: int) -> str:
    """Return the name of a worker in Celery and of its log file."""
    return f"worker-{number + 1}"


def write_configuration(config: Path, *, project: Path, port: int, database_uri: str) -> None:
    """Write a configuration file for this machine, and create the missing secrets."""
    folder = config.parent
    secrets = folder / "secrets"
    user_passwords(folder, {Deployment.model_fields["intake_user"].default})
    for name in ("jwt", "postgres", "redis"):
        secret(secrets / name)
    fernet, nats = secrets / "fernet", secrets / "nats"
    _keep(fernet, f"{secret(secrets / 'fernet-bytes')}=")
    _keep(nats, f"mxtvhf:{secret(secrets / 'nats-password')}")
    redis_port, nats_port, gp_port = _free_ports(3)
    for name in (Service.REDIS, Service.NATS):
        (folder / name).mkdir(exist_ok=True)
    values = {
        "state": folder,
        "url": f"http://{LOOPBACK}:{port}",
        "port": port,
        "passwords": password_file(folder),
        "project": project,
        "fernet": fernet,
        "jwt": secrets / "jwt",
        "database_host": parse_qs(urlsplit(database_uri).query)["host"][0],
        "database_password": secrets / "postgres",
        "redis_port": redis_port,
        "redis_data": folder / "redis",
        "redis_password": secrets / "redis",
        "nats_url": f"nats://{LOOPBACK}:{nats_port}",
        "nats_credentials": nats,
        "nats_port": nats_port,
        "nats_data": folder / "nats",
        "gp_url": f"http://{LOOPBACK}:{gp_port}",
        "gp_port": gp_port,
    }
    # A JSON string is also a valid TOML string.
    text = TEMPLATE.format(
        **{key: value if isinstance(value, int) else json.dumps(str(value)) for key, value in values.items()}
    )
    write_atomically(config, text.encode())


def _keep(path: Path, text: str) -> None:
    if not path.exists():
        path.touch(0o600)
        path.write_text(text + "\n")


def _free_ports(number: int) -> list[int]:
    with ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in range(number)]
        for probe in sockets:
            probe.bind((LOOPBACK, 0))
        return [int(probe.getsockname()[1]) for probe in sockets]


def entrypoint(name: Service, config: Path, *options: str) -> list[str]:
    """Return the command that starts a service, the same as in its container."""
    return [sys.executable, "-m", "mxtvhf", "service", name, "--config", str(config), *options]


def _start(processes: ProcessGroup, config: Path, deployment: Deployment, workers: int) -> None:
    with step("Redis and NATS"):
        for name in (Service.REDIS, Service.NATS):
            processes.start(name, entrypoint(name, config))
            _wait_for(name, deployment, processes)
    with step("Airflow's database tables"):
        processes.run(Service.MIGRATE, entrypoint(Service.MIGRATE, config))
    for name in SERVICES:
        processes.start(name, entrypoint(name, config))
    for number in range(workers):
        instance = worker_name(number)
        processes.start(instance, entrypoint(Service.WORKER, config, "--instance", instance))


def _wait_for(
    name: Service, deployment: Deployment, processes: ProcessGroup, *, instance: str | None = None
) -> None:
    def works() -> bool:
        try:
            check_service(name, deployment, instance=instance)
        except Failure:
            return False
        return True

    wait_until(works, what=instance or name, timeout=START_S, processes=processes)
