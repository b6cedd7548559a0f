"""The services of an installation."""

from __future__ import annotations

from enum import StrEnum


class Service(StrEnum):
    """A service of an installation; PostgreSQL is not among them."""

    MIGRATE = "migrate"
    """Creates or upgrades Airflow's tables and ends."""
    API_SERVER = "api-server"
    SCHEDULER = "scheduler"
    DAG_PROCESSOR = "dag-processor"
    TRIGGERER = "triggerer"
    WORKER = "worker"
    """A Celery worker."""
    LISTEN = "listen"
    """The listener with the intake."""
    GP = "gp"
    """The reference GP."""
    REDIS = "redis"
    NATS = "nats"
