"""What the GP tasks of a run leave for the tasks after them: their times, and why there is no result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mxtvhf_airflow.run_context import GP_TASKS, TIMING_KEY, task_states

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mxtvhf.crosscheck.model import GpOutcome

OUTCOME_KEY = "gp_outcome"
"""XCom of a GP task that failed: the GpOutcome that says why there is no result."""


@contextmanager
def gp_task(context: Context, *, resumed: bool = False) -> Iterator[None]:
    """Leave for the tasks after a GP task when it began and ended, and why it gave nothing when it fails."""
    ti = context["ti"]
    started = datetime.now(UTC).isoformat()
    if resumed:
        started = ti.xcom_pull(task_ids=ti.task_id, key=TIMING_KEY)[0]
    try:
        yield
    except Exception as error:
        from mxtvhf.crosscheck.model import GpOutcome

        outcome = GpOutcome(available=False, reason=str(error) or type(error).__name__)
        ti.xcom_push(key=OUTCOME_KEY, value=outcome.model_dump(mode="json"))
        raise
    finally:
        ti.xcom_push(key=TIMING_KEY, value=[started, datetime.now(UTC).isoformat()])


def gp_outcome_of_run(context: Context, tasks: Sequence[str] = GP_TASKS) -> GpOutcome:
    """Return what the GP tasks of this run left, for a task after them that runs whatever they did.

    :param tasks: the sensor's task id, then the operator's.
    """
    from mxtvhf.crosscheck.model import GpOutcome

    ti, states = context["ti"], task_states(context, tasks)
    sensor = tasks[0]
    if states.get(sensor) == "success":
        return GpOutcome.model_validate(ti.xcom_pull(task_ids=sensor))
    for task in tasks:
        if states.get(task) == "failed" and (left := ti.xcom_pull(task_ids=task, key=OUTCOME_KEY)):
            return GpOutcome.model_validate(left)
    found = ", ".join(f"{task} {states.get(task)}" for task in tasks)
    return GpOutcome(available=False, reason=f"the GP tasks of this run left no reason ({found})")
