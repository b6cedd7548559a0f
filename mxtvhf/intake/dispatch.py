"""Submission of planned runs to Airflow, repeated until Airflow has them."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from mxtvhf.archive.archive import Archive
from mxtvhf.errors import InvalidInput
from mxtvhf.intake.planned import PlannedRun, Submission, planned_runs, submission_path
from mxtvhf.models.files import write_once
from mxtvhf.models.text import escaped
from mxtvhf.workflow.airflow_api import AirflowApi

log = logging.getLogger(__name__)

ACTIVE = ("queued", "running")


def dispatch(run: PlannedRun, archive: Archive, api: AirflowApi) -> Submission:
    """Start a planned run and record its submission. Repeated calls have no further effect.

    A retraction also stops the active runs of its burst.

    Raises
    ------
    Failure, Retriable
        Airflow is unreachable, failing, or rejects our user. The call may be repeated later.
    """
    if run.packets and archive.retraction(run.conf.burst_id, is_test=run.is_test):
        return _note(run, archive, "withdrawn", "the burst was retracted before Airflow had the run")
    conf = run.conf.model_dump(mode="json", exclude_none=True)
    try:
        created = api.start_run(run.run_id, conf)
    except InvalidInput as error:
        log.error("burst %s, run %s: rejected by Airflow: %s", run.conf.burst_id, run.run_id, error)
        return _note(run, archive, "refused", str(error))
    if not created and not _is_ours(run, api.run(run.run_id)):
        log.warning("burst %s, run %s: run id already used by another input", run.conf.burst_id, run.run_id)
        return _note(run, archive, "taken", "run id already used by another input")
    if run.is_retraction:
        stop_runs(run, archive, api)
    elif run.packets and (retraction := archive.retraction(run.conf.burst_id, is_test=run.is_test)):
        # Another listener dispatched the retraction meanwhile, before this run had a submission.
        _stop(run, api, f"notice {retraction.ivorn}")
    log.info("burst %s, run %s %s", run.conf.burst_id, run.run_id, "created" if created else "already exists")
    return _note(run, archive, "accepted")


def stop_runs(retraction: PlannedRun, archive: Archive, api: AirflowApi) -> None:
    """Stop the active runs of a retracted burst, with a note that gives the reason."""
    burst_id = retraction.conf.burst_id
    for run, submission in planned_runs(archive, burst_id):
        if submission is None or submission.outcome != "accepted" or run.is_test != retraction.is_test:
            continue
        if run.packets:
            _stop(run, api, retraction.reason)


def _stop(run: PlannedRun, api: AirflowApi, reason: str) -> None:
    burst_id = run.conf.burst_id
    try:
        if api.run(run.run_id)["state"] in ACTIVE:
            api.stop_run(run.run_id, note=f"burst {burst_id} was retracted: {reason}")
            log.warning("burst %s, run %s: stopped, the burst was retracted", burst_id, run.run_id)
    except InvalidInput as error:
        # A user deleted the run, or it ended between the two calls. There is nothing to stop.
        log.warning("burst %s, run %s: not stopped: %s", burst_id, run.run_id, error)


def _is_ours(run: PlannedRun, known: dict[str, Any]) -> bool:
    conf = known.get("conf") or {}
    given = (run.conf.alert, run.conf.packets, run.conf.attitude)
    return (conf.get("alert"), conf.get("packets"), conf.get("attitude")) == given


def _note(run: PlannedRun, archive: Archive, outcome: Any, reason: str | None = None) -> Submission:
    shown = None if reason is None else escaped(reason)
    submission = Submission(outcome=outcome, reason=shown, posted=datetime.now(UTC))
    write_once(submission_path(archive, run), submission.model_dump_json(exclude_none=True).encode() + b"\n")
    return submission
