"""``airflow celery worker`` that has imported and tried all that the tasks need before its pool is forked.

As for the scheduler's workers (``scheduler.py``): Celery forks its pool from the worker, and the pool a
process per task.
"""

from __future__ import annotations

import sys

from mxtvhf_airflow.patches.scheduler import airflow, warm_up


def main() -> None:
    """Warm up, then be the worker; the command line's arguments are the worker's."""
    from mxtvhf_airflow.patches.task_end import notice_the_end_at_once

    notice_the_end_at_once()
    warm_up()
    airflow("celery", "worker", *sys.argv[1:])


if __name__ == "__main__":
    main()
