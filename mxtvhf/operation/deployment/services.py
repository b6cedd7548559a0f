"""Start of the services of an installation, all from one configuration file by one entrypoint."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable
from typing import NoReturn

from mxtvhf.errors import InvalidInput
from mxtvhf.models.files import write_atomically
from mxtvhf.operation.deployment.checks import passwords_of
from mxtvhf.operation.deployment.configuration import Deployment, warnings_of
from mxtvhf.operation.deployment.database import wait_for_database, wait_for_tables
from mxtvhf.operation.deployment.environment import service_environment
from mxtvhf.operation.deployment.health_target import TARGETS, alive_file, write_target
from mxtvhf.operation.deployment.logins import FAB_ROLES, write_fab_config
from mxtvhf.operation.deployment.migrations import wait_for_migrations
from mxtvhf.operation.deployment.servers import in_memory, nats_configuration, redis_configuration
from mxtvhf.operation.deployment.service import Service
from mxtvhf.operation.deployment.service_health import ALIVE_FILE
from mxtvhf.operation.stack.airflow_config import AIRFLOW, password_file

MXTVHF = (sys.executable, "-m", "mxtvhf")
# Log servers listen on all addresses and are not needed: the API server reads logs in the state folder.
NO_LOG_SERVER = "--skip-serve-logs"


def run_service(name: Service, deployment: Deployment, *, instance: str | None = None) -> NoReturn:
    """Replace this process by the program of a service.

    Parameters
    ----------
    name
        The service.
    deployment
        The installation.
    instance
        Name of this worker; by default the host name.

    Raises
    ------
    InvalidInput
        The installation lacks this service or something that it needs.
    Failure
        Airflow's tables are missing or have another version, the database rejects the login, or its encoding
        is not UTF-8.
    """
    for line in warnings_of(deployment):
        print(f"{name}: warning: {line}", file=sys.stderr)
    instance = instance or socket.gethostname()
    if name in TARGETS:
        write_target(name, deployment, instance)
    if name in OF_AIRFLOW:
        wait_for_tables(deployment.database)
    command = SERVICES[name](deployment, instance)
    environment = dict(os.environ) if name in SERVERS else service_environment(deployment)
    if name in OF_AIRFLOW:
        wait_for_migrations(deployment.database)
    alive = {ALIVE_FILE: str(alive_file(name, deployment, instance))}
    os.execvpe(command[0], command, environment | alive)  # noqa: S606


def _migrate(deployment: Deployment, _instance: str) -> list[str]:
    wait_for_database(deployment.database)
    for folder in (deployment.products, deployment.inbox, deployment.inputs):
        folder.mkdir(parents=True, exist_ok=True)
    if deployment.auth.manager != "fab":
        return [*AIRFLOW, "db", "migrate"]
    write_fab_config(deployment.auth, deployment.fab_config)
    roles = {user: FAB_ROLES[role] for user, role in deployment.accounts.items()}
    accounts = [f"{user}={role}" for user, role in roles.items()]
    return [
        sys.executable,
        "-m",
        "mxtvhf_airflow.accounts",
        str(deployment.airflow_password_file),
        *accounts,
    ]


def _api_server(deployment: Deployment, _instance: str) -> list[str]:
    """Return the command of the API server.

    Airflow needs write access to its password file, but secrets are read-only. It therefore gets a copy.
    """
    if deployment.auth.manager == "fab":
        write_fab_config(deployment.auth, deployment.fab_config)
    if deployment.auth.manager != "simple":
        return [*AIRFLOW, "api-server"]
    passwords = passwords_of(deployment.airflow_password_file, deployment.accounts)
    path = password_file(deployment.home)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Written atomically: if both paths are the same, other services may be reading the file.
    write_atomically(path, json.dumps(passwords).encode(), mode=0o600)
    return [*AIRFLOW, "api-server"]


def _scheduler(_deployment: Deployment, _instance: str) -> list[str]:
    return [*AIRFLOW, "scheduler", NO_LOG_SERVER]


def _dag_processor(_deployment: Deployment, _instance: str) -> list[str]:
    return [*AIRFLOW, "dag-processor"]


def _triggerer(_deployment: Deployment, _instance: str) -> list[str]:
    return [*AIRFLOW, "triggerer", NO_LOG_SERVER]


def _worker(_deployment: Deployment, instance: str) -> list[str]:
    return [*AIRFLOW, "celery", "worker", NO_LOG_SERVER, "--celery-hostname", instance]


def _listen(_deployment: Deployment, _instance: str) -> list[str]:
    return [*MXTVHF, "listen"]


def _gp(deployment: Deployment, _instance: str) -> list[str]:
    deployment.products.mkdir(parents=True, exist_ok=True)
    folders = ["--data", str(deployment.products), "--state", str(deployment.home / "gp")]
    return [*MXTVHF, "gp", "--host", deployment.gp.listen, "--port", str(deployment.gp.port), *folders]


def _redis(deployment: Deployment, _instance: str) -> list[str]:
    return ["redis-server", in_memory(redis_configuration(deployment.redis))]


def _nats(deployment: Deployment, _instance: str) -> list[str]:
    if deployment.nats is None:
        raise InvalidInput("service nats: the table [nats] is missing in the configuration file; add it")
    configuration = nats_configuration(deployment.nats, deployment.nats_credentials)
    return ["nats-server", "-c", in_memory(configuration)]


SERVICES: dict[Service, Callable[[Deployment, str], list[str]]] = {
    Service.MIGRATE: _migrate,
    Service.API_SERVER: _api_server,
    Service.SCHEDULER: _scheduler,
    Service.DAG_PROCESSOR: _dag_processor,
    Service.TRIGGERER: _triggerer,
    Service.WORKER: _worker,
    Service.LISTEN: _listen,
    Service.GP: _gp,
    Service.REDIS: _redis,
    Service.NATS: _nats,
}
"""Functions that prepare a service and return its command, by service."""
OF_AIRFLOW = (Service.API_SERVER, Service.SCHEDULER, Service.DAG_PROCESSOR, Service.TRIGGERER)
"""Services that use Airflow's tables."""
SERVERS = (Service.REDIS, Service.NATS)
"""Third-party servers, which need none of our environment variables."""
