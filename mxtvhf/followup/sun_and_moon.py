"""Sun and Moon from ERFA's analytic ephemerides, without any file or download.

ERFA's ``epv00`` is valid from 1900 to 2100 (errors below 0.01 arcsec for the Sun); ``moon98`` is accurate to
about 10 arcsec. Aberration and light time are left out, which moves the Sun by 20 arcsec.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from math import asin, atan2, cos, degrees, radians, sqrt

import erfa
import numpy as np
from numpy.typing import ArrayLike

from mxtvhf.errors import InvalidInput
from mxtvhf.models.arrays import Floats

UNIX_EPOCH_JD = 2_440_587.5
TT_MINUS_UTC_DAYS = 69.184 / 86_400.0
"""TT - UTC since 2017. Another leap second moves the Moon by less than 1 arcsec."""
FIRST_YEAR, LAST_YEAR = 1900, 2099
"""Years in which the ephemerides are valid."""


def julian_date(moment: datetime) -> float:
    """Return the Julian date of a time, UTC.

    Parameters
    ----------
    moment
        The time, with its zone.

    Raises
    ------
    InvalidInput
        The time is outside the years of the ephemerides.
    """
    # The year in its own zone first: the first and last days of the calendar have no time in UTC.
    if not (_is_covered(moment.year) and _is_covered(moment.astimezone(UTC).year)):
        raise InvalidInput(
            f"time {moment.isoformat()}: no ephemeris of Sun and Moon; "
            f"expected a year of {FIRST_YEAR} to {LAST_YEAR}"
        )
    return UNIX_EPOCH_JD + moment.timestamp() / 86_400.0


def sun_and_moon_m(jd_utc: ArrayLike) -> tuple[Floats, Floats]:
    """Return the vectors from the centre of the Earth to Sun and Moon, GCRS, m.

    Parameters
    ----------
    jd_utc
        Julian dates, UTC, of any shape; the vectors are on one more axis of length 3.
    """
    tt = np.asarray(jd_utc, np.float64) + TT_MINUS_UTC_DAYS
    earth, _ = erfa.epv00(tt, 0.0)
    return -erfa.DAU * earth["p"], erfa.DAU * erfa.moon98(tt, 0.0)["p"]


def sun_and_moon_deg(moment: datetime) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return right ascension and declination of Sun and Moon from the centre of the Earth, degrees.

    Parameters
    ----------
    moment
        The time, with its zone.

    Raises
    ------
    InvalidInput
        The time is outside the years of the ephemerides.
    """
    sun, moon = sun_and_moon_m(julian_date(moment))
    return _direction(sun.tolist()), _direction(moon.tolist())


def illuminated_fraction(elongation_arcsec: float) -> float:
    """Return the illuminated fraction of the Moon's disk, 0 to 1.

    Parameters
    ----------
    elongation_arcsec
        Angle between Sun and Moon, arcsec. The Sun is taken as infinitely far, an error below 0.2 percent.
    """
    return 0.5 * (1.0 - cos(radians(elongation_arcsec / 3600.0)))


def ecliptic_latitude_deg(ra_deg: float, dec_deg: float) -> float:
    """Return the ecliptic latitude of an ICRS position for the ecliptic of J2000, degrees.

    Parameters
    ----------
    ra_deg, dec_deg
        ICRS, degrees.
    """
    _, latitude = erfa.eqec06(erfa.DJ00, 0.0, radians(ra_deg), radians(dec_deg))
    return degrees(latitude)


def _is_covered(year: int) -> bool:
    return FIRST_YEAR <= year <= LAST_YEAR


def _direction(vector: Sequence[float]) -> tuple[float, float]:
    x, y, z = vector
    return degrees(atan2(y, x)) % 360.0, degrees(asin(z / sqrt(x * x + y * y + z * z)))
