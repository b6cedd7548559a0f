"""Identifiers: of bursts, and of runs, whose id says of which kind they are."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated

from pydantic import StringConstraints

BURST_ID_PATTERN = r"^sb[0-9]{8}$"
"""SVOM burst identifier ``sbYYMMDDnn`` (SVOM notice documentation); ASCII digits only."""

BurstId = Annotated[str, StringConstraints(pattern=BURST_ID_PATTERN)]

REPLAY_MARK = "__replay_"
"""In the run id of a replay, before its time."""

TEST_MARK = "__test"
"""End of the run id of a test alert; Airflow lets live ones go first."""


def canonical_ivorn(ivorn: str) -> str:
    """Return an IVOA identifier in the spelling by which two of them are compared.

    The registry part (before ``?`` or ``#``) is case-insensitive, the rest is not (IVOA Identifiers 2.0,
    section 2.1): ``ivo://ORG.SVOM/fsc#sb26030704_a`` is ``ivo://org.svom/fsc#sb26030704_a``.
    """
    registry = re.match(r"[^?#]*", ivorn)
    end = registry.end() if registry else 0
    return ivorn[:end].lower() + ivorn[end:]


class RunKind(StrEnum):
    """What a run is for."""

    LIVE = "live"
    TEST = "test"
    REPLAY = "replay"


def run_id_of(burst_id: str, sequence: int, *, is_test: bool = False) -> str:
    """Return the deterministic run id, ``<burst_id>__<sequence>``: the same input never runs twice."""
    return f"{burst_id}__{sequence}{TEST_MARK if is_test else ''}"


def kind_of_run(run_id: str) -> RunKind:
    """Return the kind of a run by its id.

    Only the intake marks the ids of tests: one that was started by hand looks like a live run here, and is
    known by the role of its alert.
    """
    if REPLAY_MARK in run_id:
        return RunKind.REPLAY
    return RunKind.TEST if run_id.endswith(TEST_MARK) else RunKind.LIVE
