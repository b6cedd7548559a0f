"""Links from a task in Airflow's web UI to the pages of its run."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

PREFIX = "/mxtvhf"


class ReportLink(BaseOperatorLink):
    """The button "Report" on the tasks that make one."""

    name = "Report"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the report page of the task's run, preliminary or final as the task makes it."""
        page = getattr(operator, "report_page", "report.html")
        return f"{PREFIX}/runs/{quote(ti_key.run_id, safe='')}/{page}"


class DeskLink(BaseOperatorLink):
    """The button "Desk" on the tasks that the Burst Advocate follows."""

    name = "Desk"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the page of the task's run on the Burst Advocate's desk."""
        return f"{PREFIX}/desk/runs/{quote(ti_key.run_id, safe='')}"


class ComparisonLink(BaseOperatorLink):
    """The button "Comparison" on the tasks that compare replays with their originals."""

    name = "Comparison"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the table of all comparisons of the task's run."""
        return f"{PREFIX}/replays/{quote(ti_key.run_id, safe='')}"
