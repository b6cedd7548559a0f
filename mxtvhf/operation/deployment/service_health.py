"""Whether a service works: what its container's health check asks, from inside that container."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from urllib.parse import urlsplit

from mxtvhf.errors import Failure, InvalidInput
from mxtvhf.intake.intake import alive_file
from mxtvhf.models.files import changed_at
from mxtvhf.operation.deployment.checks import secret_text
from mxtvhf.operation.deployment.configuration import Deployment
from mxtvhf.operation.deployment.database import database_cursor
from mxtvhf.operation.deployment.environment import QUEUE, redis_url
from mxtvhf.operation.deployment.service import Service

TIMEOUT_S = 5.0
OLDEST_HEARTBEAT_S = 30.0
"""Airflow's own limit, unless told otherwise (`scheduler_health_check_threshold`)."""


def check_service(name: Service, deployment: Deployment, *, instance: str | None = None) -> None:
    """Ask a service on this host.

    Raises
    ------
    InvalidInput
        Not a long-running service.
    Failure
        It does not answer, or its heartbeat has stopped; the message says why.
    """
    if name not in CHECKS:
        raise InvalidInput(f"{name}: ends by itself and has no health check")
    CHECKS[name](deployment, instance or socket.gethostname())


def _airflow_job(kind: str, deployment: Deployment, _instance: str) -> None:
    """Look at the heartbeat that the component leaves in the database."""
    import psycopg2

    # The latest start on this host counts: a container keeps its host name over a restart.
    ask = (
        "SELECT extract(epoch FROM now() - latest_heartbeat) FROM job"
        " WHERE job_type = %s AND hostname = %s AND state = 'running' ORDER BY latest_heartbeat DESC LIMIT 1"
    )
    try:
        with database_cursor(deployment.database) as cursor:
            cursor.execute(ask, (kind, socket.gethostname()))
            found = cursor.fetchone()
    except psycopg2.Error as error:
        raise Failure(f"{kind}: the database does not answer: {type(error).__name__}") from None
    if found is None or float(found[0]) > OLDEST_HEARTBEAT_S:
        raise Failure(f"{kind}: no heartbeat" + (f" for {float(found[0]):.0f} s" if found else ""))


def _worker(deployment: Deployment, instance: str) -> None:
    from celery import Celery

    with Celery(broker=redis_url(deployment.redis, QUEUE)) as app:
        if not app.control.ping(destination=[f"celery@{instance}"], timeout=TIMEOUT_S):
            raise Failure(f"worker {instance}: no answer")


def _redis(deployment: Deployment, _instance: str) -> None:
    import redis

    part = deployment.redis
    try:
        with redis.Redis(
            host=_here(part.listen),
            port=part.port,
            password=secret_text(part.password),
            socket_timeout=TIMEOUT_S,
        ) as client:
            client.ping()
    except redis.RedisError as error:
        raise Failure(f"redis: {error}") from None


def _nats(deployment: Deployment, _instance: str) -> None:
    from mxtvhf.reporting.messages.connection import connect

    async def ask() -> None:
        client = await connect(
            str(deployment.nats_url), deployment.nats_credentials, tls=deployment.nats_tls, name="health"
        )
        await client.jetstream().account_info()
        await client.close()

    asyncio.run(ask())


def _http(url: str) -> None:
    import requests

    try:
        requests.get(url, timeout=TIMEOUT_S).raise_for_status()
    except requests.RequestException as error:
        raise Failure(f"{url}: {type(error).__name__}") from None


def _api_server(deployment: Deployment, _instance: str) -> None:
    part = deployment.airflow
    # The face that tasks report to: Airflow makes it at its first request, and no alert should wait for that.
    if part.certificate is None:
        _http(f"http://{_here(part.listen)}:{part.port}/execution/health")
    else:
        _https_here(deployment, "/execution/health")


def _https_here(deployment: Deployment, path: str) -> None:
    """Ask the API server of this host, by the name that its certificate is for."""
    import urllib3

    part, name = deployment.airflow, urlsplit(deployment.airflow_url).hostname
    ca = None if deployment.airflow_ca is None else str(deployment.airflow_ca)
    try:
        with urllib3.HTTPSConnectionPool(
            _here(part.listen),
            part.port,
            ca_certs=ca,
            server_hostname=name,
            assert_hostname=name,
            timeout=TIMEOUT_S,
            retries=False,
        ) as pool:
            status = pool.request("GET", path).status
    except urllib3.exceptions.HTTPError as error:
        raise Failure(f"https://{name}:{part.port}{path}: {error}") from None
    if status != HTTPStatus.OK:
        raise Failure(f"https://{name}:{part.port}{path}: HTTP {status}")


def _gp(deployment: Deployment, _instance: str) -> None:
    _http(f"http://{_here(deployment.gp.listen)}:{deployment.gp.port}/health")


def _listen(deployment: Deployment, instance: str) -> None:
    last_round = changed_at(alive_file(deployment.archive))
    if last_round is None:
        raise Failure(f"listen on {instance}: the intake has not made a round yet")
    age = time.time() - last_round
    if age > OLDEST_HEARTBEAT_S:
        raise Failure(f"listen on {instance}: no round of the intake for {age:.0f} s")


def _here(listen: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen, listen)  # noqa: S104


CHECKS: dict[Service, Callable[[Deployment, str], None]] = {
    Service.API_SERVER: _api_server,
    Service.SCHEDULER: partial(_airflow_job, "SchedulerJob"),
    Service.DAG_PROCESSOR: partial(_airflow_job, "DagProcessorJob"),
    Service.TRIGGERER: partial(_airflow_job, "TriggererJob"),
    Service.WORKER: _worker,
    Service.LISTEN: _listen,
    Service.GP: _gp,
    Service.REDIS: _redis,
    Service.NATS: _nats,
}
