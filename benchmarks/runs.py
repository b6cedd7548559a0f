"""Start runs, wait for their end and read their times from Airflow's database.

A query of the database costs less than a millisecond. A request to the API server costs 15 to 30 ms of CPU
time, which would disturb what is measured.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, bindparam, create_engine, text

from mxtvhf.operation.stack.embedded import Stack
from mxtvhf.operation.stack.processes import wait_until
from mxtvhf.workflow.airflow_api import AirflowApi, run_path

POLL_S = 0.5
"""Pause between two queries, seconds."""
ENDED = "select run_id, state from dag_run where dag_id = :dag and run_id in :runs and end_date is not null"
RUN = "select run_after, start_date, end_date from dag_run where dag_id = :dag and run_id = :run"
TASKS = """select task_id, start_date, end_date from task_instance
           where dag_id = :dag and run_id = :run and hostname <> ''"""
"""The tasks that had a process; Airflow itself ends skipped and empty ones."""

Times = dict[str, tuple[float, float]]
"""Task -> its start and end, seconds after the creation of the run; the run itself has the key ``run``."""


class Runs:
    """The runs of a stack.

    Parameters
    ----------
    stack
        A running embedded stack.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._database: Engine = create_engine(stack.database.uri)

    def start(self, dag_id: str, run_id: str, conf: dict[str, Any]) -> None:
        """Start a run."""
        self._stack.api.start_run(run_id, conf, dag_id=dag_id)

    def wait(self, dag_id: str, run_ids: Iterable[str]) -> None:
        """Wait until runs have ended. The failed tasks of a run that failed are printed with their logs."""
        wanted = sorted(run_ids)
        query = text(ENDED).bindparams(bindparam("runs", expanding=True))
        states: dict[str, str] = {}

        def ended() -> bool:
            with self._database.connect() as connection:
                states.update(
                    (row[0], row[1]) for row in connection.execute(query, {"dag": dag_id, "runs": wanted})
                )
            time.sleep(0.0 if len(states) == len(wanted) else POLL_S)
            return len(states) == len(wanted)

        wait_until(ended, what=f"{len(wanted)} runs of {dag_id}", timeout=300.0 + 30.0 * len(wanted))
        if failed := [run_id for run_id in wanted if states[run_id] != "success"]:
            print(f"{dag_id}: {len(failed)} of {len(wanted)} runs failed: {', '.join(failed)}")
            for run_id in failed:
                print_failed_tasks(self._stack.api, run_id, dag_id)

    def created(self, dag_id: str, run_id: str) -> datetime:
        """Return the time of the creation of a run."""
        with self._database.connect() as connection:
            moment: datetime = connection.execute(text(RUN), {"dag": dag_id, "run": run_id}).one()[0]
        return moment

    def times(self, dag_id: str, run_id: str) -> Times:
        """Return the times of an ended run and of its tasks."""
        keys = {"dag": dag_id, "run": run_id}
        with self._database.connect() as connection:
            created, *own = connection.execute(text(RUN), keys).one()
            tasks = connection.execute(text(TASKS), keys).all()

        def since(start: datetime, end: datetime) -> tuple[float, float]:
            return (start - created).total_seconds(), (end - created).total_seconds()

        return {"run": since(*own), **{task: since(start, end) for task, start, end in tasks}}

    def close(self) -> None:
        """Close the connection to the database."""
        self._database.dispose()


def print_failed_tasks(api: AirflowApi, run_id: str, dag_id: str | None = None) -> None:
    """Print the states of the tasks of a run, and the logs of those that failed."""
    tasks = f"{run_path(run_id, dag_id)}/taskInstances"
    for task in api.get(tasks)["task_instances"]:
        print(f"{run_id}: {task['task_id']} {task['state']} (attempt {task['try_number']})")
        if task["state"] == "failed":
            for attempt in range(1, task["try_number"] + 1):
                log = api.get(f"{tasks}/{task['task_id']}/logs/{attempt}")
                print(*(line["event"] for line in log["content"]), sep="\n")
