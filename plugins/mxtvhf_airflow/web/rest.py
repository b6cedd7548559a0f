"""The REST API of MXT-VHF: start and follow runs with the schema of GP's contract.

Mounted by ``app.create_app``, whose dependency asks Airflow for the right to read runs on every route.
Plain functions: FastAPI runs them in threads, so that the database never blocks the API server.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import APIRouter, Body, Depends, HTTPException, Query, Request, Response
from sqlalchemy.orm import Session

from mxtvhf.archive.archive import Archive, QuarantineNote
from mxtvhf.archive.products import ReportSummary, report_summaries, report_summary
from mxtvhf.archive.stream_gaps import StreamGap, read_gaps
from mxtvhf.errors import InvalidInput, Retriable
from mxtvhf.models.ids import BURST_ID_PATTERN
from mxtvhf.models.run_conf import RunConf
from mxtvhf.settings import Settings
from mxtvhf.workflow.airflow_api import DAG_ID
from mxtvhf.workflow.latency import Distribution, latency
from mxtvhf.workflow.runs import (
    BurstEntry,
    Problem,
    Run,
    RunAnswer,
    RunEntry,
    burst_entries,
    differing,
    run_answer,
    run_entry,
)
from mxtvhf_airflow.dag_runs import find_run, latest_runs, questions, start_run

RUN_ID_PATTERN = r"^[A-Za-z0-9_.~:+-]{1,250}$"
"""Run ids that Airflow allows (``[scheduler] allowed_run_id_pattern``)."""
RUNS_LOOKED_AT = 1000
"""Number of newest runs from which the list of bursts is made."""

may_start_runs = Depends(requires_access_dag("POST", DagAccessEntity.RUN, DAG_ID))
BurstFilter = Annotated[str | None, Query(pattern=BURST_ID_PATTERN, examples=["sb26030704"])]
Limit = Annotated[int, Query(ge=1, le=RUNS_LOOKED_AT, description="How many at most, newest first")]
EXAMPLE = {
    "burst_id": "sb26030704",
    "sequence": 1,
    "alert": "file:///tmp/burst/alert.xml",
    "packets": "file:///tmp/burst/packets.bin",
}

router = APIRouter()


@router.post(
    "/processing",
    status_code=201,
    dependencies=[may_start_runs],
    responses={
        200: {"model": RunAnswer, "description": "The same input was given before: its run as it stands"},
        400: {"model": Problem, "description": "The body is no text"},
        409: {"model": Problem, "description": "Another input has this burst and sequence"},
        411: {"model": Problem, "description": "The request names no length"},
        413: {"model": Problem, "description": "The request is too long"},
        503: {"model": Problem, "description": "Airflow has not read the DAG yet; try again"},
    },
)
def start_processing(
    conf: Annotated[RunConf, Body(openapi_examples={"burst": {"value": EXAMPLE}})],
    request: Request,
    response: Response,
    session: SessionDep,
    user: GetUserDep,
) -> RunAnswer:
    """Start the run of an input; its ``process_id`` is ``<burst_id>__<sequence>``, of a test with ``__test``.

    A test alert (VOEvent role ``test``) runs in the DAG ``mxt_vhf_test``, any other in ``mxt_vhf``.

    The same input again starts nothing and answers 200 with the run that is there. Another input under the
    same burst and sequence is refused.
    """
    try:
        run_id, created = start_run(conf, user.get_name())
    except InvalidInput as error:
        raise HTTPException(422, str(error)) from None
    except Retriable as error:
        raise HTTPException(503, str(error), headers={"Retry-After": "5"}) from None
    found = find_run(run_id, session)
    if found is None:
        raise HTTPException(503, f"run {run_id} was removed meanwhile", headers={"Retry-After": "5"})
    run, given = found
    if given != conf:
        fields = f"another {', '.join(differing(given, conf))}" if given else "an unsound configuration"
        raise HTTPException(409, f"run {run_id} exists with {fields}; use another sequence")
    if not created:
        response.status_code = 200
    return run_answer(run, _report(request, run_id), _base(request))


@router.get("/status", responses={404: {"model": Problem}})
def status(
    seqid: Annotated[
        str,
        Query(pattern=RUN_ID_PATTERN, description="A process id", examples=["sb26030704__1"]),
    ],
    request: Request,
    session: SessionDep,
) -> RunAnswer:
    """Tell where a run stands: its state, what failed and why, its result and its report."""
    found = find_run(seqid, session)
    if found is None:
        raise HTTPException(404, f"no run {seqid}")
    run, _ = found
    return run_answer(run, _report(request, run.run_id), _base(request))


@router.get("/runs")
def runs(
    request: Request, session: SessionDep, burst_id: BurstFilter = None, limit: Limit = 50
) -> list[RunEntry]:
    """List the runs, newest first."""
    base, now, desk_state = _base(request), datetime.now(UTC), _desk_state(request, session)
    found = latest_runs(session, burst_id=burst_id, limit=limit)
    reports = [(run, _report(request, run.run_id)) for run in found]
    return [
        run_entry(run, report, base, now=now, desk_state=desk_state(run, report)) for run, report in reports
    ]


@router.get("/bursts")
def bursts(request: Request, session: SessionDep, limit: Limit = 50) -> list[BurstEntry]:
    """List the bursts among the newest 1000 runs, each with its newest run."""
    newest = latest_runs(session, burst_id=None, limit=RUNS_LOOKED_AT)
    return burst_entries(
        newest,
        partial(_report, request),
        _base(request),
        limit=limit,
        now=datetime.now(UTC),
        desk_state=_desk_state(request, session),
    )


@router.get("/quarantine")
def quarantine(request: Request, limit: Limit = 50) -> list[QuarantineNote]:
    """List what could not be read, why, and when it came; newest first."""
    return Archive(_settings(request).archive).quarantined()[:limit]


@router.get("/gaps")
def gaps(request: Request, limit: Limit = 50) -> list[StreamGap]:
    """List the messages that were lost inside a stream before they arrived here; newest first."""
    return list(read_gaps(_settings(request).archive))[::-1][:limit]


@router.get("/latency")
def latencies(request: Request) -> list[Distribution]:
    """Tell how long it takes from T0 and from the input to the reports, and each step; seconds."""
    return latency(report_summaries(_products(request)))


def _desk_state(request: Request, session: Session) -> Callable[[Run, ReportSummary | None], str | None]:
    """Return the function that gives the desk's word for a run of a burst."""
    # Heavy, and every Airflow process imports this module.
    from mxtvhf.desk.files import DeskFiles

    files = DeskFiles(_settings(request))
    asked = {question.run_id: question for question in questions(session, just_answered=True)}

    def word(run: Run, report: ReportSummary | None) -> str | None:
        if run.burst_id is None:
            return None
        question = asked.get(run.run_id)
        is_asked = question is not None and question.is_open
        answer = question.standing_answer if question else None
        return files.state_words(run, files.state(run, report, is_asked=is_asked, answer=answer))

    return word


def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


def _report(request: Request, run_id: str) -> ReportSummary | None:
    """Return the report of a run in short; it is marked, too, when the burst was taken back after it."""
    report = report_summary(_products(request), run_id)
    if report is None:
        return None
    retraction = Archive(_settings(request).archive).retraction(report.burst_id, is_test=report.is_test)
    return report.model_copy(update={"is_retracted": report.is_retracted or retraction is not None})


def _products(request: Request) -> Path:
    return _settings(request).products


def _base(request: Request) -> str:
    """Return the path under which the face is reached; what is before it is the reverse proxy's."""
    return str(request.scope.get("root_path", ""))
