"""Step 4: wait for GP's analysis without occupying a worker slot."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.http.sensors.http import HttpSensor
from airflow.sdk import PokeReturnValue
from airflow.sdk.exceptions import AirflowFailException

from mxtvhf.models.run_conf import GP_TIMEOUT_S
from mxtvhf_airflow.gp_outcome import GpTaskFailed, gp_task
from mxtvhf_airflow.hooks.gp import gp_client, gp_connection
from mxtvhf_airflow.run_context import RunContext, run_of
from mxtvhf_airflow.triggers.gp import MxtGpTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mxtvhf.crosscheck.model import GpOutcome
    from mxtvhf.workflow.gp.client import GpClient
    from mxtvhf.workflow.gp.contract import GpStatus

LINGER_INTERVAL = 0.1
"""Seconds between two polls in the worker."""
SAFETY_NET = timedelta(seconds=60)
"""Time after the trigger's deadline at which Airflow ends a wait without a triggerer."""


class MxtGpSensor(HttpSensor):
    """Wait for the GP analysis; the result is its GpOutcome.

    The task first polls for a moment in the worker, which is sufficient for a fast GP, because deferring and
    resuming take 2 to 4 s (measured). It then defers to ``MxtGpTrigger`` and occupies no worker slot. The
    trigger of HttpSensor cannot be used, because it treats every 2xx answer as the end.

    :param gp_conn_id: Airflow Connection of GP (type http).
    :param linger: seconds for which a working GP is polled in the worker.
    :param poke_interval: seconds between two later polls.
    :param timeout: time limit of the wait, seconds; the run's parameter ``gp_timeout_s`` overrides it.
    """

    template_fields: Sequence[str] = ()
    ui_color = "#e8dff5"

    def __init__(
        self,
        *,
        gp_conn_id: str = "mxt_gp",
        linger: float = 1.0,
        poke_interval: float = 1.0,
        timeout: float = GP_TIMEOUT_S,
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
        self.linger = linger

    def poke(self, context: Context) -> PokeReturnValue:
        """Poll once. Used by an instance that does not defer."""
        status = self._ask(self._process_id(run_of(context)), gp_client(gp_connection(self.http_conn_id)))
        if status is None or not status.state.is_final:
            return PokeReturnValue(is_done=False)
        return PokeReturnValue(is_done=True, xcom_value=_outcome(status))

    def execute(self, context: Context) -> None:
        """Write the outcome at once, or defer the task."""
        with gp_task(context) as task:
            start = task.run.gp_start()
            if start.not_asked is not None:
                task.ended(start.not_asked)
                return
            if not self.deferrable:
                task.ended(super().execute(context))
                return
            process_id = self._process_id(task.run)
            status = self._linger(process_id)
            if status is not None and status.state.is_final:
                task.ended(_outcome(status))
                return
            wait = timedelta(seconds=context["params"].get("gp_timeout_s", self.timeout))
            trigger = MxtGpTrigger(
                gp_conn_id=self.http_conn_id,
                process_id=process_id,
                deadline=(datetime.now(UTC) + wait).isoformat(),
                poll_interval=self.poke_interval,
            )
            self.defer(
                trigger=trigger,
                method_name="execute_complete",
                kwargs={"started": task.started.isoformat()},
                timeout=wait + SAFETY_NET,
            )

    def execute_complete(
        self, context: Context, event: dict[str, Any] | None = None, started: str | None = None
    ) -> Any:
        """Return the outcome found by the trigger."""
        from mxtvhf.workflow.gp.contract import GpStatus

        if not event or "status" not in event:
            fault = event or {}
            reason = fault.get("error", "the GP trigger ended without a result; see the triggerer's log")
            raise GpTaskFailed(reason, fault.get("progress", "failed"))
        return _outcome(GpStatus.model_validate(event["status"]))

    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context
    ) -> None:
        """Resume the deferred task. A wait ended by Airflow is also recorded as a reason."""
        started = (next_kwargs or {}).get("started")
        resumed = datetime.fromisoformat(started) if started else context["ti"].start_date
        with gp_task(context, resumed=resumed) as task:
            task.ended(super().resume_execution(next_method, next_kwargs, context))

    def _linger(self, process_id: str) -> GpStatus | None:
        """Poll until the job ends or ``linger`` is over. After an error, the trigger takes over at once."""
        client = gp_client(gp_connection(self.http_conn_id))
        end = time.monotonic() + self.linger
        while (status := self._ask(process_id, client)) and not status.state.is_final:
            if time.monotonic() >= end:
                break
            time.sleep(LINGER_INTERVAL)
        return status

    def _ask(self, process_id: str, client: GpClient) -> GpStatus | None:
        """Poll once. Return None if GP is unreachable or does not know the job yet."""
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

    def _process_id(self, run: RunContext) -> str:
        process_id = run.gp_start().process_id
        if not process_id:
            raise AirflowFailException("task start_mxt_gp_pipeline returned no GP process id; see its log")
        return process_id


def _outcome(status: GpStatus) -> GpOutcome:
    """Return the outcome of a finished analysis. An error reported by GP fails the task without a retry."""
    from mxtvhf.errors import GpFailed
    from mxtvhf.workflow.steps.wait_mxt_gp import gp_outcome

    try:
        return gp_outcome(status)
    except GpFailed as error:
        raise AirflowFailException(str(error)) from None
