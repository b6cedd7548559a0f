"""Step 4: start GP's analysis, at most once for each run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from mxtvhf_airflow.gp_outcome import GpNotReached, GpTaskFailed, gp_task, leave_reason
from mxtvhf_airflow.hooks.gp import gp_client, gp_connection

if TYPE_CHECKING:
    from airflow.sdk import Connection, Context

    from mxtvhf.models.run_conf import Observation
    from mxtvhf.workflow.gp.contract import GpRequest

JOB_KEY = "gp_job"
"""Key of the job in the task's state store: ``asked`` (UTC), ``event_sha256``, then ``process_id``."""


class StartMxtGpPipelineOperator(BaseOperator):
    """Start the GP analysis of a run and return its process id.

    GP starts a new analysis at each request. It is therefore asked at most once per run, also after kills and
    retries. Before the request the task's state store records the time of the request, and after the answer
    it records the process id. A later try that finds the process id returns it. A try that finds only the
    time cannot know whether GP started, so it fails instead of asking again. Answers that mean that GP did
    not start (no connection, 4xx, 503) remove the record.

    If no observation is known for the burst, GP is not asked, and the outcome contains the reason. A GP that
    reads our event file needs no observation.

    :param gp_conn_id: Airflow Connection of GP (type http).
    :param event_task_id: task whose XCom is the event product; only for a GP that reads our files.
    :param reception_task_id: task whose XCom contains the observation if the run has none.
    """

    ui_color = "#e8dff5"

    def __init__(
        self,
        *,
        gp_conn_id: str = "mxt_gp",
        event_task_id: str = "fits_feed",
        reception_task_id: str = "reception_message",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.gp_conn_id = gp_conn_id
        self.event_task_id = event_task_id
        self.reception_task_id = reception_task_id

    def execute(self, context: Context) -> str | None:
        """Return the process id of the analysis, started now or before; None if GP is not asked."""
        with gp_task(context):
            kept: Any = context["task_state_store"].get(JOB_KEY) or {}
            if kept.get("event_sha256") != self._event(context).get("sha256"):
                kept = {}
            if process_id := kept.get("process_id"):
                self.log.info("GP process %s was started by an earlier try", process_id)
                return str(process_id)
            if asked := kept.get("asked"):
                raise AirflowFailException(
                    f"GP was asked to start at {asked}, but that try ended before it stored GP's answer. GP "
                    f"may be running and is not asked again; to ask again, delete task state {JOB_KEY!r}"
                )
            return self._start(context)

    def _start(self, context: Context) -> str | None:
        from mxtvhf.crosscheck.model import GpProgress
        from mxtvhf.errors import MxtVhfError, Retriable
        from mxtvhf.workflow.gp.contract import NOT_ASKED, GpStartUnknownError
        from mxtvhf.workflow.steps.start_mxt_gp_pipeline import start_mxt_gp_pipeline

        store = context["task_state_store"]
        connection = gp_connection(self.gp_conn_id)
        request, client = self._request(context, connection), gp_client(connection)
        if request is None:
            reason = NOT_ASKED.format(burst_id=context["params"].get("burst_id"))
            self.log.warning("%s", reason)
            leave_reason(context, reason, GpProgress.NOT_ASKED)
            return None
        job = {"asked": datetime.now(UTC).isoformat(), "event_sha256": self._event(context).get("sha256")}
        store.set(JOB_KEY, job)
        try:
            process_id = start_mxt_gp_pipeline(request, client)
        except GpStartUnknownError as error:
            raise AirflowFailException(f"{error}; GP may be running and is not asked again") from None
        except MxtVhfError as error:
            store.delete(JOB_KEY)
            if isinstance(error, Retriable):
                # Airflow shows the class name of an error, so it gets a meaningful one.
                raise GpNotReached(str(error)) from None
            raise GpTaskFailed(str(error)) from None
        store.set(JOB_KEY, {**job, "process_id": process_id})
        self.log.info("GP process %s started", process_id)
        return process_id

    def _event(self, context: Context) -> dict[str, Any]:
        """Return the event product. A cleared run with other photons needs another analysis."""
        return context["ti"].xcom_pull(task_ids=self.event_task_id) or {}

    def _request(self, context: Context, connection: Connection) -> GpRequest | None:
        """Return the request to GP, with the event file if GP reads our files.

        Return None if neither an observation nor an event file is known.
        """
        from mxtvhf.models.run_conf import observation_fields
        from mxtvhf.workflow.gp.contract import GpRequest

        event_file = None
        if connection.extra_dejson.get("send_event_file") is True:
            event = self._event(context)
            event_file = event.get("path")
            # A result without a path contains a reason if no photon can be placed on the sky.
            if not event_file and not event.get("reason"):
                raise AirflowFailException(
                    f"task {self.event_task_id} returned no event file for GP; see its log"
                )
        observation = self._observation(context)
        if observation is None and event_file is None:
            return None
        return GpRequest(
            **observation_fields(observation), mode=context["params"]["mode"], event_file=event_file
        )

    def _observation(self, context: Context) -> Observation | None:
        """Return the observation of the run's parameters, or else the one found by the reception."""
        from mxtvhf.models.run_conf import OBSERVATION_FIELDS, Observation

        params = context["params"]
        given = {name: params.get(name) for name in OBSERVATION_FIELDS}
        if None not in given.values():
            return Observation(**given)
        received = context["ti"].xcom_pull(task_ids=self.reception_task_id) or {}
        found = received.get("observation")
        return Observation.model_validate(found) if found else None
