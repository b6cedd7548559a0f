"""Links from a task in Airflow's web UI to the pages of its run."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from airflow.sdk import BaseOperatorLink
from airflow.sdk.configuration import conf as airflow_configuration

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

PREFIX = "/mxtvhf"


def web_address(path: str) -> str | None:
    """Return the address of one of our pages; None if the address of the web server is not configured."""
    base = str(airflow_configuration.get("api", "base_url", fallback="")).rstrip("/")
    return f"{base}{PREFIX}{path}" if base else None


def desk_url(burst_id: str, run_id: str) -> str | None:
    """Return the address of a run on the desk; None if the address of the web server is not configured."""
    return web_address(f"/desk/{burst_id}?{urlencode({'run': run_id})}")


class ReportLink(BaseOperatorLink):
    """The button "Report" of tasks that write a report."""

    name = "Report"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address of the report page written by the task, preliminary or final."""
        page = getattr(operator, "report_page", "report.html")
        return f"{PREFIX}/runs/{quote(ti_key.run_id, safe='')}/{page}"


class DeskLink(BaseOperatorLink):
    """The button "Desk" of tasks that the Burst Advocate follows."""

    name = "Desk"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address of the task's run on the Burst Advocate's desk."""
        return f"{PREFIX}/desk/runs/{quote(ti_key.run_id, safe='')}"


class ComparisonLink(BaseOperatorLink):
    """The button "Comparison" of tasks that compare replays with the original runs."""

    name = "Comparison"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address of the comparison table of the task's run."""
        return f"{PREFIX}/replays/{quote(ti_key.run_id, safe='')}"
