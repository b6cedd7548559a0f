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
"""Time for which a run counts without a report, seconds. A failed or slow run never holds back others."""


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

    def admits(self, run: PlannedRun) -> bool:
        """Return True if a run may start now."""
        ahead = sum(run.is_test or not other.is_test for other, _ in self._started.values())
        return not run.packets or ahead < self._at_once

    def _is_reported(self, run: PlannedRun) -> bool:
        folder = product_folder(self._products, run.conf.burst_id, run.run_id)
        return (folder / PRELIMINARY_REPORT).exists()
