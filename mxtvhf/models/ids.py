"""Identifiers: of bursts, and the marks in the ids of runs."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

BURST_ID_PATTERN = r"^sb[0-9]{8}$"
"""SVOM burst identifier ``sbYYMMDDnn`` (SVOM notice documentation); ASCII digits only."""

BurstId = Annotated[str, StringConstraints(pattern=BURST_ID_PATTERN)]

REPLAY_MARK = "__replay_"
"""In the run id of a replay, before its time."""

TEST_MARK = "__test"
"""End of the run id that the intake gives to a test alert; Airflow lets live ones go first."""
