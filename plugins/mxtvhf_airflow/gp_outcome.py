"""The outcome of a run's GP tasks for later tasks: GP's result, or the reason why it is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from mxtvhf_airflow.run_context import GP_TASKS, TIMING_KEY, task_states

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mxtvhf.crosscheck.model import GpOutcome, GpProgress

OUTCOME_KEY = "gp_outcome"
"""Key of the XCom with the GpOutcome of a GP task without a result, which contains the reason."""


class GpNotReached(AirflowException):
    """GP is unreachable; the task is retried."""

    progress = "not reached"


class GpTaskFailed(AirflowFailException):
    """A GP task failed and is not retried.

    :param progress: progress of GP's analysis, a value of ``GpProgress``.
    """

    def __init__(self, reason: str, progress: str = "failed") -> None:
        super().__init__(reason)
        self.progress = progress


@contextmanager
def gp_task(context: Context, *, resumed: bool = False) -> Iterator[None]:
    """Push the start and end times of a GP task and, after a failure, the reason."""
    ti = context["ti"]
    started = datetime.now(UTC).isoformat()
    if resumed:
        started = ti.xcom_pull(task_ids=ti.task_id, key=TIMING_KEY)[0]
    try:
        yield
    except Exception as error:
        leave_reason(context, str(error) or type(error).__name__, getattr(error, "progress", "failed"))
        raise
    finally:
        ti.xcom_push(key=TIMING_KEY, value=[started, datetime.now(UTC).isoformat()])


def leave_reason(context: Context, reason: str, progress: GpProgress | str) -> None:
    """Push the reason for a missing result and the progress of the analysis as the outcome of the task."""
    from mxtvhf.crosscheck.model import GpOutcome, GpProgress

    outcome = GpOutcome(available=False, progress=GpProgress(progress), reason=reason)
    context["ti"].xcom_push(key=OUTCOME_KEY, value=outcome.model_dump(mode="json"))


def gp_outcome_of_run(context: Context, tasks: Sequence[str] = GP_TASKS) -> GpOutcome:
    """Return the outcome of this run's GP tasks, whether they succeeded or failed.

    :param tasks: task ids of the sensor and of the operator.
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
    return GpOutcome(available=False, reason=f"the GP tasks of this run recorded no reason ({found})")
