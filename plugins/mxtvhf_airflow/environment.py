"""The settings of a process of Airflow, read once from its environment."""

from __future__ import annotations

import functools

from mxtvhf.settings import Settings, read_settings


@functools.cache
def process_settings() -> Settings:
    """Return the settings of the installation.

    Reading them takes 1.5 ms, several times as long in the process of a task. The environment of a process
    never changes, and the process of a task inherits what `mxtvhf_airflow.preload` has read.
    """
    return read_settings()
