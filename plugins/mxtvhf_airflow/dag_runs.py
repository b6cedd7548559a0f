"""Runs of alerts in Airflow's database, in all of our DAGs: start, find and list them.

Only the API server and the scheduler use this module.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from airflow.api.common.trigger_dag import trigger_dag
from airflow.exceptions import DagNotFound, DagRunAlreadyExists
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.sdk import BaseXCom
from airflow.sdk.exceptions import ParamValidationError
from airflow.utils.state import DagRunState, State
from airflow.utils.types import DagRunTriggeredByType
from pydantic import ValidationError
from sqlalchemy import func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from mxtvhf.archive.products import product_folder
from mxtvhf.crosscheck.model import GpOutcome
from mxtvhf.desk.decision import DECISION_TASK_ID, AskedQuestion
from mxtvhf.errors import Failure, InvalidInput, Retriable
from mxtvhf.models.base import Model
from mxtvhf.models.ids import RUN_DAG_IDS, TEST_MARK, RunKind, kind_of_run, run_id_of
from mxtvhf.models.kept import log_once
from mxtvhf.models.run_conf import RunConf
from mxtvhf.workflow.airflow_api import DECISION_DAG_ID
from mxtvhf.workflow.runs import REASON_UNKNOWN, Run, StepProblem
from mxtvhf.workflow.step_results import StepResults
from mxtvhf.workflow.steps.start_mxt_gp_pipeline import GpStart
from mxtvhf_airflow.alert_role import is_test_alert
from mxtvhf_airflow.environment import process_settings
from mxtvhf_airflow.gp_outcome import OUTCOME_KEY
from mxtvhf_airflow.run_context import GP_TASKS, REASON_KEY, TIMING_KEY

M = TypeVar("M", bound=Model)


def start_run(conf: RunConf, user: str) -> tuple[str, bool]:
    """Start the run of an input like ``POST dagRuns``, in the DAG for the role of its alert.

    A test gets the same run id as from the intake, so that it never takes the id of a live run. An unreadable
    alert counts as live; its run fails and reports the reason.

    Parameters
    ----------
    conf
        The input.
    user
        Name of the user in Airflow.

    Returns
    -------
    tuple
        The run id, and True if the run was started now or False if it already existed.

    Raises
    ------
    Retriable
        Airflow has not read the DAG yet.
    InvalidInput
        The parameters are invalid for the DAG.
    """
    kind = RunKind.TEST if is_test_alert(conf.alert) else RunKind.LIVE
    run_id = run_id_of(conf.burst_id, conf.sequence, is_test=kind is RunKind.TEST)
    try:
        trigger_dag(
            kind.dag_id,
            run_id=run_id,
            conf=conf.model_dump(mode="json"),
            triggered_by=DagRunTriggeredByType.REST_API,
            triggering_user_name=user,
        )
    except (DagRunAlreadyExists, IntegrityError):
        # IntegrityError: another request inserted the run after Airflow's check.
        return run_id, False
    except DagNotFound:
        raise Retriable(f"Airflow has not read the DAG {kind.dag_id} yet; try again") from None
    except (ParamValidationError, ValueError) as error:
        raise InvalidInput(f"invalid parameters for the DAG {kind.dag_id}: {error}") from None
    return run_id, True


def find_run(run_id: str, session: Session) -> tuple[Run, RunConf | None] | None:
    """Return a run and its input; None without a run of this id.

    A test run is also found without the mark at the end of its id. The input is None for a run with an
    invalid configuration, which only Airflow's own API accepts.
    """
    names = (run_id, run_id + TEST_MARK)
    found = session.scalars(
        select(DagRun)
        .where(DagRun.dag_id.in_(RUN_DAG_IDS), DagRun.run_id.in_(names))
        .order_by(func.length(DagRun.run_id), DagRun.id.desc())
        .limit(1)
    ).one_or_none()
    if found is None:
        return None
    is_paused = session.scalar(select(DagModel.is_paused).where(DagModel.dag_id == found.dag_id))
    run = _run(found, problems_of(found, session))
    more = {"is_paused": bool(is_paused), **_gp_of(found, session)}
    return run.model_copy(update=more), _conf(found)


def latest_runs(session: Session, *, burst_id: str | None, limit: int) -> list[Run]:
    """Return the newest runs of one burst or all bursts, newest first, without their problems."""
    query = select(DagRun).where(DagRun.dag_id.in_(RUN_DAG_IDS))
    if burst_id is not None:
        query = query.where(DagRun.conf["burst_id"].as_string() == burst_id)
    newest = query.order_by(DagRun.run_after.desc(), DagRun.id.desc()).limit(limit)
    return [_run(found) for found in session.scalars(newest)]


def failures(session: Session, run_ids: Collection[str]) -> dict[str, str]:
    """Return the reason of each failed run: its first failed step, with the recorded reason."""
    failed = session.execute(
        select(TaskInstance.run_id, TaskInstance.task_id)
        .where(TaskInstance.dag_id.in_(RUN_DAG_IDS), TaskInstance.run_id.in_(run_ids))
        .where(TaskInstance.state == "failed")
        .order_by(TaskInstance.end_date.desc())
    )
    steps = {row.run_id: row.task_id for row in failed}
    recorded = session.scalars(
        select(XComModel)
        .where(XComModel.dag_id.in_(RUN_DAG_IDS), XComModel.run_id.in_(run_ids))
        .where(XComModel.key == REASON_KEY)
    )
    reasons = {(xcom.run_id, xcom.task_id): str(XComModel.deserialize_value(xcom)) for xcom in recorded}
    return {
        run_id: f"{step}: {reasons.get((run_id, step), REASON_UNKNOWN)}" for run_id, step in steps.items()
    }


def runs_by_state(session: Session) -> dict[str, int]:
    """Return the number of runs by state."""
    query = select(DagRun.state, func.count()).where(DagRun.dag_id.in_(RUN_DAG_IDS)).group_by(DagRun.state)
    return {str(state): number for state, number in session.execute(query)}


JUST_ANSWERED = timedelta(hours=1)


def questions(
    session: Session, run_ids: Collection[str] | None = None, *, just_answered: bool = False
) -> list[AskedQuestion]:
    """Return questions to the Burst Advocate about runs, with their answers.

    Parameters
    ----------
    session
        Session of Airflow's database.
    run_ids
        Runs whose questions are returned; None for the open questions of all runs.
    just_answered
        Return also questions answered within `JUST_ANSWERED`, because the answers may not be on disk yet.
    """
    query = (
        select(TaskInstance, HITLDetail, DagRun.state)
        .join(HITLDetail, HITLDetail.ti_id == TaskInstance.id)
        .join(DagRun, (DagRun.dag_id == TaskInstance.dag_id) & (DagRun.run_id == TaskInstance.run_id))
        .where(TaskInstance.dag_id == DECISION_DAG_ID, TaskInstance.task_id == DECISION_TASK_ID)
    )
    if run_ids is None:
        lately = [HITLDetail.responded_at > datetime.now(UTC) - JUST_ANSWERED] if just_answered else []
        query = query.where(or_(HITLDetail.responded_at.is_(None), *lately))
    else:
        query = query.where(TaskInstance.run_id.in_(run_ids))
    # A question whose task has ended without an answer can no longer be answered.
    return [
        _question(task, asked, run_state)
        for task, asked, run_state in session.execute(query)
        if asked.responded_at is not None or task.state not in State.finished
    ]


def _question(task: TaskInstance, asked: HITLDetail, run_state: str) -> AskedQuestion:
    question = AskedQuestion(run_id=task.run_id, asked=asked.created_at)
    if asked.responded_at is None or task.state == State.UP_FOR_RETRY:
        # The answer was about an outdated report, so the question will be asked again.
        return question
    return replace(
        question,
        answer=", ".join(asked.chosen_options or ()) or None,
        answered=asked.responded_at,
        answered_by=asked.responded_by["name"] if asked.responded_by else None,
        is_failed=run_state == DagRunState.FAILED,
    )


def _conf(found: DagRun) -> RunConf | None:
    try:
        return RunConf.model_validate(found.conf)
    except ValidationError:
        return None


def _run(found: DagRun, problems: Iterable[StepProblem] = ()) -> Run:
    conf = _conf(found)
    return Run(
        run_id=found.run_id,
        dag_id=found.dag_id,
        burst_id=conf.burst_id if conf else None,
        sequence=conf.sequence if conf else None,
        state=found.state,
        created=found.run_after,
        started=found.start_date,
        ended=found.end_date,
        problems=tuple(problems),
        is_test=_is_test(found, conf),
    )


def _is_test(found: DagRun, conf: RunConf | None) -> bool | None:
    """Return True if the alert of a run is a test. It is read once, and only if the run id does not tell."""
    kind = kind_of_run(found.run_id)
    if kind is RunKind.TEST:
        return True
    if conf is None or kind is RunKind.REPLAY:
        return None
    if found.id not in _roles:
        if len(_roles) >= MOST_ROLES:
            _roles.clear()
        _roles[found.id] = is_test_alert(conf.alert)
    return _roles[found.id]


MOST_ROLES = 10_000
_roles: dict[int, bool | None] = {}
"""Cache of the test flag of alerts by the number of the run in the database; at most ``MOST_ROLES``."""


def problems_of(run: DagRun, session: Session) -> Iterable[StepProblem]:
    """Yield the failed steps, and the skipped steps with a reason, ordered by their end times."""
    tasks = session.scalars(
        select(TaskInstance)
        .where(TaskInstance.dag_id == run.dag_id, TaskInstance.run_id == run.run_id)
        .where(TaskInstance.state.in_(("failed", "skipped")))
        .order_by(TaskInstance.end_date)
    )
    reasons = _reasons(run, session)
    for task in tasks:
        reason = reasons.get(task.task_id)
        if reason or task.state == "failed":
            yield StepProblem(step=task.task_id, state=str(task.state), reason=reason or REASON_UNKNOWN)


def _gp_of(run: DagRun, session: Session) -> dict[str, Any]:
    """Return the state of GP's analysis as the fields ``gp`` and ``gp_requested`` of a run."""
    wait, start = GP_TASKS
    results, conf = None, _conf(run)
    if conf is not None:
        out = product_folder(process_settings().products, conf.burst_id, run.run_id)
        results = StepResults(out, run.dag_id, run.run_id)
    outcome = _written(results, wait, GpOutcome)
    started = _written(results, start, GpStart)
    if started is not None:
        asked = results.record(start).ended if results and started.process_id else None
        outcome = outcome or started.not_asked or _gp_xcoms(run, session)["gp"]
        return {"gp": outcome, "gp_requested": asked}
    return _gp_xcoms(run, session)


