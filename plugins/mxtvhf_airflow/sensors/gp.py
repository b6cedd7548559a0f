"""Step 4: wait for GP's analysis without holding a worker slot."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.http.sensors.http import HttpSensor
from airflow.sdk import PokeReturnValue
from airflow.sdk.exceptions import AirflowFailException

from mxtvhf_airflow.gp_outcome import OUTCOME_KEY, GpTaskFailed, gp_task
from mxtvhf_airflow.hooks.gp import gp_client, gp_connection
from mxtvhf_airflow.triggers.gp import MxtGpTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mxtvhf.workflow.gp.client import GpClient
    from mxtvhf.workflow.gp.contract import GpStatus

LINGER_INTERVAL = 0.1
"""Seconds between two polls in the worker."""
SAFETY_NET = timedelta(seconds=60)
"""Airflow ends a wait this long after the trigger's own deadline, when its triggerer is gone."""


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
        """Poll once; used by an instance that does not defer."""
        status = self._ask(self._process_id(context), gp_client(gp_connection(self.http_conn_id)))
        if status is None or not status.state.is_final:
            return PokeReturnValue(is_done=False)
        return PokeReturnValue(is_done=True, xcom_value=_outcome(status))

    def execute(self, context: Context) -> Any:
        """Return the outcome, at once or after having been deferred."""
        with gp_task(context):
            if (not_asked := self._not_asked(context)) is not None:
                return not_asked
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
        """Return the outcome that the trigger found."""
        from mxtvhf.workflow.gp.contract import GpStatus

        if not event or "status" not in event:
            told = event or {}
            reason = told.get("error", "the GP trigger ended without a word")
            raise GpTaskFailed(reason, told.get("progress", "failed"))
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

    def _not_asked(self, context: Context) -> dict[str, Any] | None:
        """Return the outcome that the start task left instead of a process id; None when GP was asked."""
        ti = context["ti"]
        if ti.xcom_pull(task_ids=self.start_task_id):
            return None
        outcome: dict[str, Any] | None = ti.xcom_pull(task_ids=self.start_task_id, key=OUTCOME_KEY)
        return outcome

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
