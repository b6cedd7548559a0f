"""Preloading of modules and data that tasks need, before worker processes are forked.

LocalExecutor forks its workers from the scheduler, Celery forks its pool from the worker, and both fork a
process for each task. Modules and data loaded by the first process are present in all of them. Without
preloading every task imports numpy, astropy and scipy again (about 2 s on 2 cores) and reads the packet
layout and the leap seconds.
"""

from __future__ import annotations

import importlib
import logging
import time
from pathlib import Path
from tempfile import TemporaryDirectory

log = logging.getLogger(__name__)

BURST = "sb26030704"
MODULES = (
    "airflow.dag_processing.bundles.local",
    "airflow.dag_processing.dagbag",
    "airflow.providers.standard.operators.empty",
    "airflow.providers.standard.operators.hitl",
    "airflow.sdk.execution_time.cache",
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
    "airflow.sdk.execution_time.timeout",
    "airflow.version",
    "jinja2.ext",
    "mxtvhf.reporting.announcement.news",
    "mxtvhf.reporting.announcement.question",
    "mxtvhf_airflow.listener",
    "mxtvhf_airflow.operators.decision",
    "mxtvhf_airflow.operators.gp",
    "mxtvhf_airflow.operators.steps",
    "mxtvhf_airflow.params",
    "mxtvhf_airflow.sensors.gp",
)


def preload() -> None:
    """Load all modules and data that tasks need, and use them once.

    A failure is only logged, because each task then loads what is missing itself.
    """
    began = time.monotonic()
    try:
        for module in MODULES:
            importlib.import_module(module)
        load_plugins()
        process_burst_once()
        make_client()
    except Exception:
        # An error here must not stop the process, because tasks work without preloading.
        log.exception("preloading failed; tasks start more slowly")
    else:
        log.info("preloaded modules and data in %.1f s", time.monotonic() - began)


def load_plugins() -> None:
    """Load the plugin with its listener, so that tasks need not load them."""
    from airflow.sdk.listener import get_listener_manager

    get_listener_manager()


def make_client() -> None:
    """Create a client of the API server once, so that task supervisors need not read the certificates.

    Reading the system's certificates takes four fifths of the time of a supervisor.
    """
    from airflow.sdk.api.client import Client

    Client(base_url="http://127.0.0.1", token="").close()


def process_burst_once() -> None:
    """Run all steps on a simulated burst, so that everything loaded at first use is present."""
    from mxtvhf.catalogues.store import CatalogueStore
    from mxtvhf.simulator.scenario import scenario_of, write_scenario
    from mxtvhf.workflow.local import process_burst
    from mxtvhf_airflow.environment import process_settings

    with TemporaryDirectory() as folder:
        alert, _, packets, _ = write_scenario(scenario_of(BURST), Path(folder))
        process_burst(
            alert,
            packets,
            Path(folder) / "products",
            catalogues=CatalogueStore(process_settings().catalogues),
            figures=False,
        )