def _written(results: StepResults | None, task_id: str, model: type[M]) -> M | None:
    """Return the result of a step; None if there is none or it is unreadable, which is logged."""
    try:
        return results.read_if_written(task_id, model) if results else None
    except Failure as error:
        log_once(str(error))
        return None


def _gp_xcoms(run: DagRun, session: Session) -> dict[str, Any]:
    """Return the same from XComs: the reason of a failed task, and all results of earlier versions."""
    wait, start = GP_TASKS
    left = session.scalars(
        select(XComModel).where(
            XComModel.dag_id == run.dag_id, XComModel.run_id == run.run_id, XComModel.task_id.in_(GP_TASKS)
        )
    )
    values: dict[tuple[str, str], Any] = {
        (xcom.task_id, xcom.key): XComModel.deserialize_value(xcom) for xcom in left
    }
    keys = ((wait, BaseXCom.XCOM_RETURN_KEY), (wait, OUTCOME_KEY), (start, OUTCOME_KEY))
    outcome = next((values[key] for key in keys if values.get(key)), None)
    is_asked, timing = values.get((start, BaseXCom.XCOM_RETURN_KEY)), values.get((start, TIMING_KEY))
    return {
        "gp": GpOutcome.model_validate(outcome) if outcome else None,
        "gp_requested": datetime.fromisoformat(timing[1]) if is_asked and timing else None,
    }


def _reasons(run: DagRun, session: Session) -> dict[str, str]:
    """Return the reasons recorded by the tasks of a run, by step."""
    left = session.scalars(
        select(XComModel)
        .where(XComModel.dag_id == run.dag_id, XComModel.run_id == run.run_id)
        .where(XComModel.key.in_((REASON_KEY, OUTCOME_KEY)))
    )
    values: dict[str, Any] = {xcom.task_id: XComModel.deserialize_value(xcom) for xcom in left}
    return {
        step: str(value["reason"] if isinstance(value, dict) else value) for step, value in values.items()
    }
