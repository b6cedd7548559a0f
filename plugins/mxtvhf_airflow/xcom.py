"""Conversion of the result of a step to an XCom."""

from __future__ import annotations

from typing import Any

from mxtvhf.models.base import Model

FIRST_TOO_LARGE = 2.0**63
"""PostgreSQL returns a large float as an integer, and MessagePack has no integers of more than 64 bits."""


def xcom_of(result: Model) -> dict[str, Any]:
    """Return a result as an XCom from which its model reads the same values."""
    return {name: _carried(value) for name, value in result.model_dump(mode="json").items()}


def _carried(value: Any) -> Any:
    """Return the value with too large numbers replaced by text."""
    if isinstance(value, dict):
        return {name: _carried(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_carried(item) for item in value]
    return repr(value) if isinstance(value, float) and abs(value) >= FIRST_TOO_LARGE else value
