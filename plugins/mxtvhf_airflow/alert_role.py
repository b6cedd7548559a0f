"""The role of a run's alert, for messages about the run and for the scheduler."""

from __future__ import annotations

import functools
from pathlib import Path

from mxtvhf.archive.inputs import MAX_ALERT_BYTES, source_bytes
from mxtvhf.errors import InvalidInput
from mxtvhf.notices.role import is_test_notice
from mxtvhf.settings import Settings, read_settings


@functools.cache
def settings() -> Settings:
    """Return the settings, read once: that takes 1.5 ms, and the environment of a process does not change."""
    return read_settings()


@functools.cache
def _roots() -> tuple[Path, ...]:
    return settings().readable_roots()


def is_test_alert(alert: object) -> bool | None:
    """Tell whether a run's alert is a test; None where it cannot be read, which the run itself reports.

    Parameters
    ----------
    alert
        ``alert`` of the run's configuration: a path, a URI, the VOEvent itself, or whatever else was given.
    """
    if not isinstance(alert, str) or not alert:
        return None
    try:
        return is_test_notice(source_bytes(alert, MAX_ALERT_BYTES, _roots()))
    except InvalidInput:
        return None
