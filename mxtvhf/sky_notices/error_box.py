"""Rectangular error boxes, as MAXI publishes them for sources that may have varied during the scan."""

from __future__ import annotations

from collections.abc import Sequence
from math import atan2, degrees, hypot, pi, radians, sqrt

import erfa

from mxtvhf.errors import InvalidInput
from mxtvhf.models.angles import separation_arcsec, tangent_offset_arcmin
from mxtvhf.sky_notices.model import ErrorEllipse

SMALLEST_SIDE_ARCMIN = 0.01
LARGEST_DEG = 30.0
"""Largest distance of a corner from the first one; the tangent plane is a good approximation up to it."""


def ellipse_of_box(corners: Sequence[tuple[float, float]], containment: float) -> ErrorEllipse:
    """Return the ellipse with the area, the centre and the axes of a rectangle.

    Parameters
    ----------
    corners
        Right ascension and declination of the four corners, ICRS degrees, in the order around the rectangle.
    containment
        Probability inside the rectangle; the ellipse gets the same.

    Raises
    ------
    InvalidInput
        The corners are no rectangle of a possible size.
    """
    (ra0, dec0), *_ = corners
    if any(separation_arcsec(ra0, dec0, *corner) > 3600.0 * LARGEST_DEG for corner in corners):
        raise InvalidInput(f"the corners of the error box are more than {LARGEST_DEG:g} deg apart")
    places = [tangent_offset_arcmin(ra, dec, ra0, dec0) for ra, dec in corners]
    east, north = (sum(values) / 4.0 for values in zip(*places, strict=True))
    # Each side is the mean of the two opposite ones.
    sides = [
        tuple(((b - a) + (c - d)) / 2.0 for a, b, c, d in zip(*order, strict=True))
        for order in (places, [*places[1:], places[0]])
    ]
    short, long = sorted(sides, key=lambda side: hypot(*side))
    if hypot(*short) < SMALLEST_SIDE_ARCMIN:
        raise InvalidInput("the corners of the error box are on one line; expected a rectangle")
    ra, dec = erfa.tpsts(radians(east / 60.0), radians(north / 60.0), radians(ra0), radians(dec0))
    semi_major, semi_minor = (hypot(*side) / 60.0 / sqrt(pi) for side in (long, short))
    return ErrorEllipse(
        ra_deg=degrees(ra) % 360.0,
        dec_deg=degrees(dec),
        semi_major_deg=semi_major,
        semi_minor_deg=semi_minor,
        angle_deg=degrees(atan2(long[0], long[1])) % 180.0,
        containment=containment,
    )
