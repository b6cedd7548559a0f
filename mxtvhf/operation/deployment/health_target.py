"""Description of each service's health check, made from the configuration."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from mxtvhf.errors import InvalidInput
from mxtvhf.models.files import write_atomically
from mxtvhf.operation.deployment.configuration import Deployment
from mxtvhf.operation.deployment.environment import database_uri
from mxtvhf.operation.deployment.service import Service
from mxtvhf.operation.deployment.service_health import Target, check, runtime_folder, target_file


def check_service(name: Service, deployment: Deployment, *, instance: str | None = None) -> None:
    """Check the health of a service on this host.

    Raises
    ------
    InvalidInput
        The service is not long-running.
    Failure
        The service does not answer, or its heartbeat has stopped. The message gives the reason.
    """
    if name not in TARGETS:
        raise InvalidInput(f"{name}: not a long-running service; it has no health check")
    check(TARGETS[name](deployment, instance or socket.gethostname()))


def write_target(name: Service, deployment: Deployment, instance: str) -> None:
    """Write the file from which ``mxtvhf-health`` learns how to check this process.

    The file contains no secret, only the names of files with secrets.
    """
    path = target_file(name)
    path.with_suffix(".failures").unlink(missing_ok=True)
    target = {"pid": os.getpid(), **TARGETS[name](deployment, instance)}
    write_atomically(path, json.dumps(target).encode(), mode=0o600)


def alive_file(name: Service, deployment: Deployment, instance: str) -> Path:
    """Return the file that a worker or listener touches while it works. Each instance has its own."""
    installation = hashlib.sha256(str(deployment.home).encode()).hexdigest()[:8]
    return runtime_folder() / f"{installation}-{name}-{instance}.alive"


def _heartbeat_in_database(job: str, deployment: Deployment, _instance: str) -> Target:
    uri = urlsplit(database_uri(deployment.database).replace("+psycopg2", "", 1))
    login, _, place = uri.netloc.rpartition("@")
    without_password = uri._replace(netloc=f"{login.partition(':')[0]}@{place}").geturl()
    password_file = str(deployment.database.password)
    host = socket.gethostname()
    return {
        "kind": "database",
        "job": job,
        "host": host,
        "uri": without_password,
        "password_file": password_file,
    }


def _heartbeat_file(name: Service, deployment: Deployment, instance: str) -> Target:
    return {"kind": "file", "path": str(alive_file(name, deployment, instance))}


def _api_server(deployment: Deployment, _instance: str) -> Target:
    part = deployment.airflow
    # The execution API, to which tasks report. Airflow creates it at the first request, and the check
    # makes this request, so that no alert has to wait for it.
    scheme = "http" if part.certificate is None else "https"
    return {"kind": "http", "url": f"{scheme}://{_here(part.listen)}:{part.port}/execution/health"}


def _gp(deployment: Deployment, _instance: str) -> Target:
    return {"kind": "http", "url": f"http://{_here(deployment.gp.listen)}:{deployment.gp.port}/health"}


def _redis(deployment: Deployment, _instance: str) -> Target:
    part = deployment.redis
    password_file = str(part.password)
    return {"kind": "redis", "host": _here(part.listen), "port": part.port, "password_file": password_file}


def _nats(deployment: Deployment, _instance: str) -> Target:
    if deployment.nats is None:
        raise InvalidInput("service nats: the table [nats] is missing in the configuration file; add it")
    return {"kind": "nats", "host": _here(deployment.nats.listen), "port": deployment.nats.port}


def _here(listen: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen, listen)  # noqa: S104


TARGETS: dict[Service, Callable[[Deployment, str], Target]] = {
    Service.API_SERVER: _api_server,
    Service.SCHEDULER: partial(_heartbeat_in_database, "SchedulerJob"),
    Service.DAG_PROCESSOR: partial(_heartbeat_in_database, "DagProcessorJob"),
    Service.TRIGGERER: partial(_heartbeat_in_database, "TriggererJob"),
    Service.WORKER: partial(_heartbeat_file, Service.WORKER),
    Service.LISTEN: partial(_heartbeat_file, Service.LISTEN),
    Service.GP: _gp,
    Service.REDIS: _redis,
    Service.NATS: _nats,
}
"""Functions that describe the health check, by service. Services that are not long-running have none."""
