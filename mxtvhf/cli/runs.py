"""The commands ``mxtvhf start`` and ``mxtvhf info`` for runs in Airflow, which use the REST API."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from urllib.parse import urlencode

import typer
from pydantic import TypeAdapter, ValidationError

from mxtvhf.archive.archive import Archive, QuarantineNote
from mxtvhf.archive.inputs import MAX_ALERT_BYTES, read_limited
from mxtvhf.archive.products import report_summaries
from mxtvhf.archive.stream_gaps import StreamGap, read_gaps
from mxtvhf.cli.arguments import check_order, input_file, seconds
from mxtvhf.cli.tables import answer_text, bursts_text, gaps_text, quarantine_text, runs_text
from mxtvhf.errors import Failure, InvalidInput, Retriable
from mxtvhf.models.base import Model
from mxtvhf.models.ids import BURST_ID_PATTERN
from mxtvhf.models.run_conf import RunConf
from mxtvhf.models.toml import fault_cause
from mxtvhf.settings import read_settings
from mxtvhf.workflow.gp.contract import GpState
from mxtvhf.workflow.latency import Distribution, latency_text
from mxtvhf.workflow.latency import latency as measured_latency
from mxtvhf.workflow.runs import BurstEntry, RunAnswer, RunEntry

if TYPE_CHECKING:
    from mxtvhf.workflow.airflow_api import AirflowApi

REST_ROOT = "/mxtvhf"
"""Path of the REST API in Airflow's API server."""
RUN_ID_PATTERN = r"[A-Za-z0-9_.~:+-]{1,250}"
"""Pattern of run ids in the REST API."""
POLL_S = 0.5

AsJson = Annotated[bool, typer.Option("--json", help="print JSON for programs")]
T = TypeVar("T")
M = TypeVar("M", bound=Model)


def start(
    alert: Annotated[
        Path, typer.Argument(parser=input_file, metavar="NOTICE", help="notice (VOEvent) of the burst")
    ],
    packets: Annotated[
        Path | None, typer.Argument(parser=input_file, metavar="PACKETS", help="VHF packets received for it")
    ] = None,
    attitude: Annotated[
        Path | None,
        typer.Option(
            parser=input_file, metavar="FILE", help="attitude product (SVO-ATT-VHF) of the observation"
        ),
    ] = None,
    burst: Annotated[str | None, typer.Option(help="burst id; default: that of the notice")] = None,
    sequence: Annotated[
        int, typer.Option(min=1, max=9999, help="sequence number of this input of the burst")
    ] = 1,
    wait: Annotated[
        bool, typer.Option("--wait", help="wait for the end; exit status 1 without a result")
    ] = False,
    timeout: Annotated[
        float, typer.Option(parser=seconds, metavar="SECONDS", help="longest waiting time")
    ] = 3600.0,
    as_json: AsJson = False,
) -> None:
    """Start a run in Airflow. The same input never starts a second run.

    Airflow must be able to read the files under the same paths.
    """
    if packets is not None:
        check_order(alert, packets)
    conf = _input(alert, packets, attitude, burst, sequence)
    api = airflow()
    answer = read(RunAnswer, api.post(f"{REST_ROOT}/processing", conf.model_dump(mode="json")))
    if wait:
        answer = _wait(api, answer, timeout)
    show(answer, RunAnswer, answer_text(answer), as_json)
    if wait and answer.processing_descriptor.state != GpState.COMPLETED:
        raise typer.Exit(1)


def info(
    what: Annotated[str | None, typer.Argument(help="run id or burst id; default: all bursts")] = None,
    latency: Annotated[bool, typer.Option("--latency", help="show durations of steps and runs")] = False,
    quarantine: Annotated[bool, typer.Option("--quarantine", help="show unreadable inputs")] = False,
    gaps: Annotated[bool, typer.Option("--gaps", help="show messages lost in a stream")] = False,
    limit: Annotated[int, typer.Option(help="largest number of entries", min=1, max=1000)] = 50,
    as_json: AsJson = False,
) -> None:
    """Show bursts and runs, their durations, unreadable inputs, or lost messages."""
    if sum((what is not None, latency, quarantine, gaps)) > 1:
        raise InvalidInput("info: give only one of: run id, burst id, --latency, --quarantine, --gaps")
    if latency or quarantine or gaps:
        _show_files(latency=latency, quarantine=quarantine, limit=limit, as_json=as_json)
        return
    api = airflow()
    if what is None:
        bursts = read(list[BurstEntry], api.get(f"{REST_ROOT}/bursts?limit={limit}"))
        show(bursts, list[BurstEntry], bursts_text(bursts), as_json)
    elif re.fullmatch(BURST_ID_PATTERN, what):
        runs = read(list[RunEntry], api.get(f"{REST_ROOT}/runs?burst_id={what}&limit={limit}"))
        if not runs:
            raise InvalidInput(f"{what}: no run of this burst; mxtvhf info lists the known bursts")
        show(runs, list[RunEntry], runs_text(runs), as_json)
    elif not re.fullmatch(RUN_ID_PATTERN, what):
        raise InvalidInput(f"{what!r}: expected a burst id (sb26030704) or a run id (sb26030704__1)")
    else:
        answer = _status(api, what)
        show(answer, RunAnswer, answer_text(answer), as_json)


