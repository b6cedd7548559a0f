"""The parameters of a run as Airflow's ``Param``: the trigger form, and the check of every dagRun."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param

from mxtvhf.models import RunConf

LONG_TEXT = {"alert"}


def run_params() -> dict[str, Param]:
    """Return one ``Param`` per field of ``RunConf``, with its JSON schema and description."""
    schema = RunConf.model_json_schema()
    return {name: _param(name, dict(field)) for name, field in schema["properties"].items()}


def _param(name: str, field: dict[str, Any]) -> Param:
    description = str(field.pop("description", ""))
    if examples := field.pop("examples", None):
        description += f", e.g. {examples[0]}"
    if options := field.pop("anyOf", None):
        # Optional text: the form shows one field that may stay empty.
        first = dict(options[0])
        field = {**field, **first, "type": [first["type"], "null"]}
    if name in LONG_TEXT:
        field["format"] = "multiline"
    if "default" in field:
        return Param(field.pop("default"), description=description, **field)
    return Param(description=description, **field)
