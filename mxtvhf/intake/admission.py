"""The limit on analyses that are started before their first report.

All runs of an alert storm, started at once, would share the cores, and each report would wait for the first
steps of all others. The other runs are planned on disk, so that nothing is lost while they wait. Each intake
counts the runs that it started itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from mxtvhf.archive.products import PRELIMINARY_REPORT, product_folder
from mxtvhf.intake.planned import PlannedRun

LONGEST_S = 10.0
"""Time for which a run counts without a report, seconds. A slow run never holds back others for longer."""
OVERDUE_S = 3.0
"""Time after which a run without a report may have failed, and between two questions about it, seconds."""


def start_order(run: PlannedRun) -> tuple[bool, bool, int, float]:
    """Return the sort key of waiting runs.

    Real alerts are before tests, then retractions, the first runs of a burst before its updates, and new runs
    before old ones, because a position is worth most right after the burst.

    Parameters
    ----------
    run
        A planned run.
    """
    return run.is_test, not run.is_retraction, run.conf.sequence, -run.planned.timestamp()


class Admission:
    """Decides which planned runs may start now.

    Only runs with packets count, because the others have nothing to analyse. Tests never hold back the run of
    a real alert.

    Parameters
    ----------
    products
        Folder of all products, in which the reports appear.
    at_once
        Largest number of runs that wait for their preliminary report.
    clock
        Clock in seconds that never runs backwards.
    """

    def __init__(self, products: Path, at_once: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._products, self._at_once, self._clock = products, at_once, clock
        self._started: dict[str, tuple[PlannedRun, float]] = {}
        self._asked: dict[str, float] = {}

    def start(self, run: PlannedRun) -> None:
        """Count a run that Airflow has accepted."""
        if run.packets:
            self._started[run.run_id] = run, self._clock()

    def refresh(self) -> None:
        """Stop counting the runs with a preliminary report, and those without one for `LONGEST_S`."""
        now = self._clock()
        self._started = {
            run_id: (run, began)
            for run_id, (run, began) in self._started.items()
            if now - began < LONGEST_S and not self._is_reported(run)
        }

    def overdue(self) -> list[PlannedRun]:
        """Return the counted runs that may have ended without a report, each once in `OVERDUE_S`."""
        now = self._clock()
        last = {run_id: self._asked.get(run_id, began) for run_id, (_, began) in self._started.items()}
        found = [run for run_id, (run, _) in self._started.items() if now - last[run_id] >= OVERDUE_S]
        self._asked = last | dict.fromkeys((run.run_id for run in found), now)
        return found

    def ended(self, run: PlannedRun) -> None:
        """Stop counting a run that ended without a report."""
        self._started.pop(run.run_id, None)

    def admits(self, run: PlannedRun) -> bool:
        """Return True if a run may start now."""
        ahead = sum(run.is_test or not other.is_test for other, _ in self._started.values())
        return not run.packets or ahead < self._at_once

    def _is_reported(self, run: PlannedRun) -> bool:
        folder = product_folder(self._products, run.conf.burst_id, run.run_id)
        return (folder / PRELIMINARY_REPORT).exists()
