"""The REST API of MXT-VHF, which starts and follows runs with the schema of GP's contract.

``app.create_app`` mounts it and checks on every route that the user may read runs. The endpoints are plain
functions, which FastAPI runs in threads, so that the database never blocks the API server.
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
from pydantic import AfterValidator
from sqlalchemy.orm import Session

from mxtvhf.archive.archive import Archive, QuarantineNote
from mxtvhf.archive.products import ReportSummary, report_summaries, report_summary
from mxtvhf.archive.stream_gaps import StreamGap, read_gaps
from mxtvhf.errors import InvalidInput, Retriable
from mxtvhf.followup.model import LineOfSight, Visibility
from mxtvhf.models.ids import BURST_ID_PATTERN, run_id_of
from mxtvhf.models.run_conf import RunConf
from mxtvhf.models.text import one_line
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
    unreadable_source,
)
from mxtvhf_airflow.dag_runs import find_run, latest_runs, questions, start_run

RUN_ID_PATTERN = r"^[A-Za-z0-9_.~:+-]{1,250}$"
"""Pattern of run ids in Airflow (``[scheduler] allowed_run_id_pattern``)."""
RUNS_LOOKED_AT = 1000
"""Number of newest runs used for the list of bursts."""

may_start_runs = Depends(requires_access_dag("POST", DagAccessEntity.RUN, DAG_ID))
BurstFilter = Annotated[str | None, Query(pattern=BURST_ID_PATTERN, examples=["sb26030704"])]
Limit = Annotated[int, Query(ge=1, le=RUNS_LOOKED_AT, description="Largest number of entries, newest first")]
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
        200: {"model": RunAnswer, "description": "The input was submitted before; current state of its run"},
        400: {"model": Problem, "description": "The body is not text"},
        409: {"model": Problem, "description": "Another input uses this burst id and sequence"},
        411: {"model": Problem, "description": "The request has no Content-Length"},
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
    """Start the run of an input. Its ``process_id`` is ``<burst_id>__<sequence>``, for tests with ``__test``.

    A test alert (VOEvent role ``test``) runs in the DAG ``mxt_vhf_test``, any other alert in ``mxt_vhf``.

    If the same input was submitted before, no run is started, and the answer is 200 with the existing run. A
    different input with the same burst id and sequence is rejected. A new input whose files cannot be read is
    rejected as well.
    """
    unreadable = unreadable_source(conf, _settings(request).input_folders())
    # The files of an input that was submitted before may be gone.
    run_id, created = run_id_of(conf.burst_id, conf.sequence), False
    if not unreadable:
        try:
            run_id, created = start_run(conf, user.get_name())
        except InvalidInput as error:
            raise HTTPException(422, str(error)) from None
        except Retriable as error:
            raise HTTPException(503, str(error), headers={"Retry-After": "5"}) from None
    found = find_run(run_id, session)
    if found is None and unreadable:
        raise HTTPException(422, unreadable)
    if found is None:
        raise HTTPException(
            503, f"run {run_id} was removed meanwhile; try again", headers={"Retry-After": "5"}
        )
    run, given = found
    if given != conf:
        fields = f"another {', '.join(differing(given, conf))}" if given else "an invalid configuration"
        raise HTTPException(409, f"run {run_id} exists with {fields}; use another sequence")
    if not created:
        response.status_code = 200
    return run_answer(run, _report(request, run_id), _base(request))


@router.get("/status", responses={404: {"model": Problem}})
def status(
    seqid: Annotated[
        str,
        Query(pattern=RUN_ID_PATTERN, description="Process id of the run", examples=["sb26030704__1"]),
    ],
    request: Request,
    session: SessionDep,
) -> RunAnswer:
    """Return the status of a run: state, failed steps with reasons, result and report."""
    found = find_run(seqid, session)
    if found is None:
        raise HTTPException(404, f"run {seqid} not found")
    run, _ = found
    return run_answer(run, _report(request, run.run_id), _base(request))


@router.get("/runs")
def runs(
    request: Request, session: SessionDep, burst_id: BurstFilter = None, limit: Limit = 50
) -> list[RunEntry]:
    """Return the runs, newest first."""
    base, now, desk_state = _base(request), datetime.now(UTC), _desk_state(request, session)
    found = latest_runs(session, burst_id=burst_id, limit=limit)
    reports = [(run, _report(request, run.run_id)) for run in found]
    return [
        run_entry(run, report, base, now=now, desk_state=desk_state(run, report)) for run, report in reports
    ]


@router.get("/bursts")
def bursts(request: Request, session: SessionDep, limit: Limit = 50) -> list[BurstEntry]:
    """Return the bursts among the newest 1000 runs, each with its newest run."""
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
    """Return the unreadable inputs with reason and time of reception, newest first."""
    from mxtvhf.sky_notices.unreadable import unreadable_inputs

    return unreadable_inputs(Archive(_settings(request).archive))[:limit]


@router.get("/gaps")
def gaps(request: Request, limit: Limit = 50) -> list[StreamGap]:
    """Return the gaps of streams, that is messages lost before reception, newest first."""
    return list(read_gaps(_settings(request).archive))[::-1][:limit]


@router.get("/latency")
def latencies(request: Request) -> list[Distribution]:
    """Return the distributions of the times from T0 and the input to the reports, and of each step (s)."""
    return latency(report_summaries(_products(request)))


def _in_utc(moment: datetime | None) -> datetime | None:
    """Return a time with its zone, as the command line reads it: UTC unless it has another."""
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


RightAscension = Annotated[
    float,
    Query(ge=0.0, le=360.0, description="Right ascension, ICRS, decimal degrees"),
    AfterValidator(lambda degrees: degrees % 360.0),
]
Declination = Annotated[float, Query(ge=-90.0, le=90.0, description="Declination, ICRS, decimal degrees")]
Moment = Annotated[
    datetime | None,
    Query(
        description="ISO 8601, UTC unless it has a zone; 1900 to 2098; default: now",
        examples=["2026-11-30T21:00:00Z"],
    ),
    AfterValidator(_in_utc),
]


@router.get("/line-of-sight")
def sight(
    request: Request, ra: RightAscension, dec: Declination, at: Moment = None,
    r90_arcsec: Annotated[float, Query(ge=0.0, le=648_000.0)] = 0.0,
) -> LineOfSight:  # fmt: skip
    """Return Galactic extinction and column, distances of Sun and Moon, and known sources in a direction.

    Known sources are searched within `r90_arcsec`, but at least within 10 arcmin and at most within 1 degree.
    """
    from mxtvhf.catalogues.store import CatalogueStore
    from mxtvhf.followup.line_of_sight import line_of_sight

    store = CatalogueStore(_settings(request).catalogues)
    return line_of_sight(ra, dec, at or datetime.now(UTC), r90_arcsec=r90_arcsec, catalogues=store)


@router.get(
    "/visibility",
    responses={
        404: {"model": Problem, "description": "No ephemeris of Sun and Moon for this time"},
        503: {"model": Problem, "description": "The file of telescopes is invalid"},
    },
)
def visible(request: Request, ra: RightAscension, dec: Declination, at: Moment = None) -> Visibility:
    """Return when each telescope of the list can observe a position in the 24 hours from a time."""
    from mxtvhf.followup.observatories import observatories
    from mxtvhf.followup.visibility import visibility

    try:
        telescopes = observatories(_settings(request).observatories)
    except InvalidInput as error:
        raise HTTPException(503, one_line(error)) from None
    try:
        return visibility(ra, dec, at or datetime.now(UTC), of=telescopes)
    except InvalidInput as error:
        raise HTTPException(404, one_line(error)) from None


def _desk_state(request: Request, session: Session) -> Callable[[Run, ReportSummary | None], str | None]:
    """Return a function that returns the desk's state of a run."""
    # Imported here, because the import is heavy and would delay the start of the API server.
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
    """Return the summary of a report, also marked as retracted if the burst was retracted after it."""
    report = report_summary(_products(request), run_id)
    if report is None:
        return None
    retraction = Archive(_settings(request).archive).retraction(report.burst_id, is_test=report.is_test)
    return report.model_copy(update={"is_retracted": report.is_retracted or retraction is not None})


def _products(request: Request) -> Path:
    return _settings(request).products


def _base(request: Request) -> str:
    """Return the root path of the REST API, including the prefix of a reverse proxy."""
    return str(request.scope.get("root_path", ""))
