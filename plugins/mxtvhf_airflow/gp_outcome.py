"""The outcome of a run's GP tasks for the tasks after them: GP's result, or the reason why it is missing."""

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
"""XCom of a GP task that failed or did not ask: the GpOutcome with the reason why there is no result."""


@contextmanager
def gp_task(context: Context, *, resumed: bool = False) -> Iterator[None]:
    """Push the start and end times of a GP task and, if it fails, the reason why it has no result."""
    ti = context["ti"]
    started = datetime.now(UTC).isoformat()
    if resumed:
        started = ti.xcom_pull(task_ids=ti.task_id, key=TIMING_KEY)[0]
    try:
        yield
    except Exception as error:
        leave_reason(context, str(error) or type(error).__name__)
        raise
    finally:
        ti.xcom_push(key=TIMING_KEY, value=[started, datetime.now(UTC).isoformat()])


def leave_reason(context: Context, reason: str) -> None:
    """Push the reason why there is no result as the task's outcome."""
    from mxtvhf.crosscheck.model import GpOutcome

    outcome = GpOutcome(available=False, reason=reason)
    context["ti"].xcom_push(key=OUTCOME_KEY, value=outcome.model_dump(mode="json"))


def gp_outcome_of_run(context: Context, tasks: Sequence[str] = GP_TASKS) -> GpOutcome:
    """Return the outcome of this run's GP tasks, for a task that runs whether they succeeded or failed.

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
