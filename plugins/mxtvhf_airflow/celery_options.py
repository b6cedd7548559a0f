"""Celery options of the workers: Airflow's own options, preloading, and the heartbeat of a worker.

Each process that uses Celery imports the module named by ``[celery] celery_config_options``. Celery sends
``worker_init`` only in a worker, before its pool is forked, and ``heartbeat_sent`` every 2 s.
"""

from __future__ import annotations

import os
from pathlib import Path

from airflow.providers.celery.executors.default_celery import DEFAULT_CELERY_CONFIG
from celery.signals import heartbeat_sent, worker_init

from mxtvhf.operation.deployment.service_health import ALIVE_FILE
from mxtvhf_airflow.preload import preload

CELERY_CONFIG = DEFAULT_CELERY_CONFIG


def preload_worker(**_: object) -> None:
    """Preload modules before the pool is forked."""
    preload()


def tell_health_check(**_: object) -> None:
    """Touch the file that ``mxtvhf-health worker`` checks."""
    if path := os.environ.get(ALIVE_FILE):
        Path(path).touch()


worker_init.connect(preload_worker)
heartbeat_sent.connect(tell_health_check)