def _show_files(*, latency: bool, quarantine: bool, limit: int, as_json: bool) -> None:
    """Show the latency, the quarantine or the gaps, from the state folder or else from Airflow."""
    from mxtvhf.sky_notices.unreadable import unreadable_inputs

    settings = read_settings()
    api = None if settings.archive.is_dir() else airflow()
    if latency:
        found = (
            read(list[Distribution], api.get(f"{REST_ROOT}/latency"))
            if api
            else measured_latency(report_summaries(settings.products))
        )
        show(found, list[Distribution], latency_text(found), as_json)
    elif quarantine:
        notes = (
            read(list[QuarantineNote], api.get(f"{REST_ROOT}/quarantine?limit={limit}"))
            if api
            else unreadable_inputs(Archive(settings.archive))[:limit]
        )
        show(notes, list[QuarantineNote], quarantine_text(notes), as_json)
    else:
        lost = (
            read(list[StreamGap], api.get(f"{REST_ROOT}/gaps?limit={limit}"))
            if api
            else list(read_gaps(settings.archive))[::-1][:limit]
        )
        show(lost, list[StreamGap], gaps_text(lost), as_json)


def airflow() -> AirflowApi:
    """Return a client of the Airflow named by the settings."""
    # Imported here, because the other commands need no HTTP client.
    from mxtvhf.operation.stack.access import airflow_api

    return airflow_api(read_settings())


def _input(
    alert: Path, packets: Path | None, attitude: Path | None, burst: str | None, sequence: int
) -> RunConf:
    """Return the validated input of a run, before any request to Airflow."""
    from mxtvhf.notices.voevent import read_alert

    burst_id = burst or read_alert(read_limited(alert, MAX_ALERT_BYTES), name=str(alert)).burst_id
    return checked(
        RunConf,
        burst_id=burst_id,
        sequence=sequence,
        alert=alert.absolute().as_uri(),
        packets=packets.absolute().as_uri() if packets else None,
        attitude=attitude.absolute().as_uri() if attitude else None,
    )


def checked(model: type[M], **fields: Any) -> M:
    """Return a model of the user's values.

    Raises
    ------
    InvalidInput
        A value is invalid. The message names the field.
    """
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise InvalidInput(f"{where}: {fault_cause(first)}" if where else fault_cause(first)) from None


def _wait(api: AirflowApi, answer: RunAnswer, timeout: float) -> RunAnswer:
    """Poll until the run has ended. Airflow may be unreachable for a while."""
    deadline = time.monotonic() + timeout
    descriptor = answer.processing_descriptor
    while descriptor.state in (GpState.PENDING, GpState.RUNNING):
        if time.monotonic() > deadline:
            raise Failure(f"run {descriptor.process_id}: still {descriptor.state} after {timeout:.0f} s")
        time.sleep(POLL_S)
        try:
            answer = _status(api, descriptor.process_id)
        except Retriable as error:
            typer.echo(f"mxtvhf: {error}", err=True)
        descriptor = answer.processing_descriptor
    return answer


def _status(api: AirflowApi, run_id: str) -> RunAnswer:
    return read(RunAnswer, api.get(f"{REST_ROOT}/status?{urlencode({'seqid': run_id})}"))


def read(kind: type[T], answer: Any) -> T:
    """Validate an answer of Airflow's REST API or of ours.

    Raises
    ------
    Failure
        The answer has another form, for example because the versions differ.
    """
    try:
        return TypeAdapter(kind).validate_python(answer)
    except ValidationError as error:
        raise Failure(
            f"{REST_ROOT}: unexpected answer: {error.errors()[0]['msg']}; check that command and server have "
            "the same version"
        ) from None


def show(value: T, kind: type[T], text: list[str], as_json: bool) -> None:
    """Print a result, as JSON for programs or as text for people."""
    if as_json:
        print(json.dumps(TypeAdapter(kind).dump_python(value, mode="json"), indent=1, sort_keys=True))
    else:
        print("\n".join(text))
