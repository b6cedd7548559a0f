"""The run of a task: its parameters, folders and the results of earlier tasks.

Tasks exchange results through files in the product folder of the run (`mxtvhf.workflow.step_results`). Each
request to Airflow's API server costs 20 ms of a core, so that a task asks it only for what no file contains.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk import TriggerRule
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from mxtvhf.archive.products import product_folder
from mxtvhf.errors import Failure, InvalidInput, MxtVhfError, NothingToDo, Retriable
from mxtvhf.localisation.model import Localisation
from mxtvhf.models.base import Model
from mxtvhf.models.ids import RunKind, kind_of_run
from mxtvhf.models.run_conf import RunConf
from mxtvhf.models.text import one_line
from mxtvhf.models.times import TimelineEntry
from mxtvhf.settings import Settings
from mxtvhf.workflow.step_results import MissingResult, StepResults
from mxtvhf_airflow.environment import process_settings

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.types import Logger

    from mxtvhf.analysis.model import SourceAnalysis
    from mxtvhf.catalogues.model import CatalogueAnswer
    from mxtvhf.catalogues.store import CatalogueStore
    from mxtvhf.crosscheck.model import CrossCheck, GpOutcome
    from mxtvhf.reporting.report.model import ReportProducts
    from mxtvhf.sky_notices.store import SkyStore
    from mxtvhf.workflow.steps.fits_feed import EventProduct
    from mxtvhf.workflow.steps.photons_extraction import Extraction
    from mxtvhf.workflow.steps.reception_message import Reception
    from mxtvhf.workflow.steps.start_mxt_gp_pipeline import GpStart


TIMING_KEY = "timing"
"""Key of the XCom with the start and end times of a failed GP task, ISO 8601 UTC. Earlier versions
pushed it for every GP task, and put the times of other steps under this key into their results."""

GP_TASKS = ("wait_mxt_gp", "start_mxt_gp_pipeline")

REASON_KEY = "reason"
"""Key of the XCom with the reason of a failed or skipped step in one line."""

LONGEST_REASON = 500
"""Longest reason, characters; the task log contains the whole text."""

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class RunContext:
    """The run of an alert, used by one of its tasks."""

    run_id: str
    dag_id: str
    conf: RunConf
    created: datetime
    settings: Settings
    context: Context

    @property
    def burst_id(self) -> str:
        """Return the burst id of the run."""
        return self.conf.burst_id

    @property
    def out(self) -> Path:
        """Return the product folder of the run."""
        return product_folder(self.settings.products, self.burst_id, self.run_id)

    @cached_property
    def results(self) -> StepResults:
        """Return the results of the steps of the run."""
        return StepResults(self.out, self.dag_id, self.run_id)

    @property
    def attempt(self) -> str:
        """Return Airflow's id of this attempt of the task. It stays the same while a task is deferred."""
        return str(self._ti.id)

    @property
    def is_replay(self) -> bool:
        """True for a run started by the replay DAG."""
        return kind_of_run(self.run_id, self.dag_id) is RunKind.REPLAY

    def catalogues(self) -> CatalogueStore:
        """Return the catalogues of the installation."""
        from mxtvhf.catalogues.store import CatalogueStore

        return CatalogueStore(self.settings.catalogues)

    def sky_notices(self) -> SkyStore:
        """Return the notices of other missions."""
        from mxtvhf.sky_notices.store import SkyStore

        return SkyStore(self.settings.archive)

    def remote_answers(self) -> tuple[CatalogueAnswer, ...]:
        """Return the answers of remote catalogues received so far; empty if no service is configured."""
        if not self.settings.remote_catalogues:
            return ()
        from mxtvhf.workflow.steps.remote_catalogues import RemoteAnswers, unanswered

        if answered := self._read_if_done("remote_catalogues", RemoteAnswers):
            return answered.answers
        reception = self.reception()
        alerts = (reception.alert, *reception.related)
        return unanswered(alerts, self.localisation(), self.settings.remote_catalogues).answers

    def reception(self) -> Reception:
        """Return the result of ``reception_message``."""
        from mxtvhf.workflow.steps.reception_message import Reception

        return self.read("reception_message", Reception)

    def extraction(self) -> Extraction:
        """Return the result of ``photons_extraction``."""
        from mxtvhf.workflow.steps.photons_extraction import Extraction

        return self.read("photons_extraction", Extraction)

    def event_product(self) -> EventProduct | None:
        """Return the result of ``fits_feed``; None if no photon can be placed on the sky."""
        from mxtvhf.workflow.steps.fits_feed import EventProduct

        if self.extraction().unplaced is not None:
            return None
        return self.read("fits_feed", EventProduct)

    def localisation(self) -> Localisation | None:
        """Return the result of ``vhf_localisation``; None if it failed."""
        return self._read_if_done("vhf_localisation", Localisation)

    def analysis(self) -> SourceAnalysis | None:
        """Return the result of ``source_analysis``; None if it failed."""
        from mxtvhf.analysis.model import SourceAnalysis

        return self._read_if_done("source_analysis", SourceAnalysis)

    def preliminary(self) -> ReportProducts | None:
        """Return the result of ``preliminary_report``; None if it failed or has not ended."""
        from mxtvhf.reporting.report.model import ReportProducts

        return self._read_if_done("preliminary_report", ReportProducts)

    def crosscheck(self) -> CrossCheck:
        """Return the result of ``crosscheck_positions``."""
        from mxtvhf.crosscheck.model import CrossCheck

        return self.read("crosscheck_positions", CrossCheck)

    def gp_start(self) -> GpStart:
        """Return the result of ``start_mxt_gp_pipeline``."""
        from mxtvhf.workflow.steps.start_mxt_gp_pipeline import GpStart

        return self.read("start_mxt_gp_pipeline", GpStart)

    def gp_outcome(self) -> GpOutcome | None:
        """Return the result of ``wait_mxt_gp``; None if it failed or did not run."""
        from mxtvhf.crosscheck.model import GpOutcome

        return self._read_if_done("wait_mxt_gp", GpOutcome)

    def timeline(self) -> list[TimelineEntry]:
        """Return the creation time of the run and the start and end times of its finished steps."""
        entries = [TimelineEntry(name="run_created", time=self.created)]
        for task_id in sorted(self._ti.task.dag.task_ids):
            if (timing := self._timing(task_id)) is not None:
                entries += [
                    TimelineEntry(name=f"{task_id}_{word}", time=moment)
                    for word, moment in zip(("started", "ended"), timing, strict=True)
                ]
        return entries

    @cached_property
    def states(self) -> dict[str, str]:
        """Return the states of the tasks whose results this task may use.

        A task that needs the success of all tasks before it uses only these. Another task asks Airflow for
        the states of all tasks. A result alone is not sufficient there, because the result of an earlier
        attempt remains if the latest one was killed before it started.
        """
        ti = self._ti
        if ti.task.trigger_rule == TriggerRule.ALL_SUCCESS:
            return dict.fromkeys(ti.task.get_flat_relative_ids(upstream=True), "success")
        task_ids = sorted(ti.task.dag.task_ids)
        found = ti.get_task_states(dag_id=ti.dag_id, task_ids=task_ids, run_ids=[ti.run_id])
        return {task: str(state) for task, state in found.get(ti.run_id, {}).items()}

    def _timing(self, task_id: str) -> Any:
        """Return the start and end times of a step; None if they were not recorded."""
        state = self.states.get(task_id)
        if state == "failed" and task_id in GP_TASKS:
            return self._ti.xcom_pull(task_ids=task_id, key=TIMING_KEY)
        try:
            record = self.results.record(task_id) if state == "success" else None
        except MissingResult:
            return None
        return (record.started, record.ended) if record else None

    @property
    def _ti(self) -> Any:
        return self.context["ti"]

    def _read_if_done(self, task_id: str, model: type[M]) -> M | None:
        """Return the result of a task; None if it failed or has not ended."""
        return self.read(task_id, model) if self.states.get(task_id) == "success" else None

    def read(self, task_id: str, model: type[M]) -> M:
        """Return the result of a task, or the fields of a model from it.

        Raises
        ------
        Failure
            The file of the result is missing or damaged. The message names it.
        """
        try:
            return self.results.read(task_id, model)
        except MissingResult:
            # A run that an earlier version started has XComs instead of files.
            if (result := self._ti.xcom_pull(task_ids=task_id)) is None:
                raise
        return model.model_validate(result, extra="ignore")


