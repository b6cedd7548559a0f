"""The line of a notification that tells who can follow up a position."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from mxtvhf.errors import InvalidInput
from mxtvhf.followup.extinction import galactic_extinction
from mxtvhf.followup.observatories import observatories
from mxtvhf.followup.visibility import visibility
from mxtvhf.models.position import Position

MOST_NAMES = 4
"""Largest number of telescopes named; the others are counted."""


def follow_up_text(position: Position, now: datetime, file: Path | None) -> str:
    """Return the Galactic extinction and the telescopes that can observe a position now, or the next one.

    Parameters
    ----------
    position
        The position.
    now
        Current time, UTC.
    file
        TOML file of telescopes; None for those of the package.

    Returns
    -------
    str
        One line; if it cannot be calculated, the reason.
    """
    try:
        dust = galactic_extinction(position.ra_deg, position.dec_deg)
        seen = visibility(position.ra_deg, position.dec_deg, now, of=observatories(file))
    except InvalidInput as error:
        return f"not calculated: {error}"
    extinction = f"A_V {dust.a_v_mag:.2f} mag"
    names = [one.telescope for one in seen.telescopes if one.is_visible_now]
    if names:
        others = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        return f"visible now from {', '.join(names[:MOST_NAMES])}{others}; {extinction}"
    later = [(one.windows[0].start, one.telescope) for one in seen.telescopes if one.windows]
    if not later:
        return f"not visible from any telescope in the next 24 h; {extinction}"
    start, name = min(later)
    return f"not visible now; next from {name} at {start:%H:%M} UTC; {extinction}"
