"""The outcome of a run's GP tasks for later tasks: GP's result, or the reason why it is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from mxtvhf.errors import Failure, Retriable
from mxtvhf_airflow.run_context import GP_TASKS, TIMING_KEY, RunContext, run_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mxtvhf.crosscheck.model import GpOutcome, GpProgress
    from mxtvhf.models.base import Model

OUTCOME_KEY = "gp_outcome"
"""Key of the XCom with the GpOutcome of a failed GP task, which contains the reason."""


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


@dataclass(frozen=True)
class GpTask:
    """An attempt of a GP task."""

    run: RunContext
    task_id: str
    started: datetime

    def ended(self, result: Model) -> None:
        """Write the result of the task."""
        self.run.results.write(self.task_id, self.run.attempt, result, started=self.started)


@contextmanager
def gp_task(context: Context, *, resumed: datetime | None = None) -> Iterator[GpTask]:
    """Run a GP task, and record its times and the reason of a failure as XComs.

    :param resumed: start of a task that continues after it was deferred, UTC.
    """
    ti, run = context["ti"], run_of(context)
    task = GpTask(run, ti.task_id, resumed or datetime.now(UTC))
    run.results.begin(ti.task_id, run.attempt)
    try:
        yield task
    except Exception as error:
        reason = str(error) or type(error).__name__
        outcome = missing_outcome(reason, getattr(error, "progress", "failed"))
        ti.xcom_push(key=OUTCOME_KEY, value=outcome.model_dump(mode="json"))
        ti.xcom_push(key=TIMING_KEY, value=[task.started.isoformat(), datetime.now(UTC).isoformat()])
        if isinstance(error, Failure) and not isinstance(error, Retriable):
            # A missing or damaged result of an earlier step; a retry would read the same file.
            raise GpTaskFailed(reason) from None
        raise


def missing_outcome(reason: str, progress: GpProgress | str) -> GpOutcome:
    """Return the outcome of a GP task without a result of GP."""
    from mxtvhf.crosscheck.model import GpOutcome, GpProgress

    return GpOutcome(available=False, progress=GpProgress(progress), reason=reason)


def gp_outcome_of_run(run: RunContext) -> GpOutcome:
    """Return the outcome of this run's GP tasks, whether they succeeded or failed."""
    from mxtvhf.crosscheck.model import GpOutcome

    if (outcome := run.gp_outcome()) is not None:
        return outcome
    for task in (task for task in GP_TASKS if run.states.get(task) == "failed"):
        if left := run.context["ti"].xcom_pull(task_ids=task, key=OUTCOME_KEY):
            return GpOutcome.model_validate(left)
    found = ", ".join(f"{task} {run.states.get(task)}" for task in GP_TASKS)
    return GpOutcome(available=False, reason=f"the GP tasks of this run recorded no reason ({found})")
