"""Who can follow up the burst: the visibility of its position from telescopes on the ground."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path

from mxtvhf.desk.charts import Axis, Chart, Points, Series
from mxtvhf.errors import InvalidInput
from mxtvhf.followup.model import TelescopeVisibility, Visibility
from mxtvhf.followup.observatories import observatories
from mxtvhf.followup.visibility import airmass, recent_visibility
from mxtvhf.models.position import Position

CALCULATED_EVERY = timedelta(minutes=5)
"""The visibility is calculated for the last multiple of this time, so that refreshes of the page reuse it."""
UNFOLDED = 5
"""Number of telescopes in the table; the others are folded."""
MOST_CURVES = 6
"""Largest number of telescopes in the chart."""
ALTITUDES = range(0, 91, 15)
"""Ticks of the chart, degrees."""


@dataclass(frozen=True)
class FollowUp:
    """Content of the section."""

    visibility: Visibility | None
    """None if it could not be calculated."""
    fault: str | None = None
    """Reason why it could not be calculated."""

    @property
    def visible(self) -> list[TelescopeVisibility]:
        """Return the telescopes that can observe in the next 24 hours."""
        return [one for one in self._telescopes if one.windows]

    @property
    def hidden(self) -> list[TelescopeVisibility]:
        """Return the telescopes that cannot."""
        return [one for one in self._telescopes if not one.windows]

    @property
    def now(self) -> list[str]:
        """Return the names of the telescopes that can observe now."""
        return [one.telescope for one in self._telescopes if one.is_visible_now]

    @property
    def chart(self) -> Chart | None:
        """Return the chart of the altitude against time; None without a visible telescope."""
        return altitude_chart(self.visibility, self.visible) if self.visibility and self.visible else None

    @property
    def limits_text(self) -> str:
        """Return the limits of all telescopes in one line."""
        if self.visibility is None:
            return ""
        limits = self.visibility.limits
        lowest = limits.altitude_deg[0]
        above = f"altitude above {lowest:g} deg (airmass {airmass(lowest):.1f})"
        moon = f"{limits.moon_deg:g} deg from the Moon while it is up"
        return f"Sun below {limits.sun_altitude_deg:g} deg, {above}, {moon}"

    @property
    def _telescopes(self) -> Sequence[TelescopeVisibility]:
        return self.visibility.telescopes if self.visibility else ()


def follow_up(position: Position, now: datetime, file: Path | None) -> FollowUp:
    """Return the visibility of a position in the next 24 hours.

    Parameters
    ----------
    position
        The position.
    now
        Current time, UTC.
    file
        TOML file of telescopes; None for those of the package.
    """
    period = CALCULATED_EVERY.total_seconds()
    start = datetime.fromtimestamp(now.timestamp() // period * period, UTC)
    try:
        found = recent_visibility(position.ra_deg, position.dec_deg, start, observatories(file))
    except InvalidInput as error:
        return FollowUp(None, str(error))
    return FollowUp(found)


def altitude_chart(visibility: Visibility, shown: Sequence[TelescopeVisibility]) -> Chart:
    """Return the chart of the altitude at telescopes against time, drawn while it is dark there.

    Parameters
    ----------
    visibility
        Visibility with the times.
    shown
        Telescopes; only the first one at each site is drawn, and not more than `MOST_CURVES`.
    """
    sites = {one.site: one for one in reversed(shown)}
    drawn = [one for one in shown if sites[one.site] is one][:MOST_CURVES]
    hours = (visibility.end - visibility.start).total_seconds() / 3600.0
    step = visibility.step_minutes / 60.0
    return Chart(
        title="Altitude while the Sun is below its limit",
        description=(
            f"Altitude in the {hours:.0f} hours from {visibility.start:%Y-%m-%d %H:%M} UTC at "
            f"{', '.join(one.site for one in drawn)}. The table lists the windows."
        ),
        across=Axis("Time (UTC)", 0.0, hours, names=tuple(_clock_ticks(visibility.start, hours))),
        upward=Axis("Altitude (deg)", 0.0, 90.0, names=tuple((float(one), f"{one}") for one in ALTITUDES)),
        series=tuple(
            Series(f"{one.site}", f"v-{number}", lines=list(_dark_parts(one, step)))
            for number, one in enumerate(drawn)
        ),
    )


def _clock_ticks(start: datetime, hours: float) -> Iterator[tuple[float, str]]:
    """Yield a tick every three hours of UTC."""
    begun = start.hour + start.minute / 60.0 + start.second / 3600.0
    for clock in range(ceil(begun / 3.0) * 3, ceil(begun + hours), 3):
        yield clock - begun, f"{clock % 24:02d}:00"


def _dark_parts(one: TelescopeVisibility, step_hours: float) -> Iterator[Points]:
    """Yield the parts of the curve above the horizon while it is dark."""
    part: list[tuple[float, float]] = []
    for number, (height, dark) in enumerate(zip(one.altitudes_deg, one.is_dark, strict=True)):
        if dark and height > 0.0:
            part.append((number * step_hours, height))
        elif part:
            yield part
            part = []
    if part:
        yield part
