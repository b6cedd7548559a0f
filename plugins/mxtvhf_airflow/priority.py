"""Which task goes first when there are more tasks than workers.

Live alerts before tests before replays; of several alerts the one that is nearest to its report, so that the
first report of a storm comes early.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.task.priority_strategy import PriorityWeightStrategy

from mxtvhf.models.ids import REPLAY_MARK, TEST_MARK

if TYPE_CHECKING:
    from airflow.models.taskinstance import TaskInstance

LIVE, TEST, REPLAY = 2000, 1000, 0


class LiveAlertsFirst(PriorityWeightStrategy):
    """Weight of a task: its run's kind, then the number of tasks behind it."""

    def get_weight(self, ti: TaskInstance) -> int:
        """Return the weight; the task with the highest goes first."""
        before = ti.task.get_flat_relative_ids(upstream=True) if ti.task else ()
        return _kind(ti.run_id) + len(before)


def _kind(run_id: str) -> int:
    if REPLAY_MARK in run_id:
        return REPLAY
    return TEST if run_id.endswith(TEST_MARK) else LIVE
