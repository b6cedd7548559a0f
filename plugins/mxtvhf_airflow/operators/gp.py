"""Step 4: start GP's analysis, at most once for each run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from mxtvhf.models.base import Model
from mxtvhf.models.run_conf import Observation
from mxtvhf_airflow.gp_outcome import GpNotReached, GpTaskFailed, gp_task, missing_outcome
from mxtvhf_airflow.hooks.gp import gp_client, gp_connection

if TYPE_CHECKING:
    from airflow.sdk import Connection, Context

    from mxtvhf.workflow.gp.contract import GpRequest
    from mxtvhf.workflow.steps.start_mxt_gp_pipeline import GpStart
    from mxtvhf_airflow.run_context import RunContext

JOB_KEY = "gp_job"
"""Key of the job in the task's state store: ``asked`` (UTC), ``event_sha256``, then ``process_id``."""


class EventFile(Model):
    """The event file in the result of ``fits_feed``, or the reason why there is none."""

    path: str | None = None
    sha256: str | None = None
    reason: str | None = None


class Received(Model):
    """The observation in the result of ``reception_message``."""

    observation: Observation | None = None


class StartMxtGpPipelineOperator(BaseOperator):
    """Start the GP analysis of a run; the result is its process id.

    GP starts a new analysis at each request. It is therefore asked at most once per run, also after kills and
    retries. Before the request the task's state store records the time of the request, and after the answer
    it records the process id. A later try that finds the process id returns it. A try that finds only the
    time cannot know whether GP started, so it fails instead of asking again. Answers that mean that GP did
    not start (no connection, 4xx, 503) remove the record.

    If no observation is known for the burst, GP is not asked, and the outcome contains the reason. A GP that
    reads our event file needs no observation.

    :param gp_conn_id: Airflow Connection of GP (type http).
    """

    ui_color = "#e8dff5"

    def __init__(self, *, gp_conn_id: str = "mxt_gp", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.gp_conn_id = gp_conn_id

    def execute(self, context: Context) -> None:
        """Write the process id of the analysis, started now or before, or why GP is not asked."""
        from mxtvhf.workflow.steps.start_mxt_gp_pipeline import GpStart

        with gp_task(context) as task:
            event = task.run.read("fits_feed", EventFile)
            kept: Any = context["task_state_store"].get(JOB_KEY) or {}
            if kept.get("event_sha256") != event.sha256:
                # A cleared run with other photons needs another analysis.
                kept = {}
            if process_id := kept.get("process_id"):
                self.log.info("GP process %s was started by an earlier try", process_id)
                task.ended(GpStart(process_id=process_id))
            elif asked := kept.get("asked"):
                raise AirflowFailException(
                    f"GP was asked to start at {asked}, but that try ended before it stored GP's answer. GP "
                    f"may be running and is not asked again; to ask again, delete task state {JOB_KEY!r}"
                )
            else:
                task.ended(self._start(context, task.run, event))

    def _start(self, context: Context, run: RunContext, event: EventFile) -> GpStart:
        from mxtvhf.crosscheck.model import GpProgress
        from mxtvhf.errors import MxtVhfError, Retriable
        from mxtvhf.workflow.gp.contract import NOT_ASKED, GpStartUnknownError
        from mxtvhf.workflow.steps.start_mxt_gp_pipeline import GpStart, start_mxt_gp_pipeline

        store = context["task_state_store"]
        connection = gp_connection(self.gp_conn_id)
        request, client = self._request(run, connection, event), gp_client(connection)
        if request is None:
            reason = NOT_ASKED.format(burst_id=run.burst_id)
            self.log.warning("%s", reason)
            return GpStart(not_asked=missing_outcome(reason, GpProgress.NOT_ASKED))
        job: dict[str, Any] = {"asked": datetime.now(UTC).isoformat(), "event_sha256": event.sha256}
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
        return GpStart(process_id=process_id)

    def _request(self, run: RunContext, connection: Connection, event: EventFile) -> GpRequest | None:
        """Return the request to GP, with the event file if GP reads our files.

        Return None if neither an observation nor an event file is known.
        """
        from mxtvhf.models.run_conf import observation_fields
        from mxtvhf.workflow.gp.contract import GpRequest

        event_file = None
        if connection.extra_dejson.get("send_event_file") is True:
            event_file = event.path
            if not event_file and not event.reason:
                raise AirflowFailException("task fits_feed returned no event file for GP; see its log")
        # The parameters of the run take precedence over what the reception found.
        observation = run.conf.observation or run.read("reception_message", Received).observation
        if observation is None and event_file is None:
            return None
        return GpRequest(**observation_fields(observation), mode=run.conf.mode, event_file=event_file)
