"""Which versions of Airflow are supported, and the private names of Airflow that are used here.

Airflow may change a private name in any release. Every use of one stands here, behind a function of ours,
with a test that runs with each supported version (``tests/plugins/test_compat.py``). Nothing of Airflow is
changed while it runs.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.models.taskinstance import TaskInstance
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance


TESTED_VERSIONS = ("3.3.1", "3.3.2")
"""Versions of Airflow with which the integration tests have passed (``make test AIRFLOW=...``)."""


def version_text(installed: str | None = None) -> str:
    """Return Airflow's version, whether it is supported, and the patches in force, for `mxtvhf health`.

    Parameters
    ----------
    installed
        The version; None: the one installed.
    """
    shown = installed or version("apache-airflow")
    tested = "tested" if shown in TESTED_VERSIONS else f"not tested; tested: {', '.join(TESTED_VERSIONS)}"
    return f"{shown} ({tested}); patches: none"


def step_conf(step: RuntimeTaskInstance | TaskInstance) -> dict[str, Any] | None:
    """Return the configuration of the run to which a task instance belongs.

    Parameters
    ----------
    step
        The task instance as a listener gets it: in the task's own process, or in the API server.

    Returns
    -------
    dict or None
        None where the process of the task was not told of its run.
    """
    if hasattr(step, "dag_run"):
        return dict(step.dag_run.conf or {})
    # The public way, get_template_context(), checks all parameters again: 13 ms at each call.
    context = step._ti_context_from_server
    return context.dag_run.conf if context else None
