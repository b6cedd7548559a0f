"""The General Program in Airflow: start it once, wait for it without a worker slot, say why it is absent."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.http.sensors.http import HttpSensor
from airflow.sdk import BaseOperator, PokeReturnValue
from airflow.sdk.exceptions import AirflowFailException

from mxtvhf_airflow.hooks.gp import gp_client, gp_connection
from mxtvhf_airflow.run_context import GP_TASKS, TIMING_KEY, task_states
from mxtvhf_airflow.triggers.gp import MxtGpTrigger

if TYPE_CHECKING:
    from airflow.sdk import Connection, Context

    from mxtvhf.crosscheck.model import GpOutcome
    from mxtvhf.workflow.gp.client import GpClient
    from mxtvhf.workflow.gp.contract import GpStatus

JOB_KEY = "gp_job"
"""Where the task's state store keeps the job: ``asked`` (UTC), ``event_sha256``, then ``process_id``."""
OUTCOME_KEY = "gp_outcome"
"""XCom of a GP task that failed: the GpOutcome that says why there is no result."""
SAFETY_NET = timedelta(seconds=60)
"""How long after the trigger's own deadline Airflow ends a wait whose triggerer is gone."""


LINGER_INTERVAL = 0.1
"""Seconds between two polls in the worker."""


