"""A supervised stack with NATS in which things die, and a Burst Advocate who approves whatever is asked.

Beside it an installation with Celery workers.

Not part of ``make test``: ``make test-faults`` runs it and prints the table of
``docs/explanation/recovery.md``.
"""

import os
import subprocess
import threading
from contextlib import contextmanager

import pytest

from faults.advocate import Advocate
from faults.trial import Trial
from mxtvhf.operation.deployment.cluster import native_cluster
from mxtvhf.operation.stack.access import password_of
from mxtvhf.operation.stack.embedded import embedded_stack
from mxtvhf.operation.stack.supervisor import supervise
from mxtvhf.settings import ADMIN, Settings
from mxtvhf.workflow.airflow_api import AirflowApi
from support.airflow_runs import state_folder
from support.nats_server import NatsServer, free_port
from support.project import PROJECT

_rows = pytest.StashKey[list]()


@pytest.fixture(scope="module")
def nats_server(tmp_path_factory):
    with NatsServer(tmp_path_factory.mktemp("nats")) as server:
        yield server


@contextmanager
def own_disk(folder):
    """Mount a file system for the products if allowed; a test shrinks it to the size of its content."""
    folder.mkdir(parents=True)
    if os.getuid() != 0:
        yield
        return
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture(scope="module")
def settings(nats_server):
    with state_folder() as state:
        here = Settings(
            state=state, nats_url=nats_server.url, intake={"quiet_seconds": 7200, "close_seconds": 14400}
        )
        with own_disk(here.products):
            yield here


@pytest.fixture(scope="module")
def stack(settings):
    stop = threading.Event()
    with embedded_stack(settings, project=PROJECT, port=free_port(), gp_port=free_port()) as running:
        helpers = [
            threading.Thread(target=supervise, args=(running, stop), name="supervisor"),
            threading.Thread(target=Advocate(running).work, args=(stop,), name="Burst Advocate"),
        ]
        for helper in helpers:
            helper.start()
        yield running
        stop.set()
        for helper in helpers:
            helper.join()


@pytest.fixture(scope="module")
def trial(stack, settings, tmp_path_factory, rows):
    """Return the object that sends alerts, breaks a part and counts the reports."""
    # The supervisor's thread has the other session.
    api = AirflowApi(stack.url, ADMIN, stack.password)
    return Trial(api, settings, tmp_path_factory.mktemp("bursts"), rows)


@pytest.fixture(scope="session")
def rows(pytestconfig):
    """Of the table that is printed at the end."""
    return pytestconfig.stash.setdefault(_rows, [])


@pytest.fixture(scope="module")
def cluster():
    stop = threading.Event()
    with (
        state_folder() as folder,
        native_cluster(folder, project=PROJECT, port=free_port(), workers=2) as running,
    ):
        supervisor = threading.Thread(target=supervise, args=(running, stop), name="supervisor")
        supervisor.start()
        yield running
        stop.set()
        supervisor.join()


@pytest.fixture(scope="module")
def cluster_trial(cluster, tmp_path_factory, rows):
    """Return the same for the installation with Celery workers."""
    deployment = cluster.deployment
    password = password_of(ADMIN, deployment.airflow_password_file)
    api = AirflowApi(deployment.airflow_url, ADMIN, password)
    return Trial(api, deployment, tmp_path_factory.mktemp("bursts"), rows)


def pytest_terminal_summary(terminalreporter, config):
    rows = config.stash.get(_rows, [])
    if rows:
        terminalreporter.section("faults")
        columns = list(rows[0])
        terminalreporter.write_line(f"| {' | '.join(columns)} |")
        terminalreporter.write_line("|---" * len(columns) + "|")
        for row in rows:
            terminalreporter.write_line(f"| {' | '.join(str(row[column]) for column in columns)} |")
