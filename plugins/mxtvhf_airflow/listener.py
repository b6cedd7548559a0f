"""Airflow's listener: each change of a run or a step becomes a message in the outbox.

Airflow 3.3 calls the hooks of a step in the step's own process, those of a run in the scheduler, and both in
the API server when a person sets a state by hand. It calls none for a step that the scheduler skips because
an earlier one was skipped or failed, and a process that is killed says nothing more; the run's last message
comes in any case.

Nothing here may fail or slow a run: a message is one small file, no network is used, and every error ends in
the log.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from airflow.listeners import hookimpl
from airflow.sdk.configuration import conf as airflow_configuration
from airflow.sdk.exceptions import AirflowException

from mxtvhf.archive.products import product_folder, report_summary
from mxtvhf.errors import MxtVhfError
from mxtvhf.models.ids import BURST_ID_PATTERN, RUN_DAG_IDS, RunKind, kind_of_run
from mxtvhf.models.text import one_line
from mxtvhf.reporting.messages.model import RunMessage, StepMessage
from mxtvhf.reporting.messages.outbox import Outbox
from mxtvhf.reporting.messages.report_message import report_message
from mxtvhf_airflow.alert_role import is_test_alert, settings
from mxtvhf_airflow.compat import step_conf
from mxtvhf_airflow.links import PREFIX

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    AnyTaskInstance = RuntimeTaskInstance | TaskInstance

log = logging.getLogger(__name__)

LONGEST_NOTE = 500
"""Longest note on a run, characters; Airflow holds 1000."""
REPORTS = {"preliminary_report": "preliminary/", "update_BA": ""}
"""Tasks that write a report -> the folder of the report below the run's products."""


@hookimpl
def on_dag_run_running(dag_run: DagRun) -> None:
    """Queue a message: the run started."""
    _tell_run(dag_run, "started")


@hookimpl
def on_dag_run_success(dag_run: DagRun) -> None:
    """Queue a message: the run succeeded; note its result on the run."""
    _tell_run(dag_run, "succeeded")
    _note(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    """Queue a message: the run failed; note its result on the run, and have people notified."""
    _tell_run(dag_run, "failed", msg)
    _note(dag_run)
    _notify_of_failure(dag_run)


@hookimpl
def on_task_instance_running(task_instance: AnyTaskInstance) -> None:
    """Queue a message: the step started, or resumed after it was deferred."""
    _tell_step(task_instance, "started")


@hookimpl
def on_task_instance_success(task_instance: AnyTaskInstance) -> None:
    """Queue a message: the step succeeded; and one with the report that it wrote."""
    _tell_step(task_instance, "succeeded")
    if task_instance.task_id in REPORTS:
        _tell_report(task_instance)


@hookimpl
def on_task_instance_failed(task_instance: AnyTaskInstance, error: str | BaseException | None) -> None:
    """Queue a message: a try of the step failed, and whether it is retried."""
    _tell_step(task_instance, "retrying" if task_instance.state == "up_for_retry" else "failed", error)


@hookimpl
def on_task_instance_skipped(task_instance: AnyTaskInstance) -> None:
    """Queue a message: the step was skipped."""
    _tell_step(task_instance, "skipped")


def _note(run: DagRun) -> None:
    """Write the headline of the run's report, or why there is none, on the run: Airflow's grid shows it.

    A note that somebody else wrote stays.
    """
    try:
        if run.dag_id in RUN_DAG_IDS and not run.note and (text := _result(run)):
            run.note = text
    except Exception:
        # Whatever it is, the run is worth more than a note on it.
        log.exception("run %s: it has no note", run.run_id)


def _notify_of_failure(run: DagRun) -> None:
    """Keep the event that people are notified of; a replay wakes nobody."""
    try:
        about = _about(run, run.conf)
        if run.dag_id not in RUN_DAG_IDS or not settings().notification or about["is_replay"]:
            return
        if (burst_id := about["burst_id"]) is None:
            return
        from mxtvhf.notification.ledger import Ledger
        from mxtvhf.notification.run_events import run_failed

        occurrence = run_failed(
            burst_id,
            run.run_id,
            is_test=bool(about["is_test"]),
            reason=_result(run),
            desk=settings().desk,
            now=datetime.now(UTC),
        )
        Ledger(settings().notifications).raise_occurrence(occurrence)
    except Exception:
        # Whatever it is, the run is worth more than a notification of it.
        log.exception("run %s: nobody is notified of its failure", run.run_id)


def _result(run: DagRun) -> str | None:
    """Return the headline of the run's report, else what its steps left as their reasons."""
    summary = report_summary(settings().products, run.run_id)
    if summary is not None:
        return summary.headline
    from sqlalchemy.orm import object_session

    from mxtvhf_airflow.dag_runs import problems_of

    session = object_session(run)
    reasons = [problem.reason for problem in problems_of(run, session)] if session else []
    return one_line("; ".join(reasons), LONGEST_NOTE) or None


def _tell_run(
    run: DagRun, state: Literal["started", "succeeded", "failed"], reason: str | None = None
) -> None:
    with _outbox_for(run) as outbox:
        if outbox:
            outbox.put(RunMessage(**_about(run, run.conf), state=state, reason=reason))


def _tell_step(
    step: AnyTaskInstance,
    state: Literal["started", "succeeded", "failed", "skipped", "retrying"],
    error: str | BaseException | None = None,
) -> None:
    with _outbox_for(step) as outbox:
        if outbox:
            outbox.put(
                StepMessage(
                    **_about(step, step_conf(step)),
                    task_id=step.task_id,
                    state=state,
                    try_number=step.try_number,
                    error=_reason(error),
                )
            )


def _tell_report(step: AnyTaskInstance) -> None:
    with _outbox_for(step) as outbox:
        if outbox:
            below, burst_id = REPORTS[step.task_id], _about(step, step_conf(step))["burst_id"]
            folder = product_folder(settings().products, burst_id, step.run_id) / below
            base = airflow_configuration.get("api", "base_url", fallback="")
            url = f"{base.rstrip('/')}{PREFIX}/runs/{quote(step.run_id, safe='')}/{below}".rstrip("/")
            outbox.put(report_message(folder / "report.json", url=url if base else None))


@contextmanager
def _outbox_for(it: DagRun | AnyTaskInstance) -> Iterator[Outbox | None]:
    """Give the outbox for a run or step of ours, None where nothing is to be told; log what goes wrong."""
    try:
        wanted = it.dag_id in RUN_DAG_IDS and settings().nats_url
        yield Outbox(settings().outbox) if wanted else None
    except Exception:
        # Whatever it is, the run is worth more than a message about it.
        log.exception("run %s: a message is lost", it.run_id)


def _about(it: DagRun | AnyTaskInstance, conf: dict[str, Any] | None) -> dict[str, Any]:
    """Return what every message says of its run."""
    given = conf or {}
    burst_id = str(given.get("burst_id"))
    return {
        "burst_id": burst_id if re.match(BURST_ID_PATTERN, burst_id) else None,
        "run_id": it.run_id,
        "is_test": is_test_alert(given.get("alert")),
        "is_replay": kind_of_run(it.run_id, it.dag_id) is RunKind.REPLAY,
    }


def _reason(error: str | BaseException | None) -> str | None:
    if isinstance(error, BaseException) and not (
        str(error) and isinstance(error, AirflowException | MxtVhfError)
    ):
        return f"{type(error).__name__}: {error}"
    return None if error is None else str(error)
