"""Changes from one report to another one of the same burst."""

from __future__ import annotations

from mxtvhf.archive.products import ReportSummary
from mxtvhf.models.angles import angle_text, radius_text, separation_arcsec
from mxtvhf.models.position import Position

UNMOVED_ARCSEC = 0.1
"""Largest separation at which two positions count as the same, arcsec."""


def changes(before: ReportSummary, after: ReportSummary) -> tuple[str, ...]:
    """Return the differences between two reports of a run, each in a few words.

    Parameters
    ----------
    before, after
        The preliminary report and the final one.

    Returns
    -------
    tuple of str
        Changes of best position, R90 and verdict; empty if the result is the same.
    """
    found = position_changes(before.best_position, after.best_position)
    if after.verdict != before.verdict:
        found.append(f"verdict {after.verdict or 'missing'} (was {before.verdict or 'missing'})")
    return tuple(found)


def position_changes(before: Position | None, after: Position | None, *, tolerance: float = 0.0) -> list[str]:
    """Return the changes of a position and of its radius, each in a few words.

    Parameters
    ----------
    before, after
        The earlier and the later position; None if there is none.
    tolerance
        Largest shift, and largest change of R90, that is none, as a fraction of the earlier R90.

    Returns
    -------
    list of str
        Changes; empty if the position is the same.
    """
    if before is None or after is None:
        return [] if before is after else ["no position any more" if after is None else "position found"]
    found = []
    apart = separation_arcsec(before.ra_deg, before.dec_deg, after.ra_deg, after.dec_deg)
    if (before.origin, before.label) != (after.origin, after.label):
        found.append(f"position from {after.instrument} (was {before.instrument}), {angle_text(apart)} apart")
    elif apart >= max(UNMOVED_ARCSEC, tolerance * (before.r90_arcsec or 0.0)):
        found.append(f"position moved by {angle_text(apart)}")
    radii = [radius_text(one.r90_arcsec) if one.r90_arcsec else "unknown" for one in (before, after)]
    grown = abs((after.r90_arcsec or 0.0) - (before.r90_arcsec or 0.0))
    if radii[0] != radii[1] and grown > tolerance * (before.r90_arcsec or 0.0):
        found.append(f"R90 {radii[1]} (was {radii[0]})")
    return found
