"""The parameters of runs as Airflow's ``Param``, used by trigger forms and to validate every DAG run.

The process of a task declares no parameters. The run was checked against them when it was created, and the
task checks its configuration again with the same models (`mxtvhf_airflow.run_context.checked_params`).
Airflow would check each field twice, which takes a tenth of the CPU time of a short task.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param, get_parsing_context

from mxtvhf.models.base import Model
from mxtvhf.models.run_conf import RunConf
from mxtvhf.reporting.announcement.request import DecisionRequest
from mxtvhf.workflow.replay_request import ReplayRequest

LONG_TEXT = {"alert"}


def run_params() -> dict[str, Param]:
    """Return the parameters of ``mxt_vhf``."""
    return _params(RunConf)


def replay_params() -> dict[str, Param]:
    """Return the parameters of ``mxt_vhf_replay``."""
    return _params(ReplayRequest)


def decision_params() -> dict[str, Param]:
    """Return the parameters of ``mxt_vhf_decision``."""
    return _params(DecisionRequest)


def _params(model: type[Model]) -> dict[str, Param]:
    """Return one ``Param`` per field of a model, with its JSON schema and description; none in a task."""
    if get_parsing_context().task_id is not None:
        return {}
    schema = model.model_json_schema()
    return {name: _param(name, dict(field)) for name, field in schema["properties"].items()}


def _param(name: str, field: dict[str, Any]) -> Param:
    description = str(field.pop("description", ""))
    if examples := field.pop("examples", None):
        description += f", e.g. {examples[0]}"
    if options := field.pop("anyOf", None):
        # Optional text: the form shows one field that may be empty.
        first = dict(options[0])
        field = {**field, **first, "type": [first["type"], "null"]}
    if name in LONG_TEXT:
        field["format"] = "multiline"
    if "default" in field:
        return Param(field.pop("default"), description=description, **field)
    return Param(description=description, **field)
