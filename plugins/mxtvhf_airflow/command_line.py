"""Airflow's command line with rarer garbage collection.

At Python's threshold of 700 new objects a process collects garbage 1500 times while it imports Airflow: a
quarter of the CPU time of its start. The processes of tasks are forked from it and inherit the threshold. At
its end Python looks for garbage in all that was imported, 3 s for the API server, unless this is frozen.
"""

import atexit
import gc
import runpy

COLLECT_AFTER = 20_000
"""New objects after which Python looks for garbage among them."""


def run_airflow() -> None:
    """Run Airflow's command line with the arguments of this process, as ``python -m airflow`` does."""
    gc.set_threshold(COLLECT_AFTER)
    atexit.register(gc.freeze)
    runpy.run_module("airflow", run_name="__main__", alter_sys=True)
