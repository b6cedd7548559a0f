"""Selection of the displayed run: the newest with a report, so that an update hides no position."""

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
    """Return the newest run with a report, or else the newest run.

    Parameters
    ----------
    runs
        At least one run of one burst and one kind, each with its report, newest first.
    """
    return next(((run, report) for run, report in runs if report is not None), runs[0])


def shown_run(runs: Sequence[Run], files: DeskFiles) -> Run | None:
    """Return the run that the page of a burst shows by default.

    Live runs take precedence over tests, tests over replays; within a kind, see `newest_reported`.

    Parameters
    ----------
    runs
        All runs of one burst, newest first.
    files
        Source of their reports.

    Returns
    -------
    Run or None
        None without a run.
    """
    kinds: dict[RunKind, list[tuple[Run, ReportSummary | None]]] = {}
    for run in runs:
        report = files.summary(str(run.burst_id), run.run_id)
        kinds.setdefault(kind_of(run.run_id, report, is_test=run.is_test), []).append((run, report))
    return next((newest_reported(kinds[kind])[0] for kind in RunKind if kind in kinds), None)
