"""REST API of the reference GP: two endpoints of the contract, and two for its operator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi_offline import FastAPIOffline
from pydantic import BaseModel

from mxtvhf import __version__
from mxtvhf.errors import InvalidInput
from mxtvhf.simulator.gp.analysis import AnalysisResult, Localiser, event_file_of, localise_events
from mxtvhf.simulator.gp.jobs import Job, JobStore
from mxtvhf.simulator.gp.workers import Workers
from mxtvhf.workflow.body_limit import refuse_long_bodies
from mxtvhf.workflow.gp.contract import REFERENCE_SERVICE, GpAnswer, GpRequest, ProcessingDescriptor
from mxtvhf.workflow.runs import Problem

MAX_REQUEST = 65_536
"""Longest request body, bytes."""


class ServiceAnswer(GpAnswer):
    """Answer of the contract with the extended result of the reference GP."""

    result: AnalysisResult | None = None


class JobEntry(BaseModel):
    """Entry of the job list."""

    process_id: str
    state: str
    message: str | None
    request: GpRequest | None
    submitted: str
    ended: str | None


class ServiceHealth(BaseModel):
    """Health of the service, and number of jobs by state."""

    status: str
    version: str
    jobs: dict[str, int]


def create_app(
    data: Path,
    state: Path,
    *,
    workers: int = 2,
    delay: float = 0.0,
    localise: Localiser = localise_events,
) -> FastAPI:
    """Create the service.

    Parameters
    ----------
    data
        Folder below which event files may be read.
    state
        Folder of its jobs, which is created if missing. Only one process may use it.
    workers
        Number of concurrent analyses.
    delay
        Seconds added to every job, to imitate a slow GP.
    localise
        Function that localises the source of an event file.

    Raises
    ------
    Failure
        Another process uses the state folder, or it cannot be written.
    """
    store = JobStore(state)
    pool = Workers(store, data, count=workers, delay=delay, localise=localise)

    @asynccontextmanager
    async def _life(_: FastAPI) -> AsyncIterator[None]:
        pool.start()
        yield
        pool.stop()
        store.close()

    app = FastAPIOffline(
        title="MXT General Program: reference service",
        description="Replaces the partner's GP; analyses event files with the localisation of MXT-VHF.",
        version=__version__,
        lifespan=_life,
    )
    app.state.store, app.state.pool, app.state.data = store, pool, data
    app.middleware("http")(refuse_long_bodies(MAX_REQUEST))
    refusals = {400: "No such event file, or the body is not text", 411: "No length", 413: "Too long"}
    app.post("/processing", description=_summary(start), responses=_problems(refusals))(start)
    app.get("/status", description=_summary(status), responses=_problems({404: "No such job"}))(status)
    app.get("/jobs", description=_summary(jobs))(jobs)
    app.get("/health", description=_summary(health))(health)
    return app


def _summary(endpoint: Callable[..., object]) -> str:
    """Return the first line of a docstring; the OpenAPI page does not need the parameters."""
    return str(endpoint.__doc__).partition("\n")[0]


def _problems(causes: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": Problem, "description": cause} for status, cause in causes.items()}


def start(body: GpRequest, request: Request) -> ServiceAnswer:
    """Start an analysis; the same request again starts another one.

    Parameters
    ----------
    body
        Observation or event file to analyse.
    request
        HTTP request, which gives access to the service.
    """
    try:
        event_file_of(body, request.app.state.data)
    except InvalidInput as error:
        raise HTTPException(400, str(error)) from None
    job = request.app.state.store.submit(body)
    request.app.state.pool.wake()
    return _answer(job)


def status(seqid: Annotated[str, Query(min_length=1, max_length=256)], request: Request) -> ServiceAnswer:
    """Return the state of a job, and its result once it is completed.

    Parameters
    ----------
    seqid
        Process id of the job.
    request
        HTTP request, which gives access to the service.
    """
    job = request.app.state.store.get(seqid)
    if job is None:
        raise HTTPException(404, "no such process id")
    return _answer(job)


def jobs(request: Request, count: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[JobEntry]:
    """Return the latest jobs, newest first.

    Parameters
    ----------
    request
        HTTP request, which gives access to the service.
    count
        Largest number of jobs.
    """
    return [JobEntry(**_entry(job)) for job in request.app.state.store.latest(count)]


def health(request: Request) -> ServiceHealth:
    """Return the health of the service.

    Parameters
    ----------
    request
        HTTP request, which gives access to the service.
    """
    counts = {state.value: number for state, number in request.app.state.store.counts().items()}
    return ServiceHealth(status="ok", version=__version__, jobs=counts)


def _answer(job: Job) -> ServiceAnswer:
    descriptor = ProcessingDescriptor(
        process_id=job.process_id, state=job.state.value, message=job.message, service=REFERENCE_SERVICE
    )
    return ServiceAnswer(processing_descriptor=descriptor, result=job.result)


def _entry(job: Job) -> dict[str, Any]:
    return {name: getattr(job, name) for name in JobEntry.model_fields}
