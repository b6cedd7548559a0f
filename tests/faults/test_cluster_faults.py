"""Faults of an installation with Celery workers: killed workers and a killed Redis."""

import os
import signal
from contextlib import suppress

import psutil
import pytest

from faults.trial import ALERTS
from mxtvhf.operation.deployment.cluster import worker_name
from mxtvhf.operation.stack.processes import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(7200)]


def test_a_killed_celery_worker_with_all_that_it_does(cluster_trial, cluster):
    def kill():
        worker = psutil.Process(cluster.processes.pid(worker_name(0)))

        def tasks():
            # Below the pool's processes, which are always there.
            return [task for pool in worker.children() for task in pool.children(recursive=True)]

        wait_until(lambda: bool(tasks()), what="a task on it", timeout=120)
        for process in [worker, *worker.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        wait_until(
            lambda: cluster.processes.pid(worker_name(0)) != worker.pid, what=worker_name(0), timeout=60
        )

    cluster_trial.endure("SIGKILL of a Celery worker and its tasks", ALERTS, kill)


def test_killed_redis(cluster_trial, cluster):
    def kill():
        killed = cluster.processes.pid("redis")
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: cluster.processes.pid("redis") != killed, what="redis", timeout=60)

    cluster_trial.endure("SIGKILL of Redis", ALERTS, kill)
