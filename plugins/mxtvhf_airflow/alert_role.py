"""The VOEvent role of a run's alert, used by messages about the run and by the scheduler."""

from __future__ import annotations

import functools

from mxtvhf.archive.inputs import MAX_ALERT_BYTES, source_bytes
from mxtvhf.errors import InvalidInput
from mxtvhf.models.input_folders import InputFolders
from mxtvhf.notices.role import is_test_notice
from mxtvhf_airflow.environment import process_settings


@functools.cache
def _folders() -> InputFolders:
    return process_settings().input_folders()


def is_test_alert(alert: object) -> bool | None:
    """Return True if the alert of a run is a test; None if it is unreadable, which the run itself reports.

    Parameters
    ----------
    alert
        ``alert`` of the run's configuration: a path, a URI, the VOEvent itself, or any invalid value.
    """
    if not isinstance(alert, str) or not alert:
        return None
    try:
        return is_test_notice(source_bytes(alert, MAX_ALERT_BYTES, _folders()))
    except InvalidInput:
        return None