class StartMxtGpPipelineOperator(BaseOperator):
    """Start the GP analysis of a run; return its process id.

    GP starts a new analysis at each request, so it is asked at most once per run, whatever is killed
    or retried: the task's state store keeps that GP is about to be asked, and its process id as soon as
    it answers. A try that finds the process id returns it. A try that finds only the first mark cannot
    know whether GP started, and fails rather than ask again. Answers that say that GP did not start
    (no connection, 4xx, 503) remove the mark.

    :param gp_conn_id: Airflow Connection of GP (type http).
    :param event_task_id: task whose XCom is the event product; only for a GP that reads our files.
    """

    ui_color = "#e8dff5"

    def __init__(
        self, *, gp_conn_id: str = "mxt_gp", event_task_id: str = "fits_feed", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.gp_conn_id = gp_conn_id
        self.event_task_id = event_task_id

    def execute(self, context: Context) -> str:
        """Return the process id of this run's analysis, started now or by an earlier try."""
        with gp_task(context):
            kept: Any = context["task_state_store"].get(JOB_KEY) or {}
            if kept.get("event_sha256") != self._event(context).get("sha256"):
                kept = {}
            if process_id := kept.get("process_id"):
                self.log.info("GP process %s was started by an earlier try", process_id)
                return str(process_id)
            if asked := kept.get("asked"):
                raise AirflowFailException(
                    f"GP was asked to start at {asked}, but that try ended before it kept GP's answer: GP "
                    f"may be running and is not asked again (to ask again delete task state {JOB_KEY!r})"
                )
            return self._start(context)

    def _start(self, context: Context) -> str:
        from mxtvhf.errors import MxtVhfError, Retriable
        from mxtvhf.workflow.gp.contract import GpStartUnknownError
        from mxtvhf.workflow.steps.start_mxt_gp_pipeline import start_mxt_gp_pipeline

        store = context["task_state_store"]
        connection = gp_connection(self.gp_conn_id)
        request, client = self._request(context, connection), gp_client(connection)
        job = {"asked": datetime.now(UTC).isoformat(), "event_sha256": self._event(context).get("sha256")}
        store.set(JOB_KEY, job)
        try:
            process_id = start_mxt_gp_pipeline(request, client)
        except GpStartUnknownError as error:
            raise AirflowFailException(f"{error}; GP may be running and is not asked again") from None
        except MxtVhfError as error:
            store.delete(JOB_KEY)
            if isinstance(error, Retriable):
                raise
            raise AirflowFailException(str(error)) from None
        store.set(JOB_KEY, {**job, "process_id": process_id})
        self.log.info("GP process %s started", process_id)
        return process_id

    def _event(self, context: Context) -> dict[str, Any]:
        """Return the event product: a cleared run with other photons is another analysis."""
        return context["ti"].xcom_pull(task_ids=self.event_task_id) or {}

    def _request(self, context: Context, connection: Connection) -> Any:
        """Return the four fields of the contract, and the event file for a GP that wants it."""
        from mxtvhf.workflow.gp.contract import GpRequest

        params = context["params"]
        event_file = None
        if connection.extra_dejson.get("send_event_file") is True:
            event_file = self._event(context).get("path")
            if not event_file:
                raise AirflowFailException(f"task {self.event_task_id} left no event file for GP")
        contract = {name: params[name] for name in ("apid", "target", "orbit", "mode")}
        return GpRequest(**contract, event_file=event_file)


class MxtGpSensor(HttpSensor):
    """Wait for the GP analysis; return its GpOutcome as a dict.

    Asks in the worker for a moment, which is enough for a fast GP: to be deferred and resumed costs 2 to
    4 s (measured). Else the task defers to ``MxtGpTrigger`` and holds no worker slot. HttpSensor's own
    trigger cannot be used: it takes every 2xx answer for the end.

    :param gp_conn_id: Airflow Connection of GP (type http).
    :param start_task_id: task whose XCom is the process id.
    :param linger: seconds for which a GP that is at work is asked in the worker.
    :param poke_interval: seconds between two polls after that.
    :param timeout: seconds until the wait is given up; the run's parameter ``gp_timeout_s`` overrides it.
    """

    template_fields: Sequence[str] = ()
    ui_color = "#e8dff5"

    def __init__(
        self,
        *,
        gp_conn_id: str = "mxt_gp",
        start_task_id: str = "start_mxt_gp_pipeline",
        linger: float = 1.0,
        poke_interval: float = 1.0,
        timeout: float = 3600.0,
        deferrable: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            endpoint="status",
            http_conn_id=gp_conn_id,
            poke_interval=poke_interval,
            timeout=timeout,
            deferrable=deferrable,
            **kwargs,
        )
        self.start_task_id = start_task_id
        self.linger = linger

    def poke(self, context: Context) -> PokeReturnValue:
        """Ask once; the way of an instance that does not defer."""
        status = self._ask(self._process_id(context), gp_client(gp_connection(self.http_conn_id)))
        if status is None or not status.state.is_final:
            return PokeReturnValue(is_done=False)
        return PokeReturnValue(is_done=True, xcom_value=_outcome(status))

    def execute(self, context: Context) -> Any:
        """Return the outcome, at once or after having been deferred."""
        with gp_task(context):
            if not self.deferrable:
                return super().execute(context)
            status = self._linger(context)
            if status is not None and status.state.is_final:
                return _outcome(status)
            wait = timedelta(seconds=context["params"].get("gp_timeout_s", self.timeout))
            trigger = MxtGpTrigger(
                gp_conn_id=self.http_conn_id,
                process_id=self._process_id(context),
                deadline=(datetime.now(UTC) + wait).isoformat(),
                poll_interval=self.poke_interval,
            )
            return self.defer(trigger=trigger, method_name="execute_complete", timeout=wait + SAFETY_NET)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """Take up what the trigger found."""
        from mxtvhf.workflow.gp.contract import GpStatus

        if not event or "status" not in event:
            raise AirflowFailException((event or {}).get("error", "the GP trigger ended without a word"))
        return _outcome(GpStatus.model_validate(event["status"]))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after having been deferred; a wait that Airflow ended is kept as a reason as well."""
        with gp_task(context, resumed=True):
            return super().resume_execution(next_method, next_kwargs, context)

    def _linger(self, context: Context) -> GpStatus | None:
        """Ask until the job ends or ``linger`` is over; a GP in trouble is left to the trigger at once."""
        process_id, client = self._process_id(context), gp_client(gp_connection(self.http_conn_id))
        end = time.monotonic() + self.linger
        while (status := self._ask(process_id, client)) and not status.state.is_final:
            if time.monotonic() >= end:
                break
            time.sleep(LINGER_INTERVAL)
        return status

    def _ask(self, process_id: str, client: GpClient) -> GpStatus | None:
        """Ask once; None when GP cannot be reached now, or does not know the job (yet)."""
        from mxtvhf.errors import MxtVhfError, Retriable
        from mxtvhf.workflow.gp.contract import GpUnknownJobError
        from mxtvhf.workflow.steps.wait_mxt_gp import wait_mxt_gp

        try:
            return wait_mxt_gp(process_id, client)
        except (Retriable, GpUnknownJobError) as error:
            self.log.warning("%s", error)
            return None
        except MxtVhfError as error:
            raise AirflowFailException(str(error)) from None

    def _process_id(self, context: Context) -> str:
        process_id = context["ti"].xcom_pull(task_ids=self.start_task_id)
        if not process_id:
            raise AirflowFailException(f"task {self.start_task_id} left no GP process id")
        return str(process_id)


def _outcome(status: GpStatus) -> dict[str, Any]:
    """Return a GpOutcome for XCom; GP's own error ends the task for good."""
    from mxtvhf.errors import GpFailed
    from mxtvhf.workflow.steps.wait_mxt_gp import gp_outcome

    try:
        return gp_outcome(status).model_dump(mode="json")
    except GpFailed as error:
        raise AirflowFailException(str(error)) from None


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
