"""The services of an installation, by the names that its files and commands give them."""

from __future__ import annotations

from enum import StrEnum


class Service(StrEnum):
    """What an installation consists of, PostgreSQL aside."""

    MIGRATE = "migrate"
    """Creates or upgrades Airflow's tables and ends."""
    API_SERVER = "api-server"
    SCHEDULER = "scheduler"
    DAG_PROCESSOR = "dag-processor"
    TRIGGERER = "triggerer"
    WORKER = "worker"
    """A Celery worker."""
    LISTEN = "listen"
    """The intake."""
    GP = "gp"
    """The reference GP."""
    REDIS = "redis"
    NATS = "nats"
