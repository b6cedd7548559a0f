"""What MXT-VHF's own REST API says of its runs, by GP's contract (``gp/contract.py``).

An orchestrator that knows GP knows us: ``POST processing`` answers with a ``processing_descriptor``, ``GET
status`` with its state and the result. What a run has beyond that stands in ``run``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from enum import StrEnum
from urllib.parse import quote

from pydantic import AwareDatetime, Field

from mxtvhf.archive.products import ReportSummary
from mxtvhf.crosscheck.model import GpOutcome
from mxtvhf.models.base import Model
from mxtvhf.models.ids import BurstId, RunKind, kind_of_run
from mxtvhf.models.position import Position
from mxtvhf.models.run_conf import RunConf
from mxtvhf.models.text import one_line
from mxtvhf.workflow.gp.contract import GpAnswer, GpResult, GpState, ProcessingDescriptor

SERVICE = "mxt-vhf"
"""What we call ourselves in ``processing_descriptor.service``."""
REASON_UNKNOWN = "ended without a reason of its own; its log tells"


class Problem(Model):
    """Why a request was refused, in one line."""

    detail: str


class AirflowState(StrEnum):
    """Airflow's word for the state of a run."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"


class StepProblem(Model):
    """A step that failed, or that found nothing to do."""

    step: str = Field(examples=["wait_mxt_gp"])
    state: str = Field(examples=["failed"])
    """``failed`` or ``skipped``."""
    reason: str = Field(examples=["GP process 4711 failed: no attitude"])


class Run(Model):
    """A run as Airflow knows it."""

    run_id: str
    dag_id: str = Field(default=RunKind.LIVE.dag_id, examples=[RunKind.TEST.dag_id])
    burst_id: BurstId | None
    """None: the run was started with a configuration that names no burst."""
    sequence: int | None
    state: AirflowState
    created: AwareDatetime
    started: AwareDatetime | None = None
    ended: AwareDatetime | None = None
    is_paused: bool = False
    """True when Airflow starts no task of it, since the DAG is paused."""
    problems: tuple[StepProblem, ...] = ()
    is_test: bool | None = None
    """The role of its alert says that it is a test; None: the alert cannot be read."""
    gp: GpOutcome | None = None
    """What GP gave, or why it gave nothing; None while it is not known, and in lists."""
    gp_requested: AwareDatetime | None = None
    """When GP was asked for its analysis; None where it was not (yet), and in lists."""


class ReportReference(Model):
    """The report of a run in short, and where to get it."""

    status: str
    """``preliminary`` or ``final``."""
    written: AwareDatetime
    headline: str
    best_position: Position | None
    is_test: bool
    is_replay: bool
    is_retracted: bool
    url: str
    """The page for people."""
    json_url: str
    products: dict[str, str]
    """Name -> URL."""


class RunAnswer(GpAnswer):
    """The answer to ``POST processing`` and ``GET status``: GP's contract, and our own part."""

    run: Run
    report: ReportReference | None = None
    """The final report, before it the preliminary one."""


class RunEntry(Model):
    """A line of the list of runs."""

    process_id: str
    burst_id: BurstId | None
    state: GpState
    age_s: float
    """Since the run was made, seconds."""
    created: AwareDatetime
    best_position: Position | None
    is_test: bool | None
    """None, as the two below, while there is no report."""
    is_replay: bool | None
    is_retracted: bool | None
    report_url: str | None
    desk_state: str | None = None
    """Where it stands in the desk's words, e.g. ``awaiting decision``; None from earlier versions."""


class BurstEntry(Model):
    """A line of the list of bursts."""

    burst_id: BurstId
    age_s: float
    """Since T0, or since its first run where no report tells T0, seconds."""
    runs: int
    latest: RunEntry
    """Its newest run that is no replay; where there are only replays the newest one."""


def differing(first: RunConf, second: RunConf) -> list[str]:
    """Name the fields in which two inputs differ."""
    return [name for name in RunConf.model_fields if getattr(first, name) != getattr(second, name)]


def result_of(report: ReportSummary | None) -> GpResult | None:
    """Return the best position of a report as a result by the contract; None without one, or without radius.

    Where only the total radius is known it is given as the statistical one, with a systematic of zero.
    """
    best = report.best_position if report else None
    if best is None or best.r90_arcsec is None:
        return None
    radii = (best.r90_arcsec, 0.0)
    if best.r90_stat_arcsec is not None:
        radii = (best.r90_stat_arcsec, best.r90_sys_arcsec)
    return GpResult(
        ra_deg=best.ra_deg, dec_deg=best.dec_deg, r90_stat_arcsec=radii[0], r90_sys_arcsec=radii[1]
    )


