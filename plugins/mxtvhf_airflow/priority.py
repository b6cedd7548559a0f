"""The order of tasks when there are more of them than workers.

Live alerts run before tests, and tests before replays. Of several alerts the one nearest to its report
goes first, so that the first report of a storm comes early. The question to the Burst Advocate and the
announcement follow a report: their tasks go before all tasks of the analyses of their kind.

Airflow asks for the weight of a task when the run is created, with the ids of run and DAG and without the
run's configuration. So a test alert that a person starts in the DAG for live alerts has the weight of a live
one; everywhere else it counts as a test.

Airflow stores the class path of ``LiveAlertsFirst`` with every version of a DAG, and cannot read a stored DAG
whose class is gone: neither the class nor this module may be renamed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.task.priority_strategy import PriorityWeightStrategy

from mxtvhf.models.ids import RunKind, kind_of_run
from mxtvhf.workflow.airflow_api import DECISION_DAG_ID

if TYPE_CHECKING:
    from airflow.models.taskinstance import TaskInstance

WEIGHTS = {RunKind.LIVE: 2000, RunKind.TEST: 1000, RunKind.REPLAY: 0}
"""Far apart: a run has fewer tasks than lie between two kinds."""
DECISION = 500
"""Added for the tasks of a decision: more than an analysis has tasks, less than lies between two kinds."""


class LiveAlertsFirst(PriorityWeightStrategy):
    """Weight of a task: its run's kind, then analysis or decision, then the number of tasks before it."""

    def get_weight(self, ti: TaskInstance) -> int:
        """Return the weight; the task with the highest goes first."""
        before = ti.task.get_flat_relative_ids(upstream=True) if ti.task else ()
        decision = DECISION if ti.dag_id == DECISION_DAG_ID else 0
        return WEIGHTS[kind_of_run(ti.run_id, ti.dag_id)] + decision + len(before)

    def __repr__(self) -> str:
        """Return the class path: stored with the DAG, where an address in memory would be a new version."""
        return f"{type(self).__module__}.{type(self).__qualname__}()"
