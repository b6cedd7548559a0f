"""The run of a burst that the desk shows: the newest with a report, so that no update hides a position."""

from __future__ import annotations

from collections.abc import Sequence

from mxtvhf.archive.products import ReportSummary
from mxtvhf.desk.files import DeskFiles
from mxtvhf.desk.states import kind_of
from mxtvhf.models.ids import RunKind
from mxtvhf.workflow.runs import Run


def newest_reported(
    runs: Sequence[tuple[Run, ReportSummary | None]],
) -> tuple[Run, ReportSummary | None]:
    """Return the newest run that has a report, else the newest run.

    Parameters
    ----------
    runs
        Runs of one burst and of one kind with their reports, newest first; at least one.
    """
    return next(((run, report) for run, report in runs if report is not None), runs[0])


def shown_run(runs: Sequence[Run], files: DeskFiles) -> Run | None:
    """Return the run that the page of a burst shows when it is asked for none.

    Live runs come before tests, tests before replays; of each kind the newest run that has a report.

    Parameters
    ----------
    runs
        All runs of one burst, newest first.
    files
        Where their reports are read.

    Returns
    -------
    Run or None
        None without any run.
    """
    kinds: dict[RunKind, list[tuple[Run, ReportSummary | None]]] = {}
    for run in runs:
        report = files.summary(str(run.burst_id), run.run_id)
        kinds.setdefault(kind_of(run.run_id, report, is_test=run.is_test), []).append((run, report))
    return next((newest_reported(kinds[kind])[0] for kind in RunKind if kind in kinds), None)
