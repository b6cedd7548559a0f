"""Compare the time from the creation of a run to its reports with that of a no-op DAG of the same shape.

``python -m benchmarks.latency`` starts the embedded stack in a temporary folder and runs both DAGs in turn.
A report counts as written when its task has ended; its time is compared with the end of the same task of the
no-op DAG. The table gives the start and end of each task after the creation of the run. All times are
read from the database, so that the measurement makes no requests. The same burst is
processed without Airflow before and after, which shows if the speed of the cores has changed.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.runs import Runs, Times
from mxtvhf.operation.stack.embedded import embedded_stack
from mxtvhf.operation.stack.processes import wait_until
from mxtvhf.settings import Settings
from mxtvhf.simulator.scenario import scenario_of, write_scenario
from mxtvhf.workflow.airflow_api import DAG_ID, AirflowApi
from mxtvhf.workflow.local import process_burst

PROJECT = Path(__file__).parents[1]
BURST = "sb26030704"
NOOP, WAITING = "noop", "waiting"
TASKS = {
    "reception_message": "first",
    "photons_extraction": "second",
    "fits_feed": "third",
    "vhf_localisation": "beside",
    "preliminary_report": "preliminary",
    "source_analysis": "analysis",
    "start_mxt_gp_pipeline": "start",
    "wait_mxt_gp": "wait",
    "crosscheck_positions": "crosscheck",
    "update_BA": "update",
}
"""Corresponding tasks of both DAGs."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="runs of each DAG, one after the other")
    parser.add_argument(
        "--waiting", type=int, default=0, help="open decisions during a second measurement (0: none)"
    )
    parser.add_argument("--port", type=int, default=18080)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), options.runs, options.port, options.waiting)


def measure(folder: Path, runs: int, port: int, waiting: int) -> None:
    """Run both DAGs in turn and print the table, then again while some runs wait for a decision."""
    settings = Settings(state=folder / "var")
    project = project_with_baseline(folder)
    core_s = [time_of_a_core(folder / "before")]
    with (
        embedded_stack(settings, project=project, port=port, gp_port=port + 1) as stack,
        closing(Runs(stack)) as ran,
    ):
        for dag_id in (NOOP, WAITING):
            wait_until(lambda: stack.api.unpause(dag_id), what=dag_id, timeout=60)  # noqa: B023
        burst = settings.inputs / BURST
        write_scenario(scenario_of(BURST), burst)
        conf = {"burst_id": BURST, "alert": str(burst / "alert.xml"), "packets": str(burst / "packets.bin")}
        noop, ours = in_turn(ran, runs + 1, conf, "run")
        if waiting:
            start_waiting(stack.api, waiting)
            others = in_turn(ran, runs, conf, "beside")
    core_s.append(time_of_a_core(folder / "after"))
    print(f"this burst without Airflow: {core_s[0]:.2f} s CPU time before, {core_s[1]:.2f} s after")
    print(f"first run after the start: noop {noop[0]['run'][1]:.2f} s, {DAG_ID} {ours[0]['run'][1]:.2f} s")
    print_table(noop[1:], ours[1:])
    if waiting:
        print(f"the same while {waiting} runs wait for a decision:")
        print_table(*others)


def in_turn(ran: Runs, runs: int, conf: dict[str, Any], name: str) -> tuple[list[Times], list[Times]]:
    """Run both DAGs in turn. The times are read after the end of all runs."""
    dags = ((NOOP, {}), (DAG_ID, conf))
    run_ids = [f"{name}-{number}" for number in range(runs)]
    for run_id in run_ids:
        for dag_id, given in dags:
            ran.start(dag_id, run_id, given)
            ran.wait(dag_id, [run_id])
    noop, ours = ([ran.times(dag_id, run_id) for run_id in run_ids] for dag_id, _ in dags)
    return noop, ours


def start_waiting(api: AirflowApi, number: int) -> None:
    """Start runs that wait for a decision, and return when all of them are waiting."""
    for one in range(number):
        api.start_run(f"waiting-{one}", {}, dag_id=WAITING)
    path = f"/api/v2/dags/{WAITING}/dagRuns/~/taskInstances?state=awaiting_input&limit=1"
    wait_until(lambda: api.get(path)["total_entries"] == number, what="open questions", timeout=600)


def time_of_a_core(folder: Path, times: int = 5) -> float:
    """Process the burst without Airflow; return the median CPU time in s, the first run excluded."""
    alert, _, packets, _ = write_scenario(scenario_of(BURST), folder)
    taken = []
    for number in range(1 + times):
        began = time.process_time()
        process_burst(alert, packets, folder / f"products-{number}", figures=False)
        taken.append(time.process_time() - began)
    return statistics.median(taken[1:])


def print_table(noop: list[Times], ours: list[Times]) -> None:
    """Print the medians of both DAGs."""
    print(
        f"{len(ours)} runs each, medians, s       noop: start   end  {DAG_ID}: start   end  90 %    end / end"
    )
    for task, twin in ({**TASKS, "run": "run"}).items():
        other = np.median([times[twin] for times in noop], axis=0)
        own = np.array([times[task] for times in ours])
        (start, end), high = np.median(own, axis=0), statistics.quantiles(own[:, 1], n=10)[-1]
        print(
            f"  {task:24} {other[0]:10.2f} {other[1]:6.2f} {start:13.2f} {end:6.2f} {high:6.2f}"
            f" {end / other[1]:9.2f}"
        )


def project_with_baseline(folder: Path) -> Path:
    """Create a project folder with our DAGs, our plugins and the no-op DAG."""
    dags = folder / "project" / "dags"
    shutil.copytree(PROJECT / "dags", dags)
    shutil.copytree(PROJECT / "benchmarks" / "dags", dags, dirs_exist_ok=True)
    (folder / "project" / "plugins").symlink_to(PROJECT / "plugins")
    return folder / "project"


if __name__ == "__main__":
    main()
