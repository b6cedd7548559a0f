"""Supported versions of Airflow, and functions that use private names of Airflow.

Airflow may change a private name in any release. Every use of one is therefore in a function of this module,
with a test for each supported version (``tests/plugins/test_compat.py``). Nothing in Airflow is patched.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.models.taskinstance import TaskInstance
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance


TESTED_VERSIONS = ("3.3.1", "3.3.2")
"""Versions of Airflow that passed the integration tests (``make test AIRFLOW=...``)."""


def version_text(installed: str | None = None) -> str:
    """Return Airflow's version, its support status and active patches, for `mxtvhf health`.

    Parameters
    ----------
    installed
        Version of Airflow; by default the installed one.
    """
    shown = installed or version("apache-airflow")
    tested = "tested" if shown in TESTED_VERSIONS else f"not tested; tested: {', '.join(TESTED_VERSIONS)}"
    return f"{shown} ({tested}); patches: none"


def step_conf(step: RuntimeTaskInstance | TaskInstance) -> dict[str, Any] | None:
    """Return the configuration of the run of a task instance.

    Parameters
    ----------
    step
        The task instance that a listener receives in the process of the task or in the API server.

    Returns
    -------
    dict or None
        None if the process of the task does not know its run.
    """
    if hasattr(step, "dag_run"):
        return dict(step.dag_run.conf or {})
    # The public get_template_context() validates all parameters again, which takes 13 ms per call.
    context = step._ti_context_from_server
    return context.dag_run.conf if context else None