def state_of(run: Run, report: ReportSummary | None) -> GpState:
    """Return the state in the contract's words.

    COMPLETED is a run that ended with a position, whatever else of it failed; FAILED one that ended without,
    because a step failed or because there was nothing to localise.
    """
    if run.state is AirflowState.QUEUED:
        return GpState.PENDING
    if run.state is AirflowState.RUNNING:
        return GpState.RUNNING
    return GpState.COMPLETED if result_of(report) else GpState.FAILED


def message_of(run: Run, state: GpState) -> str | None:
    """Say in one line what failed, why there is no position, or why the run does not go on."""
    problems = "; ".join(f"{one_line(problem.step, 200)}: {problem.reason}" for problem in run.problems)
    if state is GpState.FAILED:
        return problems or "the run ended without a position"
    if run.is_paused and not state.is_final:
        return "the DAG is paused in Airflow: nothing runs until it is unpaused"
    return problems or None


def run_answer(run: Run, report: ReportSummary | None, base: str) -> RunAnswer:
    """Describe a run.

    Parameters
    ----------
    run
        As Airflow knows it.
    report
        Its latest report, if there is one.
    base
        Where the REST API is, e.g. ``/mxtvhf``.
    """
    state = state_of(run, report)
    descriptor = ProcessingDescriptor(
        process_id=run.run_id, state=state.value, message=message_of(run, state), service=SERVICE
    )
    return RunAnswer(
        processing_descriptor=descriptor,
        result=result_of(report) if state is GpState.COMPLETED else None,
        run=run,
        report=_reference(report, base) if report else None,
    )


def run_entry(
    run: Run, report: ReportSummary | None, base: str, *, now: datetime, desk_state: str | None = None
) -> RunEntry:
    """Describe a run in one line of a list.

    Parameters
    ----------
    run, report, base
        As `run_answer`.
    now
        Time of the list.
    desk_state
        The desk's word for the run.
    """
    return RunEntry(
        process_id=run.run_id,
        burst_id=run.burst_id,
        state=state_of(run, report),
        age_s=(now - run.created).total_seconds(),
        created=run.created,
        best_position=report.best_position if report else None,
        is_test=report.is_test if report else None,
        is_replay=report.is_replay if report else None,
        is_retracted=report.is_retracted if report else None,
        report_url=_report_url(run.run_id, base) if report else None,
        desk_state=desk_state,
    )


def burst_entries(
    runs: Iterable[Run],
    report_of: Callable[[str], ReportSummary | None],
    base: str,
    *,
    limit: int,
    now: datetime,
    desk_state: Callable[[Run, ReportSummary | None], str | None] = lambda _run, _report: None,
) -> list[BurstEntry]:
    """Group runs by burst.

    Parameters
    ----------
    runs
        Newest first.
    report_of
        Gives the report of a run id; asked for one run of each burst only.
    base, now
        As `run_entry`.
    limit
        How many bursts at most.
    desk_state
        Gives the desk's word for a run and its report.

    Returns
    -------
    list of BurstEntry
        The burst with the newest run first.
    """
    groups: dict[str, list[Run]] = {}
    for run in runs:
        if run.burst_id is not None:
            groups.setdefault(run.burst_id, []).append(run)
    entries = []
    for burst_id, members in list(groups.items())[:limit]:
        live = (run for run in members if kind_of_run(run.run_id) is not RunKind.REPLAY)
        latest, first = next(live, members[0]), members[-1]
        report = report_of(latest.run_id)
        start = (report and report.trigger_time) or first.created
        entries.append(
            BurstEntry(
                burst_id=burst_id,
                age_s=(now - start).total_seconds(),
                runs=len(members),
                latest=run_entry(latest, report, base, now=now, desk_state=desk_state(latest, report)),
            )
        )
    return entries


def _reference(report: ReportSummary, base: str) -> ReportReference:
    folder = f"{base}/runs/{quote(report.run_id, safe='')}"
    json_name = "report.json" if report.status == "final" else "preliminary/report.json"
    return ReportReference(
        url=_report_url(report.run_id, base),
        json_url=f"{folder}/{json_name}",
        products={name: f"{folder}/{quote(product.path)}" for name, product in report.products.items()},
        **{
            name: getattr(report, name)
            for name in ReportReference.model_fields.keys() & ReportSummary.model_fields
            if name != "products"
        },
    )


def _report_url(run_id: str, base: str) -> str:
    return f"{base}/runs/{quote(run_id, safe='')}/report"
