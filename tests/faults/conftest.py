"""A supervised stack with NATS in which things die, and a Burst Advocate who approves whatever is asked.

Not part of ``make test``: ``make test-faults`` runs it and prints the table of ``docs/faults.md``.
"""

import os
import subprocess
import threading
from contextlib import contextmanager

import pytest
from advocate import Advocate
from airflowruns import PROJECT, state_folder
from natsserver import NatsServer, free_port
from trial import Trial

from mxtvhf.settings import Settings
from mxtvhf.stack.embedded import embedded_stack
from mxtvhf.stack.supervision import supervise

PRODUCTS_MB = 500
_rows = pytest.StashKey[list]()


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory):
    with NatsServer(tmp_path_factory.mktemp("nats")) as server:
        yield server


@contextmanager
def small_disk(folder):
    """Mount a small file system for the products, where we may."""
    folder.mkdir(parents=True)
    if os.getuid() != 0:
        yield
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={PRODUCTS_MB}m", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture(scope="session")
def settings(nats_server):
    with state_folder() as state:
        here = Settings(
            state=state, nats_url=nats_server.url, intake={"quiet_seconds": 7200, "close_seconds": 14400}
        )
        with small_disk(here.products):
            yield here


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def trial(stack, settings, nats_server, tmp_path_factory, pytestconfig):
    """Give what lets alerts come, something break, and counts the reports."""
    pytestconfig.stash[_rows] = rows = []
    return Trial(stack, settings, nats_server, tmp_path_factory.mktemp("bursts"), rows)


def pytest_terminal_summary(terminalreporter, config):
    rows = config.stash.get(_rows, [])
    if rows:
        terminalreporter.section("faults")
        columns = list(rows[0])
        terminalreporter.write_line(f"| {' | '.join(columns)} |")
        terminalreporter.write_line("|---" * len(columns) + "|")
        for row in rows:
            terminalreporter.write_line(f"| {' | '.join(str(row[column]) for column in columns)} |")
