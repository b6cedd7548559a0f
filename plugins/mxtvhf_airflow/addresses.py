"""Addresses of the pages of a run."""

from __future__ import annotations

from urllib.parse import urlencode

from airflow.sdk.configuration import conf as airflow_configuration

PREFIX = "/mxtvhf"


def web_address(path: str) -> str | None:
    """Return the address of one of our pages; None if the address of the web server is not configured."""
    base = str(airflow_configuration.get("api", "base_url", fallback="")).rstrip("/")
    return f"{base}{PREFIX}{path}" if base else None


def desk_url(burst_id: str, run_id: str) -> str | None:
    """Return the address of a run on the desk; None if the address of the web server is not configured."""
    return web_address(f"/desk/{burst_id}?{urlencode({'run': run_id})}")
