"""The command ``mxtvhf replay``: archived inputs go through Airflow's replay DAG again, and are compared."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mxtvhf.cli.arguments import day
from mxtvhf.cli.runs import AsJson, airflow, checked, read, show
from mxtvhf.errors import Failure, InvalidInput, Retriable
from mxtvhf.workflow.comparison import ComparisonSummary, Outcome, comparisons_text
from mxtvhf.workflow.replay_request import REPLAY_DAG_ID, ReplayRequest

if TYPE_CHECKING:
    from mxtvhf.workflow.airflow_api import AirflowApi

MOST = 1000
"""Inputs at most where the user names bursts or days."""
POLL_S = 1.0


def replay(
    bursts: Annotated[list[str] | None, typer.Argument(help="burst ids")] = None,
    first_day: Annotated[
        date | None,
        typer.Option("--from", parser=day, metavar="DAY", help="bursts of this day or later (by the id)"),
    ] = None,
    last_day: Annotated[
        date | None,
        typer.Option("--to", parser=day, metavar="DAY", help="bursts of this day or earlier (by the id)"),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="inputs at most, newest first", min=1, max=MOST)] = None,
    speed: Annotated[
        float | None,
        typer.Option(help="1: with the times between the inputs as they came, 10: ten times as fast"),
    ] = None,
    wait: Annotated[bool, typer.Option(help="until the end; exit status 1 when something changed")] = True,
    as_json: AsJson = False,
) -> None:
    """Send archived inputs through Airflow again and compare the new reports with the archived ones.

    Exit status 1 when something changed, 2 when there was nothing to replay.
    """
    if not (bursts or first_day or last_day or limit):
        raise InvalidInput("replay: give burst ids, days (--from, --to) or --limit")
    request = checked(
        ReplayRequest,
        burst_ids=bursts or [],
        first_day=first_day,
        last_day=last_day,
        limit=limit or MOST,
        speed=speed,
    )
    api, run_id = airflow(), f"replay__{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    api.start_run(run_id, request.model_dump(mode="json", by_alias=True), dag_id=REPLAY_DAG_ID)
    if not wait:
        print(run_id)
        return
    _wait(api, run_id)
    found = _comparisons(api, run_id)
    show(found, list[ComparisonSummary], comparisons_text(found), as_json)
    if not found:
        raise InvalidInput(
            "replay: nothing was replayed: the archive has no complete input that is asked for"
        )
    if missing := set(bursts or ()) - {one.burst_id for one in found}:
        names = ", ".join(sorted(missing))
        raise InvalidInput(f"replay: not replayed: {names}; not in the archive, or beyond --limit")
    if any(one.outcome is Outcome.CHANGED for one in found):
        raise typer.Exit(1)


def _wait(api: AirflowApi, run_id: str) -> None:
    """Wait for the end of a run of the replay DAG; Airflow may be away for a while."""
    state = None
    while state not in ("success", "failed"):
        time.sleep(POLL_S)
        try:
            state = api.run(run_id, dag_id=REPLAY_DAG_ID)["state"]
        except Retriable as error:
            typer.echo(f"mxtvhf: {error}", err=True)


def _comparisons(api: AirflowApi, run_id: str) -> list[ComparisonSummary]:
    """Return what the run found.

    Raises
    ------
    Failure
        It did not come to its comparison.
    """
    states = api.task_states(run_id, dag_id=REPLAY_DAG_ID)
    if states.get("select_archived_inputs") == "skipped":
        return []
    if states.get("compare_reports") != "success":
        failed = ", ".join(sorted(task for task, state in states.items() if state == "failed"))
        raise Failure(f"run {run_id} of {REPLAY_DAG_ID}: nothing was compared; failed: {failed or 'nothing'}")
    task = f"/api/v2/dags/{REPLAY_DAG_ID}/dagRuns/{run_id}/taskInstances/compare_reports"
    answer: Any = api.get(f"{task}/xcomEntries/return_value?deserialize=true")
    return read(list[ComparisonSummary], answer["value"])
