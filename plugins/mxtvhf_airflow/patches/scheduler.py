"""``airflow scheduler`` that looks at the runs of which something happened; warm where it forks the workers.

LocalExecutor forks its workers from the scheduler, and a process per task from a worker. What the scheduler
has loaded is there at once in each of them; else every task imports numpy, astropy and scipy anew (about 2 s
on 2 cores) and reads the packet layout, the leap seconds and the fonts again.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

WARM_UP_BURST = "sb26030704"
MODULES = (
    "airflow.dag_processing.dagbag",
    "airflow.providers.standard.operators.empty",
    "airflow.providers.standard.operators.hitl",
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
    "mxtvhf.reporting.announcement.question",
    "mxtvhf_airflow.operators.decision",
    "mxtvhf_airflow.operators.gp",
    "mxtvhf_airflow.listener",
    "mxtvhf_airflow.operators.steps",
    "mxtvhf_airflow.params",
)


def main() -> None:
    """Be the scheduler, warm where its workers are forked from it; the arguments are the scheduler's."""
    from airflow.configuration import conf

    from mxtvhf_airflow.patches.run_selection import choose_runs
    from mxtvhf_airflow.patches.task_end import notice_the_end_at_once

    choose_runs()
    notice_the_end_at_once()
    if "LocalExecutor" in conf.get("core", "executor"):
        warm_up()
    airflow("scheduler", *sys.argv[1:])


def airflow(*arguments: str) -> None:
    """Be the command ``airflow`` with these arguments."""
    from airflow.__main__ import main as command

    sys.argv = ["airflow", *arguments]
    command()


def warm_up() -> None:
    """Load and try all that the tasks need."""
    for module in MODULES:
        importlib.import_module(module)
    load_the_plugins()
    process_a_burst()
    make_a_client()


def load_the_plugins() -> None:
    """Load what listens to tasks, and with it the plugin and its pages: else each task's process does.

    To make the web application takes 40 ms, a third of what a task that does nothing takes.
    """
    from airflow.sdk.listener import get_listener_manager

    get_listener_manager()


def make_a_client() -> None:
    """Make what each task's supervisor talks to the API server with.

    To read the system's certificates takes four fifths of a supervisor's time, and without this each worker's
    first one would do it.
    """
    from airflow.sdk.api.client import Client

    Client(base_url="http://127.0.0.1", token="").close()


def process_a_burst() -> None:
    """Run all steps once, so that what is loaded or computed at first use is there."""
    from mxtvhf.catalogues.store import CatalogueStore
    from mxtvhf.settings import Settings
    from mxtvhf.simulator.scenario import scenario_of, write_scenario
    from mxtvhf.workflow.local import process_burst

    with TemporaryDirectory() as folder:
        alert, _, packets, _ = write_scenario(scenario_of(WARM_UP_BURST), Path(folder))
        process_burst(
            alert, packets, Path(folder) / "products", catalogues=CatalogueStore(Settings().catalogues)
        )


if __name__ == "__main__":
    main()
