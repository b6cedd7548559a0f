"""Identifiers of bursts and runs; a run id also gives the kind of the run."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated

from pydantic import StringConstraints

BURST_ID_PATTERN = r"^sb[0-9]{8}$"
"""SVOM burst identifier ``sbYYMMDDnn`` (SVOM notice documentation); ASCII digits only."""

BurstId = Annotated[str, StringConstraints(pattern=BURST_ID_PATTERN)]

REPLAY_MARK = "__replay_"
"""Mark in the run id of a replay, before its time."""

TEST_MARK = "__test"
"""Suffix of the run id of a test alert."""


def canonical_ivorn(ivorn: str) -> str:
    """Normalise an IVOA identifier for comparison.

    The registry part (before ``?`` or ``#``) is case-insensitive, the rest is not (IVOA Identifiers 2.0,
    section 2.1): ``ivo://ORG.SVOM/fsc#sb26030704_a`` is ``ivo://org.svom/fsc#sb26030704_a``.
    """
    registry = re.match(r"[^?#]*", ivorn)
    end = registry.end() if registry else 0
    return ivorn[:end].lower() + ivorn[end:]


class RunKind(StrEnum):
    """Purpose of a run."""

    LIVE = "live"
    TEST = "test"
    REPLAY = "replay"

    @property
    def dag_id(self) -> str:
        """Id of the DAG in which runs of this kind are started."""
        return _DAG_IDS[self]


_DAG_IDS = {RunKind.LIVE: "mxt_vhf", RunKind.TEST: "mxt_vhf_test", RunKind.REPLAY: "mxt_vhf_rerun"}

RUN_DAG_IDS = tuple(_DAG_IDS.values())
"""DAGs that analyse an alert. Up to version 0.2, tests and replays were also runs of the first one."""


def run_id_of(burst_id: str, sequence: int, *, is_test: bool = False) -> str:
    """Return the deterministic run id, ``<burst_id>__<sequence>``: the same input never runs twice."""
    return f"{burst_id}__{sequence}{TEST_MARK if is_test else ''}"


def kind_of_run(run_id: str, dag_id: str | None = None) -> RunKind:
    """Return the kind of a run from its id and, if known, its DAG.

    The intake and the REST API mark the ids of tests and replays. A test that a person started in the DAG for
    live alerts looks like a live run here; only the role of its alert identifies it as a test.
    """
    if REPLAY_MARK in run_id or dag_id == RunKind.REPLAY.dag_id:
        return RunKind.REPLAY
    if run_id.endswith(TEST_MARK) or dag_id == RunKind.TEST.dag_id:
        return RunKind.TEST
    return RunKind.LIVE
