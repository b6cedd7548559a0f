"""The Celery configuration of Airflow's provider, and a worker's heartbeat for its health check.

``[celery] celery_config_options`` names `CELERY_CONFIG`: what Airflow offers for own settings of Celery.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from airflow.providers.celery.executors.default_celery import DEFAULT_CELERY_CONFIG
from celery.signals import heartbeat_sent

from mxtvhf.operation.deployment.service_health import ALIVE_FILE

CELERY_CONFIG = DEFAULT_CELERY_CONFIG


def tell_health_check(**_: Any) -> None:
    """Touch the file that ``mxtvhf-health worker`` looks at; Celery calls this every 2 s while it works."""
    if path := os.environ.get(ALIVE_FILE):
        Path(path).touch()


heartbeat_sent.connect(tell_health_check)
