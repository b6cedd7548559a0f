"""The line of sight to a position: coordinates, Sun and Moon, Galactic dust and gas, known sources."""

from __future__ import annotations

from datetime import datetime

from mxtvhf.analysis.galactic_column import galactic_column
from mxtvhf.catalogues.store import CatalogueStore
from mxtvhf.errors import InvalidInput
from mxtvhf.followup.extinction import galactic_extinction
from mxtvhf.followup.known_sources import FIELD_ARCSEC, known_sources
from mxtvhf.followup.model import LineOfSight
from mxtvhf.followup.sun_and_moon import ecliptic_latitude_deg, illuminated_fraction, sun_and_moon_deg
from mxtvhf.models.angles import separation_arcsec
from mxtvhf.models.galactic import galactic_deg

MOST_ARCSEC = 3_600.0
"""Largest radius in which known sources are searched, arcsec."""


def line_of_sight(
    ra_deg: float,
    dec_deg: float,
    time: datetime,
    *,
    r90_arcsec: float | None = None,
    catalogues: CatalogueStore | None = None,
) -> LineOfSight:
    """Return what lies in the direction of a position.

    Parameters
    ----------
    ra_deg, dec_deg
        ICRS, degrees.
    time
        Time for Sun and Moon, with its zone.
    r90_arcsec
        90 % error radius, arcsec; known sources are searched in this radius, but at least in 10 arcmin and
        at most in 1 degree. None if unknown.
    catalogues
        Local catalogues; None to search none.

    Returns
    -------
    LineOfSight
        A quantity that cannot be determined is None, with the reason in ``not_checked``.

    Raises
    ------
    InvalidInput
        The position is invalid.
    """
    if not (0.0 <= ra_deg < 360.0 and -90.0 <= dec_deg <= 90.0):
        raise InvalidInput(
            f"line of sight: invalid position ({ra_deg}, {dec_deg}); expected RA 0 to 360, Dec -90 to 90 deg"
        )
    longitude, latitude = galactic_deg(ra_deg, dec_deg)
    missing: list[str] = []
    extinction = column = None
    sun_deg = moon_deg = illuminated = None
    try:
        extinction = galactic_extinction(ra_deg, dec_deg)
    except InvalidInput as error:
        missing.append(str(error))
    try:
        column = galactic_column(ra_deg, dec_deg)
    except InvalidInput as error:
        missing.append(str(error))
    try:
        sun, moon = sun_and_moon_deg(time)
        sun_deg, moon_deg = (separation_arcsec(ra_deg, dec_deg, *one) / 3600.0 for one in (sun, moon))
        illuminated = illuminated_fraction(separation_arcsec(*sun, *moon))
    except InvalidInput as error:
        missing.append(str(error))
    radius = min(max(r90_arcsec or 0.0, FIELD_ARCSEC), MOST_ARCSEC)
    return LineOfSight(
        ra_deg=ra_deg,
        dec_deg=dec_deg,
        time=time,
        galactic_longitude_deg=longitude,
        galactic_latitude_deg=latitude,
        ecliptic_latitude_deg=ecliptic_latitude_deg(ra_deg, dec_deg),
        sun_deg=sun_deg,
        moon_deg=moon_deg,
        moon_illuminated=illuminated,
        extinction=extinction,
        nh_cm2=column.nh_cm2 if column else None,
        nh_source=column.source if column else None,
        sources=() if catalogues is None else known_sources(catalogues, ra_deg, dec_deg, radius),
        not_checked=tuple(missing),
    )
