"""Build the answers of MXT-VHF's own REST API about runs and bursts.

The API follows GP's contract (``gp/contract.py``), so that an orchestrator that can use GP can use MXT-VHF:
``POST processing`` answers with a ``processing_descriptor``, ``GET status`` adds its state and the result.
The field ``run`` holds everything beyond that contract.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from enum import StrEnum
from urllib.parse import quote

from pydantic import AwareDatetime, Field

from mxtvhf.archive.inputs import is_inline, local_path
from mxtvhf.archive.products import ReportSummary
from mxtvhf.crosscheck.model import GpOutcome
from mxtvhf.errors import InvalidInput
from mxtvhf.models.base import Model
from mxtvhf.models.ids import BurstId, RunKind, kind_of_run
from mxtvhf.models.input_folders import InputFolders
from mxtvhf.models.position import Position
from mxtvhf.models.run_conf import RunConf
from mxtvhf.models.text import one_line
from mxtvhf.workflow.gp.contract import GpAnswer, GpResult, GpState, ProcessingDescriptor

SERVICE = "mxt-vhf"
"""Our name in ``processing_descriptor.service``."""
REASON_UNKNOWN = "no reason recorded; see the task log"


class Problem(Model):
    """The reason why a request was rejected, in one line."""

    detail: str


class AirflowState(StrEnum):
    """Airflow's states of a run."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"


class StepProblem(Model):
    """A step that failed or was skipped."""

    step: str = Field(examples=["wait_mxt_gp"])
    state: str = Field(examples=["failed"])
    """``failed`` or ``skipped``."""
    reason: str = Field(examples=["GP process 4711 failed: no attitude"])


class Run(Model):
    """A run and its state in Airflow."""

    run_id: str
    dag_id: str = Field(default=RunKind.LIVE.dag_id, examples=[RunKind.TEST.dag_id])
    burst_id: BurstId | None
    """None if the run's configuration contains no valid burst id."""
    sequence: int | None
    state: AirflowState
    created: AwareDatetime
    started: AwareDatetime | None = None
    ended: AwareDatetime | None = None
    is_paused: bool = False
    """True if the DAG is paused, so that Airflow starts no task of the run."""
    problems: tuple[StepProblem, ...] = ()
    is_test: bool | None = None
    """True if the role of the alert is ``test``; None if the alert is unreadable."""
    gp: GpOutcome | None = None
    """GP's result, or why there is none; None while it is unknown, and in lists."""
    gp_requested: AwareDatetime | None = None
    """When GP was asked for its analysis; None if it was not asked (yet), and in lists."""


class ReportReference(Model):
    """A summary of a run's report and its URLs."""

    status: str
    """``preliminary`` or ``final``."""
    written: AwareDatetime
    headline: str
    best_position: Position | None
    is_test: bool
    is_replay: bool
    is_retracted: bool
    url: str
    """HTML page."""
    json_url: str
    """``report.json``."""
    products: dict[str, str]
    """Name -> URL."""


class RunAnswer(GpAnswer):
    """The answer to ``POST processing`` and ``GET status``: GP's contract with our own fields."""

    run: Run
    report: ReportReference | None = None
    """The final report, or the preliminary one until then."""


class RunEntry(Model):
    """An entry of the list of runs."""

    process_id: str
    burst_id: BurstId | None
    state: GpState
    age_s: float
    """Seconds since the run was created."""
    created: AwareDatetime
    best_position: Position | None
    is_test: bool | None
    """None without a report, like the next two."""
    is_replay: bool | None
    is_retracted: bool | None
    report_url: str | None
    desk_state: str | None = None
    """State shown on the desk, e.g. ``awaiting decision``; None in answers of earlier versions."""


class BurstEntry(Model):
    """An entry of the list of bursts."""

    burst_id: BurstId
    age_s: float
    """Seconds since T0, or since the creation of the first run if no report contains T0."""
    runs: int
    latest: RunEntry
    """The newest run that is not a replay, or the newest replay if there are only replays."""


def unreadable_source(conf: RunConf, folders: InputFolders) -> str | None:
    """Return why a file named by a run configuration cannot be read; None if all can be.

    Parameters
    ----------
    conf
        The configuration.
    folders
        Folders from which inputs may be read.

    Returns
    -------
    str or None
        The field and the reason in one line.
    """
    for field in ("alert", "packets", "attitude"):
        source = getattr(conf, field)
        if source is None or (field == "alert" and is_inline(source)):
            continue
        try:
            local_path(source, folders)
        except InvalidInput as error:
            return one_line(f"{field}: {error}")
    return None


def differing(first: RunConf, second: RunConf) -> list[str]:
    """Return the names of the fields in which two run configurations differ.

    Parameters
    ----------
    first, second
        The configurations.
    """
    return [name for name in RunConf.model_fields if getattr(first, name) != getattr(second, name)]


def result_of(report: ReportSummary | None) -> GpResult | None:
    """Return the best position of a report as a GP result.

    If only the total radius is known, it is given as the statistical one with a systematic one of zero.

    Parameters
    ----------
    report
        The report; None without one.

    Returns
    -------
    GpResult or None
        None without a best position with an error radius.
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
    """Return the state of a run as a GP state.

    A finished run is COMPLETED if it has a position, even if a step failed. It is FAILED if it has none,
    because a step failed or because there was nothing to localise.

    Parameters
    ----------
    run
        The run in Airflow.
    report
        Its latest report; None without one.
    """
    if run.state is AirflowState.QUEUED:
        return GpState.PENDING
    if run.state is AirflowState.RUNNING:
        return GpState.RUNNING
    return GpState.COMPLETED if result_of(report) else GpState.FAILED


def message_of(run: Run, state: GpState) -> str | None:
    """Return the message of a run: its problems, or why it does not proceed.

    Parameters
    ----------
    run
        The run in Airflow.
    state
        Its state, as from `state_of`.

    Returns
    -------
    str or None
        One line; None if there is nothing to report.
    """
    problems = "; ".join(f"{one_line(problem.step, 200)}: {problem.reason}" for problem in run.problems)
    if state is GpState.FAILED:
        return problems or "the run ended without a position"
    if run.is_paused and not state.is_final:
        return "the DAG is paused in Airflow; unpause it to let the run continue"
    return problems or None


def run_answer(run: Run, report: ReportSummary | None, base: str) -> RunAnswer:
    """Return the answer about a run.

    Parameters
    ----------
    run
        The run in Airflow.
    report
        Its latest report; None without one.
    base
        Path of the REST API, e.g. ``/mxtvhf``.
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
    """Return a run's entry in the list of runs.

    Parameters
    ----------
    run, report, base
        As in `run_answer`.
    now
        Time of the list, UTC.
    desk_state
        State shown on the desk; None if unknown.
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
    """Group runs by burst and return an entry for each burst.

    Parameters
    ----------
    runs
        Newest first.
    report_of
        Function that returns the report of a run id; called for one run of each burst.
    base
        As in `run_answer`.
    limit
        Largest number of bursts.
    now
        Time of the list, UTC.
    desk_state
        Function that returns the state shown on the desk for a run and its report.

    Returns
    -------
    list of BurstEntry
        Sorted by newest run, the newest first.
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
