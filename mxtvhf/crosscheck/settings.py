"""The cross-check's limits and priors, ``crosscheck.toml``."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from tomllib import loads
from typing import Any


@cache
def crosscheck_settings() -> dict[str, Any]:
    """Return ``crosscheck.toml``: limits and priors with the reason for each."""
    return loads((files("mxtvhf.crosscheck") / "crosscheck.toml").read_text())
