"""Closing of questions to the Burst Advocate that no longer need an answer.

A question is a run of ``mxt_vhf_decision``. It needs no answer if a later run of the burst has a result that
can be announced, or if the burst was retracted. Closing it also saves scheduler time.
"""

from __future__ import annotations

import logging
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from mxtvhf.archive.archive import Archive
from mxtvhf.archive.products import report_summary
from mxtvhf.errors import InvalidInput, MxtVhfError
from mxtvhf.models.ids import BURST_ID_PATTERN, TEST_MARK, run_id_of
from mxtvhf.models.kept import log_once
from mxtvhf.reporting.announcement.request import is_askable
from mxtvhf.workflow.airflow_api import DECISION_DAG_ID, AirflowApi

log = logging.getLogger(__name__)

EVERY_S = 15.0
"""Seconds between two checks of the open questions."""
RUN_ID = re.compile(rf"({BURST_ID_PATTERN.strip('^$')})__([0-9]+)({TEST_MARK})?", re.ASCII)
"""Run ids of the intake and of the REST API. A question of a run with another id stays open."""


def unneeded(
    run_ids: Iterable[str],
    is_retracted: Callable[[str, bool], bool],
    later_result: Callable[[str, bool, int], int | None],
) -> dict[str, str]:
    """Return the open questions that need no answer, each with the reason.

    Parameters
    ----------
    run_ids
        Ids of the runs with an open question.
    is_retracted
        Called with the burst id and True for test runs; returns True if the burst was retracted.
    later_result
        Called with the burst id, True for test runs, and a sequence number. Returns the sequence number of
        a later run with a result that can be announced; None without such a run.

    Returns
    -------
    dict
        Run id -> reason as a clause.
    """
    bursts: dict[tuple[str, bool], dict[int, str]] = defaultdict(dict)
    for run_id in run_ids:
        if found := RUN_ID.fullmatch(run_id):
            bursts[found[1], found[3] is not None][int(found[2])] = run_id
    reasons = {}
    for (burst_id, is_test), by_sequence in bursts.items():
        newest = max(by_sequence)
        newest = later_result(burst_id, is_test, newest) or newest
        for sequence, run_id in by_sequence.items():
            if is_retracted(burst_id, is_test):
                reasons[run_id] = "the burst was retracted"
            elif sequence != newest:
                reasons[run_id] = f"superseded by {run_id_of(burst_id, newest, is_test=is_test)}"
    return reasons


class OpenQuestions:
    """The open questions of an installation.

    Parameters
    ----------
    archive
        Archive with the marks of retracted bursts.
    products
        Folder of the reports of the runs.
    api
        Client of the Airflow that runs the DAGs. No other thread may use it.
    """

    def __init__(self, archive: Archive, products: Path, api: AirflowApi) -> None:
        self._archive = archive
        self._products = products
        self._api = api

    def run(self, stop: threading.Event, works: Callable[[], None] = lambda: None) -> None:
        """Close unneeded questions every `EVERY_S` until ``stop`` is set; call ``works`` after each check."""
        while not stop.wait(EVERY_S):
            try:
                self.end_unneeded()
            except MxtVhfError as error:
                # The questions stay open until the next check.
                log_once(f"open questions: {error}")
            works()

    def end_unneeded(self) -> None:
        """Close the questions that need no answer.

        Raises
        ------
        Failure, Retriable
            Airflow is unreachable, failing, or rejects our user.
        """
        reasons = unneeded(self._api.active_runs(DECISION_DAG_ID), self._is_retracted, self._later_result)
        for run_id, reason in reasons.items():
            try:
                self._api.stop_run(run_id, note=f"closed: {reason}", dag_id=DECISION_DAG_ID)
            except InvalidInput as error:
                # A user deleted or answered the question between the two calls.
                log.warning("run %s: question not closed: %s", run_id, error)
            else:
                log.info("run %s: question closed: %s", run_id, reason)

    def _is_retracted(self, burst_id: str, is_test: bool) -> bool:
        return self._archive.retraction(burst_id, is_test=is_test) is not None

    def _later_result(self, burst_id: str, is_test: bool, sequence: int) -> int | None:
        """Return the newest later run with a result, even if its question was already answered."""
        found = map(RUN_ID.fullmatch, (folder.name for folder in self._products.glob(f"{burst_id}/*")))
        runs = {int(one[2]): one[0] for one in found if one and (one[3] is not None) == is_test}
        later = sorted((number for number in runs if number > sequence), reverse=True)
        return next(
            (number for number in later if is_askable(report_summary(self._products, runs[number]))), None
        )
