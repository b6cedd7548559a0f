"""Ends questions to the Burst Advocate that need no answer any more.

A question is a run of ``mxt_vhf_decision``. It needs no answer when the result of a later run of the burst
was put to the Burst Advocate, or when the burst was retracted. Each open one costs the scheduler time, too.
"""

from __future__ import annotations

import logging
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable

from mxtvhf.archive.archive import Archive
from mxtvhf.errors import InvalidInput, MxtVhfError
from mxtvhf.models.ids import BURST_ID_PATTERN, TEST_MARK
from mxtvhf.models.kept import log_once
from mxtvhf.workflow.airflow_api import DECISION_DAG_ID, AirflowApi

log = logging.getLogger(__name__)

EVERY_S = 15.0
"""Between two looks at the open questions."""
RUN_ID = re.compile(rf"({BURST_ID_PATTERN.strip('^$')})__([0-9]+)({TEST_MARK})?", re.ASCII)
"""Run ids of the intake and of REST; a person may choose another one, and answers its question."""


def unneeded(run_ids: Iterable[str], is_retracted: Callable[[str, bool], bool]) -> dict[str, str]:
    """Return the open questions that need no answer, and why.

    Parameters
    ----------
    run_ids
        Ids of the runs whose questions are open.
    is_retracted
        Tells by burst id, and whether its tests are meant, whether the burst was retracted.

    Returns
    -------
    dict
        Run id -> reason, a clause.
    """
    bursts: dict[tuple[str, bool], dict[int, str]] = defaultdict(dict)
    for run_id in run_ids:
        if found := RUN_ID.fullmatch(run_id):
            bursts[found[1], found[3] is not None][int(found[2])] = run_id
    reasons = {}
    for (burst_id, is_test), by_sequence in bursts.items():
        newest = max(by_sequence)
        for sequence, run_id in by_sequence.items():
            if is_retracted(burst_id, is_test):
                reasons[run_id] = "the burst was retracted"
            elif sequence != newest:
                reasons[run_id] = f"superseded by the question about {by_sequence[newest]}"
    return reasons


class OpenQuestions:
    """The open questions of an installation.

    Parameters
    ----------
    archive
        Where retractions are marked.
    api
        The Airflow that runs; used by this thread alone.
    """

    def __init__(self, archive: Archive, api: AirflowApi) -> None:
        self._archive = archive
        self._api = api

    def run(self, stop: threading.Event, works: Callable[[], None] = lambda: None) -> None:
        """End unneeded questions now and then until ``stop`` is set; ``works`` is called after each look."""
        while not stop.wait(EVERY_S):
            try:
                self.end_unneeded()
            except MxtVhfError as error:
                # Whatever Airflow answers: the questions stay open, and wait for the next look.
                log_once(f"open questions: {error}")
            works()

    def end_unneeded(self) -> None:
        """End the questions that need no answer.

        Raises
        ------
        Failure, Retriable
            Airflow cannot be reached, is in trouble, or refuses our user.
        """
        reasons = unneeded(self._api.active_runs(DECISION_DAG_ID), self._is_retracted)
        for run_id, reason in reasons.items():
            try:
                self._api.stop_run(run_id, note=f"closed: {reason}", dag_id=DECISION_DAG_ID)
            except InvalidInput as error:
                # Deleted or answered meanwhile: nothing is left to end.
                log.warning("run %s: question not closed: %s", run_id, error)
            else:
                log.info("run %s: question closed: %s", run_id, reason)

    def _is_retracted(self, burst_id: str, is_test: bool) -> bool:
        return self._archive.retraction(burst_id, is_test=is_test) is not None
