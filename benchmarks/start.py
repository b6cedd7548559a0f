"""Compare the start and the stop of the embedded stack with those of Airflow's four components alone.

``python -m benchmarks.start`` starts both in turn, each with a PostgreSQL server and tables of its own. Both
create their tables at the first start, which is printed separately. Airflow alone is ready when its health
endpoint reports all components as healthy. The embedded stack is ready when it accepts alerts: its execution
API also serves tasks, the DAGs are parsed and the Connection to GP exists. Unset ``PYTHONDONTWRITEBYTECODE``,
as `make run` does.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from statistics import median

from mxtvhf.operation.stack.embedded import LOOPBACK, embedded_stack
from mxtvhf.operation.stack.postgresql import embedded_postgresql
from mxtvhf.operation.stack.processes import ProcessGroup, wait_until
from mxtvhf.settings import Settings
from mxtvhf.workflow.airflow_api import AirflowApi

PROJECT = Path(__file__).parents[1]
COMPONENTS = {
    "scheduler": ["--skip-serve-logs"],
    "api-server": [],
    "dag-processor": [],
    "triggerer": ["--skip-serve-logs"],
}
"""Airflow's components with their options."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="counted starts of each")
    parser.add_argument("--port", type=int, default=18080)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = Settings(state=folder / "var")
        systems: dict[str, Callable[[], AbstractContextManager[object]]] = {
            "Airflow alone": partial(airflow_alone, folder / "airflow", options.port),
            "embedded stack": partial(
                embedded_stack, settings, project=PROJECT, port=options.port, gp_port=options.port + 1
            ),
        }
        taken = [{name: times(system) for name, system in systems.items()} for _ in range(1 + options.rounds)]
    print_times("first start, with the creation of the tables", taken[:1])
    print_times(f"medians of {options.rounds} further starts", taken[1:])


def print_times(title: str, taken: list[dict[str, tuple[float, float]]]) -> None:
    """Print the median times of both systems, and the median ratio of their starts."""
    print(title)
    for name in taken[0]:
        starts, stops = zip(*(one[name] for one in taken), strict=True)
        print(f"  {name:16} ready {median(starts):5.1f} s   stopped {median(stops):4.1f} s")
    ratio = median(one["embedded stack"][0] / one["Airflow alone"][0] for one in taken)
    print(f"  ratio of starts  {ratio:.2f}")


def times(system: Callable[[], AbstractContextManager[object]]) -> tuple[float, float]:
    """Start and stop a system; return the seconds until it is ready, and those that it takes to stop."""
    began = time.monotonic()
    with system():
        ready = time.monotonic()
    return ready - began, time.monotonic() - ready


@contextmanager
def airflow_alone(folder: Path, port: int) -> Iterator[None]:
    """Run Airflow's four components with its default settings, without our plugins and DAGs."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    with embedded_postgresql(folder / "postgres") as database:
        environment = inherited | {
            "AIRFLOW_HOME": str(folder / "home"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database.uri,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "benchmarks" / "dags"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{LOOPBACK}:{port}/execution/",
            "AIRFLOW__API__HOST": LOOPBACK,
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__WORKERS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        with ProcessGroup(environment, folder / "log") as processes:
            processes.run("migrate", [sys.executable, "-m", "airflow", "db", "migrate"])
            for component, more in COMPONENTS.items():
                processes.start(component, [sys.executable, "-m", "airflow", component, *more])
            api = AirflowApi(f"http://{LOOPBACK}:{port}", "admin", "")
            wait_until(api.is_healthy, what="Airflow", timeout=300, processes=processes)
            yield


if __name__ == "__main__":
    main()
