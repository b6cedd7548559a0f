"""When telescopes on the ground can observe a position.

Directions are turned into the terrestrial frame once and projected on the vertical of each telescope. No
file of Earth orientation is needed: UT1 is taken as UTC (less than 0.9 s apart by the definition of UTC, 14
arcsec in altitude), the motion of the pole is below 1 arcsec, and aberration is below 21 arcsec. Altitudes
are geometric, without refraction, as in the definitions of twilight.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache

import erfa
import numpy as np

from mxtvhf.errors import InvalidInput
from mxtvhf.followup.model import Limits, TelescopeVisibility, Visibility, Window
from mxtvhf.followup.observatories import Observatories, Telescope, observatories
from mxtvhf.followup.sun_and_moon import TT_MINUS_UTC_DAYS, julian_date, sun_and_moon_m
from mxtvhf.models.arrays import Floats

STEP_MINUTES = 5
"""Step of the calculation; the ends of windows are interpolated to a few seconds."""
HOURS = 24.0
LONGEST_HOURS = 168.0
WGS84 = 1
"""Code of the reference ellipsoid in ERFA."""


class _Sky:
    """Directions of target, Sun and Moon in the terrestrial frame at all steps."""

    def __init__(self, ra_deg: float, dec_deg: float, jd_utc: Floats) -> None:
        # The precession-nutation matrix of 2000B is accurate to 1 mas.
        turn = erfa.c2t00b(jd_utc + TT_MINUS_UTC_DAYS, 0.0, jd_utc, 0.0, 0.0, 0.0)
        target = erfa.s2c(np.radians(ra_deg), np.radians(dec_deg))
        self.target: Floats = np.einsum("tij,j->ti", turn, target)
        self.sun, self.moon = (np.einsum("tij,tj->ti", turn, one) for one in sun_and_moon_m(jd_utc))


def visibility(
    ra_deg: float,
    dec_deg: float,
    start: datetime,
    *,
    hours: float = HOURS,
    of: Observatories | None = None,
) -> Visibility:
    """Return when the telescopes of a list can observe a position.

    Parameters
    ----------
    ra_deg, dec_deg
        ICRS, degrees.
    start
        Start of the calculation, with its zone.
    hours
        Duration, at most 168 hours.
    of
        Telescopes and limits; None for those of the package.

    Returns
    -------
    Visibility
        Windows with their best airmass and Moon distance, and altitudes for a plot.

    Raises
    ------
    InvalidInput
        The position is invalid, the duration is not above 0 and at most 168 hours, or the time is outside
        1900 to 2099, for which there is no ephemeris.
    """
    if not (0.0 <= ra_deg < 360.0 and -90.0 <= dec_deg <= 90.0):
        raise InvalidInput(
            f"visibility: invalid position ({ra_deg}, {dec_deg}); expected RA 0 to 360, Dec -90 to 90 deg"
        )
    if not 0.0 < hours <= LONGEST_HOURS:
        raise InvalidInput(
            f"visibility: found {hours:g} hours; expected above 0 and at most {LONGEST_HOURS:g}"
        )
    of = of or observatories()
    first = julian_date(start)
    end = start + timedelta(hours=hours)
    last = julian_date(end)
    steps = int(np.ceil(hours * 60.0 / STEP_MINUTES)) + 1
    # Seconds from the start keep their precision; a Julian date has only 40 microseconds.
    seconds = np.linspace(0.0, hours * 3600.0, steps)
    sky = _Sky(ra_deg, dec_deg, np.linspace(first, last, steps))
    found = [_of_telescope(one, of.limits, sky, start, seconds) for one in of.telescopes]
    found.sort(
        key=lambda one: (not one.of_mission, not one.windows, one.windows[0].start if one.windows else end)
    )
    return Visibility(
        ra_deg=ra_deg,
        dec_deg=dec_deg,
        start=start,
        end=end,
        step_minutes=hours * 60.0 / (steps - 1),
        limits=of.limits,
        telescopes=tuple(found),
    )


@lru_cache(maxsize=64)
def recent_visibility(ra_deg: float, dec_deg: float, start: datetime, of: Observatories) -> Visibility:
    """Return the visibility in the next 24 hours, which is kept for the last 64 calls; see `visibility`.

    Parameters
    ----------
    ra_deg, dec_deg
        ICRS, degrees.
    start
        Start of the calculation; rounded by the caller, so that calls can repeat.
    of
        Telescopes and limits.
    """
    return visibility(ra_deg, dec_deg, start, of=of)


def airmass(altitude_deg: float) -> float:
    """Return the airmass at an altitude (Kasten & Young 1989, Applied Optics 28, 4735).

    Parameters
    ----------
    altitude_deg
        Altitude, 0 to 90 degrees. Down to 20 degrees the result is within 1 percent of the plane-parallel
        atmosphere, 1 / sin(altitude).
    """
    return float(1.0 / (np.sin(np.radians(altitude_deg)) + 0.50572 * (altitude_deg + 6.07995) ** -1.6364))


def altitude_deg(directions: Floats, telescope: Telescope, *, is_distant: bool = False) -> Floats:
    """Return the geometric altitudes of directions at a telescope, degrees.

    Parameters
    ----------
    directions
        Vectors in the terrestrial frame on the last axis: from the centre of the Earth, m, or unit vectors.
    telescope
        The telescope.
    is_distant
        True for unit vectors to a target without parallax.
    """
    seen = directions if is_distant else _seen(directions, telescope)
    return np.degrees(np.arcsin(np.clip(seen @ _up(telescope), -1.0, 1.0)))


def _seen(vectors: Floats, telescope: Telescope) -> Floats:
    """Return the unit vectors to a body as seen from a telescope."""
    place = erfa.gd2gc(
        WGS84, np.radians(telescope.longitude_deg), np.radians(telescope.latitude_deg), telescope.height_m
    )
    there = vectors - place
    return np.asarray(there / np.linalg.norm(there, axis=-1, keepdims=True))


def _up(telescope: Telescope) -> Floats:
    return np.asarray(erfa.s2c(np.radians(telescope.longitude_deg), np.radians(telescope.latitude_deg)))


def _of_telescope(
    telescope: Telescope, limits: Limits, sky: _Sky, start: datetime, seconds: Floats
) -> TelescopeVisibility:
    altitude = altitude_deg(sky.target, telescope, is_distant=True)
    sun, moon = (altitude_deg(one, telescope) for one in (sky.sun, sky.moon))
    together = np.einsum("ti,ti->t", _seen(sky.moon, telescope), sky.target)
    moon_deg = np.degrees(np.arccos(np.clip(together, -1.0, 1.0)))
    lowest, highest = telescope.altitude_deg or limits.altitude_deg
    # Each margin is positive where its limit is kept; the least one decides.
    reached = np.minimum(altitude - lowest, highest - altitude if highest < 90.0 else np.inf)
    dark = limits.sun_altitude_deg - sun
    away = np.maximum(moon_deg - limits.moon_deg, -moon)
    margin = np.minimum(np.minimum(reached, dark), away)
    windows = tuple(_windows(margin, altitude, moon_deg, start, seconds))
    return TelescopeVisibility(
        telescope=telescope.name,
        site=telescope.site,
        filters=telescope.filters,
        of_mission=telescope.of_mission,
        is_visible_now=bool(margin[0] > 0.0),
        windows=windows,
        reason=None if windows else _reason(reached, dark, away, (lowest, highest), limits),
        altitudes_deg=tuple(np.round(altitude, 2).tolist()),
        is_dark=tuple((dark > 0.0).tolist()),
    )


def _windows(
    margin: Floats, altitude: Floats, moon_deg: Floats, start: datetime, seconds: Floats
) -> Iterator[Window]:
    """Yield the windows in which the margin is positive, with ends by linear interpolation."""
    good = margin > 0.0
    edges = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]]).astype(int)))
    for first, after in edges.reshape(-1, 2):
        begin, end = _crossing(margin, seconds, first - 1), _crossing(margin, seconds, after - 1)
        times = np.array([begin, *seconds[first:after], end])
        heights, moons = np.interp(times, seconds, altitude), np.interp(times, seconds, moon_deg)
        best = int(np.argmax(heights))
        yield Window(
            start=start + timedelta(seconds=begin),
            end=start + timedelta(seconds=end),
            best_airmass=airmass(float(heights[best])),
            best_time=start + timedelta(seconds=float(times[best])),
            moon_deg=float(moons.min()),
        )


def _crossing(margin: Floats, seconds: Floats, before: int) -> float:
    """Return the time of a margin of zero between a step and the next; the end of all steps beyond them."""
    if before < 0 or before + 1 >= len(seconds):
        return float(seconds[0 if before < 0 else -1])
    low, high = margin[before], margin[before + 1]
    return float(seconds[before] + (seconds[before + 1] - seconds[before]) * low / (low - high))


def _reason(
    reached: Floats, dark: Floats, away: Floats, altitudes: tuple[float, float], limits: Limits
) -> str:
    """Return the limit that is never kept, or else that they are never kept together."""
    lowest, highest = altitudes
    if not (reached > 0.0).any():
        between = f"above {lowest:g}" if highest >= 90.0 else f"from {lowest:g} to {highest:g}"
        return f"altitude never {between} deg"
    if not (dark > 0.0).any():
        return f"Sun never below {limits.sun_altitude_deg:g} deg"
    if not (np.minimum(reached, dark) > 0.0).any():
        return "above the limit only by day or in twilight"
    if not (away > 0.0).any():
        return f"closer than {limits.moon_deg:g} deg to the Moon"
    return f"closer than {limits.moon_deg:g} deg to the Moon at night"
