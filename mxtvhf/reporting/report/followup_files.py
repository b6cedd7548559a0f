"""Files for observers, made from a report when somebody asks for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mxtvhf.errors import InvalidInput
from mxtvhf.followup.observatories import Observatories
from mxtvhf.followup.position_files import ds9_regions, fits_table, target_list, votable
from mxtvhf.followup.visibility import visibility
from mxtvhf.models.files import write_atomically
from mxtvhf.models.position import Position
from mxtvhf.reporting.report.model import Report


@dataclass(frozen=True)
class _Asked:
    """A report with a position, the time of the request, and the telescopes."""

    report: Report
    best: Position
    at: datetime
    of: Observatories | None


def _finding_chart(asked: _Asked) -> bytes:
    # Imported here, because Matplotlib takes a second.
    from mxtvhf.reporting.report.finding_chart import finding_chart

    report = asked.report
    regions = report.localisation.regions if report.localisation else ()
    return finding_chart(report.burst_id, asked.best, report.positions, report.catalogues, regions).png


def _targets(asked: _Asked) -> bytes:
    seen = visibility(asked.best.ra_deg, asked.best.dec_deg, asked.at, of=asked.of)
    return target_list(asked.report.burst_id, asked.best, seen)


_WRITERS: dict[str, Callable[[_Asked], bytes]] = {
    "finding_chart.png": _finding_chart,
    "positions.vot": lambda asked: votable(asked.report.burst_id, asked.report.positions, asked.best),
    "positions.fits": lambda asked: fits_table(asked.report.burst_id, asked.report.positions, asked.best),
    "positions.reg": lambda asked: ds9_regions(asked.report.burst_id, asked.report.positions, asked.best),
    "targets.csv": _targets,
}

FOLLOWUP_FILES = {
    "finding_chart.png": "image/png",
    "positions.vot": "application/x-votable+xml",
    "positions.fits": "application/fits",
    "positions.reg": "text/plain",
    "targets.csv": "text/csv",
}
"""Name of each file -> media type."""


def followup_file(report: Report, name: str, at: datetime, *, of: Observatories | None = None) -> bytes:
    """Return the content of one of the `FOLLOWUP_FILES`.

    Parameters
    ----------
    report
        The report.
    name
        Name of the file.
    at
        Start of the windows in the list of targets, with its zone.
    of
        Telescopes and limits; None for those of the package.

    Raises
    ------
    InvalidInput
        The name is unknown, the report has no position, or the time is outside the ephemerides.
    """
    if name not in _WRITERS:
        raise InvalidInput(f"unknown file {name!r}; expected one of {', '.join(_WRITERS)}")
    if report.best_position is None:
        raise InvalidInput(f"report of {report.run_id}: no position, so there is no {name}")
    return _WRITERS[name](_Asked(report, report.best_position, at, of))


def write_followup_files(
    report: Report, out: Path, at: datetime, *, of: Observatories | None = None
) -> tuple[Path, ...]:
    """Write all `FOLLOWUP_FILES` into a folder; parameters and errors as in `followup_file`.

    Parameters
    ----------
    report, at, of
        As in `followup_file`.
    out
        Folder, which is created if it does not exist.
    """
    contents = {name: followup_file(report, name, at, of=of) for name in FOLLOWUP_FILES}
    out.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        write_atomically(out / name, content)
    return tuple(out / name for name in contents)
