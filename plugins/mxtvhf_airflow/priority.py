"""The priority of tasks when more tasks are due than workers are free.

Live alerts run before tests, and tests before replays. Of several alerts, the one closest to its report runs
first, so that the first report of an alert storm is early. The question to the Burst Advocate and the
announcement have priority over all analyses of the same kind, because they follow a report.

Airflow computes the weight of a task when the run is created, from the ids of the run and the DAG and without
the configuration. A test alert that a user starts in the DAG for live alerts therefore has the weight of a
live alert. Everywhere else it counts as a test.

Airflow stores the class path of ``LiveAlertsFirst`` with every version of a DAG and cannot read a stored DAG
without this class. Neither the class nor this module may be renamed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.task.priority_strategy import PriorityWeightStrategy

from mxtvhf.models.ids import RunKind, kind_of_run
from mxtvhf.workflow.airflow_api import DECISION_DAG_ID

if TYPE_CHECKING:
    from airflow.models.taskinstance import TaskInstance

WEIGHTS = {RunKind.LIVE: 2000, RunKind.TEST: 1000, RunKind.REPLAY: 0}
"""Weights of the kinds of runs. Their differences exceed the number of tasks of a run."""
DECISION = 500
"""Additional weight of the tasks of a decision; between the number of tasks of a run and `WEIGHTS`."""


class LiveAlertsFirst(PriorityWeightStrategy):
    """Weight of a task by the kind of its run, decision or analysis, and the number of tasks before it."""

    def get_weight(self, ti: TaskInstance) -> int:
        """Return the weight. The task with the highest weight runs first."""
        before = ti.task.get_flat_relative_ids(upstream=True) if ti.task else ()
        decision = DECISION if ti.dag_id == DECISION_DAG_ID else 0
        return WEIGHTS[kind_of_run(ti.run_id, ti.dag_id)] + decision + len(before)

    def __repr__(self) -> str:
        """Return the class path. Airflow stores it, and a memory address would make a new DAG version."""
        return f"{type(self).__module__}.{type(self).__qualname__}()"
