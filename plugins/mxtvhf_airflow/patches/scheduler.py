"""``airflow scheduler`` with our run selection, preloaded before workers are forked."""

from __future__ import annotations

import sys

from mxtvhf_airflow.patches.warm_up import warm_up


def main() -> None:
    """Run the scheduler; the arguments of the command line are the scheduler's."""
    from airflow.__main__ import main as airflow
    from airflow.configuration import conf

    from mxtvhf_airflow.patches.run_selection import select_runs
    from mxtvhf_airflow.patches.task_end import notice_task_end

    select_runs()
    notice_task_end()
    if "LocalExecutor" in conf.get("core", "executor"):
        warm_up()
    sys.argv = ["airflow", "scheduler", *sys.argv[1:]]
    airflow()


if __name__ == "__main__":
    main()
