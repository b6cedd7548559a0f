"""``airflow celery worker``, preloaded before its pool is forked."""

from __future__ import annotations

import sys

from mxtvhf_airflow.patches.warm_up import warm_up


def main() -> None:
    """Run the worker; the arguments of the command line are the worker's."""
    from airflow.__main__ import main as airflow

    from mxtvhf_airflow.patches.task_end import notice_task_end

    notice_task_end()
    warm_up()
    sys.argv = ["airflow", "celery", "worker", *sys.argv[1:]]
    airflow()


if __name__ == "__main__":
    main()
