"""What a new result changes against the announcement of the burst; nobody is asked about the same twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import AwareDatetime

from mxtvhf.archive.products import FINAL_REPORT, PRELIMINARY_REPORT, product_folder
from mxtvhf.errors import InvalidInput, NothingToDo
from mxtvhf.models.base import Model
from mxtvhf.models.kept import KeptModel, log_once, read_kept
from mxtvhf.models.position import Position
from mxtvhf.reporting.announcement.change import announcements
from mxtvhf.reporting.announcement.model import Release
from mxtvhf.reporting.announcement.release import REPORT, release_folder
from mxtvhf.reporting.report.changes import position_changes

TOLERANCE = 0.1
"""Fraction below which a change is none: a shift, of R90; of R90, source photons and upper limit."""


class MeasuredPhotons(Model):
    """The part of a localisation that a new announcement would change."""

    detected: bool
    n_source: float
    upper_limit_photons: float | None = None


class Result(KeptModel):
    """The part of a report that a new announcement would change."""

    run_id: str
    is_test: bool
    is_replay: bool
    written: AwareDatetime
    best_position: Position | None
    positions: tuple[Position, ...]
    verdict: str = ""
    localisation: MeasuredPhotons | None = None


def changes_since(out: Release, before: Result, after: Result) -> tuple[str, ...]:
    """Return what a result changes against an announcement, each change in a few words.

    A change counts if it exceeds `TOLERANCE`. The announced result stays the reference, so small changes over
    several updates add up.

    Parameters
    ----------
    out
        The announcement.
    before
        Its result.
    after
        The new result.

    Returns
    -------
    tuple of str
        Changes of the recommended and of the announced position, of the verdict, and of the photons; empty if
        the announcement would be the same.
    """
    found = position_changes(before.best_position, after.best_position, tolerance=TOLERANCE)
    if before.best_position is None or out.position.label != before.best_position.label:
        same = next((one for one in after.positions if one.label == out.position.label), None)
        moved = position_changes(out.position, same, tolerance=TOLERANCE)
        found += [f"announced {out.position.instrument}: {change}" for change in moved]
    if after.verdict != before.verdict:
        found.append(f"verdict {after.verdict or 'missing'} (was {before.verdict or 'missing'})")
    return (*found, *_photon_changes(before.localisation, after.localisation))


def _photon_changes(before: MeasuredPhotons | None, after: MeasuredPhotons | None) -> Iterator[str]:
    if before is None or after is None:
        if before is not after:
            yield "photons localised" if after else "photons no longer localised"
    elif before.detected != after.detected:
        yield "MXT source detected" if after.detected else "MXT source no longer detected"
    elif after.detected and _differ(before.n_source, after.n_source):
        yield f"{after.n_source:.0f} source photons (were {before.n_source:.0f})"
    elif not after.detected and _differ(before.upper_limit_photons, after.upper_limit_photons):
        yield f"upper limit {_counts(after)} (was {_counts(before)})"


def _differ(before: float | None, after: float | None) -> bool:
    if before is None or after is None:
        return before is not after
    return abs(after - before) > TOLERANCE * before


def _counts(photons: MeasuredPhotons) -> str:
    limit = photons.upper_limit_photons
    return "unknown" if limit is None else f"{limit:.0f} counts"


def check_news(releases: Path, products: Path, burst_id: str, run_id: str) -> None:
    """Check that the newest report of a run differs from the current announcement of the burst.

    Parameters
    ----------
    releases, products
        Folders of all releases and products.
    burst_id, run_id
        The burst, and the run.

    Raises
    ------
    NothingToDo
        The announcement already has this result.
    """
    try:
        number = _covered_by(releases / burst_id, product_folder(products, burst_id, run_id))
    except (InvalidInput, OSError) as error:
        # The question then names the damaged record.
        log_once(f"{run_id}: not compared with the announcement: {error}")
        return
    if number is not None:
        raise NothingToDo(f"{run_id}: announcement {number} already has this result; nothing is asked")


def _covered_by(burst_folder: Path, folder: Path) -> int | None:
    """Return the number of the announcement that has the result of a run; None without one."""
    reports = [folder / name for name in (FINAL_REPORT, PRELIMINARY_REPORT) if (folder / name).exists()]
    if not reports or not burst_folder.is_dir():
        return None
    after = read_kept(reports[0], Result)
    history = announcements(burst_folder, is_test=after.is_test)
    if not history or history[-1].is_retraction:
        return None
    out = history[-1]
    before = read_kept(release_folder(burst_folder, out) / REPORT, Result)
    return None if after.run_id == before.run_id or changes_since(out, before, after) else out.number
