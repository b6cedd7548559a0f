"""Celery's options for the workers of an installation: Airflow's own, preloading, and a worker's heartbeat.

Airflow imports the module that ``[celery] celery_config_options`` names in each process that uses Celery.
Celery sends ``worker_init`` in a worker only, before the processes of its pool are forked, and
``heartbeat_sent`` every 2 s while it works.
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
    """Preload before the processes of the pool are forked."""
    preload()


def tell_health_check(**_: object) -> None:
    """Touch the file that ``mxtvhf-health worker`` looks at."""
    if path := os.environ.get(ALIVE_FILE):
        Path(path).touch()


worker_init.connect(preload_worker)
heartbeat_sent.connect(tell_health_check)
