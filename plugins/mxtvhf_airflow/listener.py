"""Airflow listener that queues a message in the outbox for each state change of a run or a step.

Airflow 3.3 calls the hooks of a step in the process of the step and the hooks of a run in the scheduler. If a
user sets a state, it calls both in the API server. It calls no hook for a step that the scheduler skips
because of an earlier step, and none for a killed process. The last message of a run is always sent.

Hooks must not fail or delay a run. A message is therefore one small file, no hook uses the network, and all
errors are only logged.
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

from mxtvhf.archive.archive import Archive
from mxtvhf.archive.products import product_folder, report_summary
from mxtvhf.errors import MxtVhfError
from mxtvhf.models.ids import BURST_ID_PATTERN, RUN_DAG_IDS, RunKind, kind_of_run
from mxtvhf.models.text import one_line
from mxtvhf.reporting.messages.model import RunMessage, StepMessage
from mxtvhf.reporting.messages.outbox import Outbox
from mxtvhf.reporting.messages.report_message import report_message
from mxtvhf_airflow.addresses import PREFIX
from mxtvhf_airflow.alert_role import is_test_alert
from mxtvhf_airflow.compat import step_conf
from mxtvhf_airflow.environment import process_settings

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    AnyTaskInstance = RuntimeTaskInstance | TaskInstance

log = logging.getLogger(__name__)

LONGEST_NOTE = 500
"""Longest note on a run, characters; Airflow's limit is 1000."""
REPORTS = {"preliminary_report": "preliminary/", "update_BA": ""}
"""Folder of the report below the products of the run, by the task that writes it."""


@hookimpl
def on_dag_run_running(dag_run: DagRun) -> None:
    """Queue the message that the run started."""
    _tell_run(dag_run, "started")


@hookimpl
def on_dag_run_success(dag_run: DagRun) -> None:
    """Queue the message that the run succeeded, and write its result as a note on the run."""
    _tell_run(dag_run, "succeeded")
    _note(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    """Queue the message that the run failed, write its result as a note, and notify people."""
    _tell_run(dag_run, "failed", msg)
    _note(dag_run)
    _notify_of_failure(dag_run)


@hookimpl
def on_task_instance_running(task_instance: AnyTaskInstance) -> None:
    """Queue the message that the step started or resumed after it was deferred."""
    _tell_step(task_instance, "started")


@hookimpl
def on_task_instance_success(task_instance: AnyTaskInstance) -> None:
    """Queue the message that the step succeeded, and one about the report that it wrote."""
    _tell_step(task_instance, "succeeded")
    if task_instance.task_id in REPORTS:
        _tell_report(task_instance)


@hookimpl
def on_task_instance_failed(task_instance: AnyTaskInstance, error: str | BaseException | None) -> None:
    """Queue the message that a try of the step failed or is being retried."""
    _tell_step(task_instance, "retrying" if task_instance.state == "up_for_retry" else "failed", error)


@hookimpl
def on_task_instance_skipped(task_instance: AnyTaskInstance) -> None:
    """Queue the message that the step was skipped."""
    _tell_step(task_instance, "skipped")


def _note(run: DagRun) -> None:
    """Write the headline of the report, or the reason for its absence, as a note for Airflow's grid.

    An existing note is kept.
    """
    try:
        if run.dag_id in RUN_DAG_IDS and not run.note and (text := _result(run)):
            run.note = text
    except Exception:
        # An error in the note must not affect the run.
        log.exception("run %s: note not written", run.run_id)


def _notify_of_failure(run: DagRun) -> None:
    """Record the failure for the notifier. Replays notify nobody, nor do runs that a retraction stopped."""
    try:
        about = _about(run, run.conf)
        if run.dag_id not in RUN_DAG_IDS or not process_settings().notification or about["is_replay"]:
            return
        if (burst_id := about["burst_id"]) is None:
            return
        is_test = bool(about["is_test"])
        if Archive(process_settings().archive).retraction(burst_id, is_test=is_test) is not None:
            return
        from mxtvhf.notification.ledger import Ledger
        from mxtvhf.notification.run_events import run_failed

        occurrence = run_failed(
            burst_id,
            run.run_id,
            is_test=is_test,
            reason=_result(run),
            desk=process_settings().desk,
            now=datetime.now(UTC),
        )
        Ledger(process_settings().notifications).raise_occurrence(occurrence)
    except Exception:
        # An error in the notification must not affect the run.
        log.exception("run %s: failure not recorded for notification", run.run_id)


def _result(run: DagRun) -> str | None:
    """Return the headline of the run's report, or else the reasons recorded by its steps."""
    summary = report_summary(process_settings().products, run.run_id)
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
            folder = product_folder(process_settings().products, burst_id, step.run_id) / below
            base = airflow_configuration.get("api", "base_url", fallback="")
            url = f"{base.rstrip('/')}{PREFIX}/runs/{quote(step.run_id, safe='')}/{below}".rstrip("/")
            outbox.put(report_message(folder / "report.json", url=url if base else None))


@contextmanager
def _outbox_for(it: DagRun | AnyTaskInstance) -> Iterator[Outbox | None]:
    """Yield the outbox for one of our runs or steps, or None if no message is needed, and log errors."""
    try:
        wanted = it.dag_id in RUN_DAG_IDS and process_settings().nats_url
        yield Outbox(process_settings().outbox) if wanted else None
    except Exception:
        # An error in a message must not affect the run.
        log.exception("run %s: message not queued", it.run_id)


def _about(it: DagRun | AnyTaskInstance, conf: dict[str, Any] | None) -> dict[str, Any]:
    """Return the fields about the run that all messages have."""
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
