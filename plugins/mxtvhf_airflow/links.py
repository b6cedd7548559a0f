"""Links from a task in Airflow's web UI to the pages of its run.

The plugin registers them for operators, and the API server computes them from the run id. Links of an
operator itself would be pushed as XComs by each task, which takes a request for each link.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

from mxtvhf.workflow.airflow_api import DECISION_DAG_ID
from mxtvhf_airflow.addresses import PREFIX
from mxtvhf_airflow.operators.decision import AskBAOperator
from mxtvhf_airflow.operators.replay import CompareReportsOperator, NothingChangedOperator
from mxtvhf_airflow.operators.steps import (
    CrosscheckPositionsOperator,
    PreliminaryReportOperator,
    ReceptionMessageOperator,
    UpdateBAOperator,
)

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class ReportLink(BaseOperatorLink):
    """The button "Report" of the task that writes the final report."""

    operators: ClassVar[list[type[BaseOperator]]] = [UpdateBAOperator]
    name = "Report"
    page = "report.html"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address of the report page written by the task."""
        return f"{PREFIX}/runs/{quote(ti_key.run_id, safe='')}/{self.page}"


class PreliminaryReportLink(ReportLink):
    """The button "Report" of the task that writes the preliminary report."""

    operators: ClassVar[list[type[BaseOperator]]] = [PreliminaryReportOperator]
    page = "preliminary/report.html"


class DeskLink(BaseOperatorLink):
    """The button "Desk" of tasks that the Burst Advocate follows."""

    operators: ClassVar[list[type[BaseOperator]]] = [
        ReceptionMessageOperator,
        PreliminaryReportOperator,
        CrosscheckPositionsOperator,
        UpdateBAOperator,
    ]
    name = "Desk"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address of the task's run on the Burst Advocate's desk."""
        return f"{PREFIX}/desk/runs/{quote(ti_key.run_id, safe='')}"


class DecisionLink(BaseOperatorLink):
    """The button "Decision" of the tasks that ask the Burst Advocate."""

    operators: ClassVar[list[type[BaseOperator]]] = [AskBAOperator]
    name = "Decision"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address of the run of the decision, which has the same id as the task's run."""
        return f"/dags/{DECISION_DAG_ID}/runs/{quote(ti_key.run_id, safe='')}"


class ComparisonLink(BaseOperatorLink):
    """The button "Comparison" of tasks that compare replays with the original runs."""

    operators: ClassVar[list[type[BaseOperator]]] = [CompareReportsOperator, NothingChangedOperator]
    name = "Comparison"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address of the comparison table of the task's run."""
        return f"{PREFIX}/replays/{quote(ti_key.run_id, safe='')}"
