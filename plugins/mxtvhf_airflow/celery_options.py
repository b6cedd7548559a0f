"""Celery's options for the workers of an installation: Airflow's own, and what tasks need is preloaded.

Airflow imports the module that ``[celery] celery_config_options`` names in each process that uses Celery;
Celery sends ``worker_init`` in a worker only, before the processes of its pool are forked.
"""

from __future__ import annotations

from airflow.providers.celery.executors.default_celery import DEFAULT_CELERY_CONFIG
from celery.signals import worker_init

from mxtvhf_airflow.preload import preload

CELERY_CONFIG = DEFAULT_CELERY_CONFIG


def preload_worker(**_: object) -> None:
    """Preload before the processes of the pool are forked."""
    preload()


worker_init.connect(preload_worker)
