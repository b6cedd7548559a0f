"""Time from the creation of a run to its reports, against a DAG of the same shape whose tasks do nothing.

``python -m benchmarks.latency`` starts the embedded stack in a temporary folder and runs both DAGs in turn.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from mxtvhf.airflow_api import DAG_ID, AirflowApi
from mxtvhf.settings import Settings
from mxtvhf.simulator.scenario import scenario_of, write_scenario
from mxtvhf.stack.embedded import embedded_stack
from mxtvhf.stack.processes import wait_until

PROJECT = Path(__file__).parents[1]
BURST = "sb26030704"
NOOP = "noop"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="runs of each DAG, one after the other")
    parser.add_argument("--port", type=int, default=18080)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), options.runs, options.port)


def measure(folder: Path, runs: int, port: int) -> None:
    """Run both DAGs in turn and print the table."""
    settings = Settings(state=folder / "var")
    project = project_with_baseline(folder)
    with embedded_stack(settings, project=project, port=port, gp_port=port + 1) as stack:
        wait_until(lambda: stack.api.unpause(NOOP), what=NOOP, timeout=60)
        burst = settings.inbox / BURST
        write_scenario(scenario_of(BURST), burst)
        conf = {"burst_id": BURST, "alert": str(burst / "alert.xml"), "packets": str(burst / "packets.bin")}
        baseline, whole, preliminary, final = [], [], [], []
        for number in range(runs + 1):
            noop = duration(finished(stack.api, f"noop-{number}", {}, NOOP))
            run = finished(stack.api, f"run-{number}", conf, DAG_ID)
            if number == 0:
                print(f"first run after the start: noop {noop:.2f} s, {DAG_ID} {duration(run):.2f} s")
                continue
            products = settings.products / BURST / f"run-{number}"
            baseline.append(noop)
            whole.append(duration(run))
            preliminary.append(until_written(products / "preliminary" / "report.json"))
            final.append(until_written(products / "report.json"))
    print(f"{runs} runs each                    median     90 %    median / noop")
    rows = {"noop": baseline, "preliminary report": preliminary, "final report": final, "whole run": whole}
    for name, times in rows.items():
        middle, high = statistics.median(times), statistics.quantiles(times, n=10)[-1]
        print(f"  {name:22} {middle:13.2f} s {high:6.2f} s {middle / statistics.median(baseline):10.2f}")


def project_with_baseline(folder: Path) -> Path:
    """Make a project folder that holds our DAGs, our plugins and the baseline."""
    dags = folder / "project" / "dags"
    shutil.copytree(PROJECT / "dags", dags)
    shutil.copy(PROJECT / "benchmarks" / "dags" / "noop.py", dags)
    (folder / "project" / "plugins").symlink_to(PROJECT / "plugins")
    return folder / "project"


def finished(api: AirflowApi, run_id: str, conf: dict[str, Any], dag_id: str) -> dict[str, Any]:
    """Start a run, wait for its end and return it."""
    api.start_run(run_id, conf, dag_id=dag_id)
    wait_until(
        lambda: api.run(run_id, dag_id=dag_id)["state"] in ("success", "failed"), what=run_id, timeout=120
    )
    return api.run(run_id, dag_id=dag_id)


def duration(run: dict[str, Any]) -> float:
    """Seconds from a run's creation to its end."""
    created, ended = (datetime.fromisoformat(run[name]) for name in ("run_after", "end_date"))
    return (ended - created).total_seconds()


def until_written(path: Path) -> float:
    """Seconds from the creation of the run to the writing of its report."""
    report = json.loads(path.read_bytes())
    moments = {entry["name"]: datetime.fromisoformat(entry["time"]) for entry in report["timeline"]}
    return (moments["report_written"] - moments["run_created"]).total_seconds()


if __name__ == "__main__":
    main()