def run_of(context: Context) -> RunContext:
    """Read the run from Airflow's context.

    Raises
    ------
    InvalidInput
        The parameters of the run are invalid. The message names the field.
    """
    dag_run = context["dag_run"]
    return RunContext(
        run_id=dag_run.run_id,
        dag_id=dag_run.dag_id,
        conf=run_conf(context["params"]),
        created=dag_run.run_after,
        settings=process_settings(),
        context=context,
    )


def run_conf(params: Any) -> RunConf:
    """Return the validated parameters of a run."""
    return checked_params(RunConf, params)


def checked_params(model: type[M], params: Any) -> M:
    """Return the validated parameters of a run of any of our DAGs.

    Raises
    ------
    InvalidInput
        The parameters are invalid. The message names the fields.
    """
    from pydantic import ValidationError

    try:
        return model.model_validate(dict(params))
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise InvalidInput(f"dag_run.conf: {problems}") from error


@contextmanager
def reason_kept(context: Context) -> Iterator[None]:
    """Push the message of an error as the reason of the task."""
    try:
        yield
    except MxtVhfError as error:
        context["ti"].xcom_push(key=REASON_KEY, value=one_line(str(error), LONGEST_REASON))
        raise


@contextmanager
def airflow_errors(context: Context, log: Logger) -> Iterator[None]:
    """Log our errors in one line, push the line as an XCom, and convert them to Airflow's exceptions.

    ``NothingToDo`` skips the task and later ones. ``Retriable`` fails the task with a retry, and other errors
    fail it without a retry.
    """
    try:
        with reason_kept(context):
            yield
    except NothingToDo as reason:
        log.warning("nothing to do: %s", one_line(reason))
        raise AirflowSkipException(one_line(reason)) from None
    except Retriable as error:
        log.error("%s", one_line(error))
        raise
    except (InvalidInput, Failure) as error:
        log.error("%s", one_line(error))
        raise AirflowFailException(one_line(error)) from error
