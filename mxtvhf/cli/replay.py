"""The command ``mxtvhf replay``, which repeats archived inputs in Airflow and compares the reports."""

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
"""Largest number of inputs if the user names bursts or days."""
POLL_S = 1.0


def replay(
    bursts: Annotated[list[str] | None, typer.Argument(help="burst ids")] = None,
    first_day: Annotated[
        date | None,
        typer.Option("--from", parser=day, metavar="DAY", help="first day of bursts (from the burst id)"),
    ] = None,
    last_day: Annotated[
        date | None,
        typer.Option("--to", parser=day, metavar="DAY", help="last day of bursts (from the burst id)"),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(help="largest number of inputs, newest first", min=1, max=MOST)
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(
            help="playback speed: 1 keeps the original spacing, 10 is ten times faster; default: all at once"
        ),
    ] = None,
    wait: Annotated[bool, typer.Option(help="wait for the end; exit status 1 if a result changed")] = True,
    as_json: AsJson = False,
) -> None:
    """Process archived inputs in Airflow again and compare the new reports with the archived ones.

    The exit status is 1 if a result changed and 2 if there was nothing to replay.
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
        raise InvalidInput("replay: nothing was replayed: the archive has no complete input for this request")
    if missing := set(bursts or ()) - {one.burst_id for one in found}:
        names = ", ".join(sorted(missing))
        raise InvalidInput(f"replay: not replayed: {names}; not in the archive or beyond --limit")
    if any(one.outcome is Outcome.CHANGED for one in found):
        raise typer.Exit(1)


def _wait(api: AirflowApi, run_id: str) -> None:
    """Wait for the end of a run of the replay DAG. Airflow may be unreachable for a while."""
    state = None
    while state not in ("success", "failed"):
        time.sleep(POLL_S)
        try:
            state = api.run(run_id, dag_id=REPLAY_DAG_ID)["state"]
        except Retriable as error:
            typer.echo(f"mxtvhf: {error}", err=True)


def _comparisons(api: AirflowApi, run_id: str) -> list[ComparisonSummary]:
    """Return the comparisons of a replay run.

    Raises
    ------
    Failure
        The run failed before the comparison.
    """
    states = api.task_states(run_id, dag_id=REPLAY_DAG_ID)
    if states.get("select_archived_inputs") == "skipped":
        return []
    if states.get("compare_reports") != "success":
        failed = ", ".join(sorted(task for task, state in states.items() if state == "failed"))
        raise Failure(
            f"run {run_id} of {REPLAY_DAG_ID}: no comparison; failed tasks: {failed or 'none'}; "
            "see the task logs"
        )
    task = f"/api/v2/dags/{REPLAY_DAG_ID}/dagRuns/{run_id}/taskInstances/compare_reports"
    answer: Any = api.get(f"{task}/xcomEntries/return_value?deserialize=true")
    return read(list[ComparisonSummary], answer["value"])
