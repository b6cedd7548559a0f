"""Angles on the sky: separation, tangent plane, and formatting."""

from __future__ import annotations

from math import atan2, cos, degrees, hypot, pi, radians, sin

from mxtvhf.models.rounding import decimals

WHOLE_SKY_DEG2 = 4.0 * pi * degrees(1.0) ** 2
"""Area of the whole sky in square degrees."""


def separation_arcsec(ra1_deg: float, dec1_deg: float, ra2_deg: float, dec2_deg: float) -> float:
    """Return the great-circle separation of two directions, arcsec.

    Vincenty's formula for the sphere, accurate at all separations from zero to 180 degrees.

    Parameters
    ----------
    ra1_deg, dec1_deg, ra2_deg, dec2_deg
        The directions, degrees.
    """
    lon, lat1, lat2 = radians(ra2_deg - ra1_deg), radians(dec1_deg), radians(dec2_deg)
    across = cos(lat2) * sin(lon)
    up = cos(lat1) * sin(lat2) - sin(lat1) * cos(lat2) * cos(lon)
    along = sin(lat1) * sin(lat2) + cos(lat1) * cos(lat2) * cos(lon)
    return 3600.0 * degrees(atan2(hypot(across, up), along))


def tangent_offset_arcmin(
    ra_deg: float, dec_deg: float, centre_ra_deg: float, centre_dec_deg: float
) -> tuple[float, float]:
    """Return the offset to the East and to the North in the tangent plane of a centre, arcmin.

    Gnomonic projection (Calabretta & Greisen 2002, A&A 395, 1077, section 5.1.3); meaningless 90 degrees
    or more from the centre.
    """
    lon, lat, lat0 = radians(ra_deg - centre_ra_deg), radians(dec_deg), radians(centre_dec_deg)
    along = sin(lat0) * sin(lat) + cos(lat0) * cos(lat) * cos(lon)
    east = cos(lat) * sin(lon) / along
    north = (cos(lat0) * sin(lat) - sin(lat0) * cos(lat) * cos(lon)) / along
    return 60.0 * degrees(east), 60.0 * degrees(north)


def angle_text(arcsec: float) -> str:
    """Format an angle with about three digits in a suitable unit: ``32.0"``, ``1.81'``, ``10.5 deg``."""
    if arcsec < 99.95:
        return f'{arcsec:.1f}"'
    arcmin = arcsec / 60.0
    if arcmin < 9.995:
        return f"{arcmin:.2f}'"
    if arcmin < 99.95:
        return f"{arcmin:.1f}'"
    return f"{arcmin / 60.0:.1f} deg"


def radius_text(arcsec: float, *, beside: float | None = None) -> str:
    """Format an error radius with two digits in a suitable unit: ``0.36"``, ``48"``, ``4.9'``.

    Parameters
    ----------
    arcsec
        The radius.
    beside
        Radius in the same text, arcsec, whose unit is used; None for the suitable one.
    """
    sizes = ((1.0, '"'), (60.0, "'"), (3600.0, " deg"))
    total = arcsec if beside is None else beside
    size, unit = next((one for one in sizes if float(_two_digits(total / one[0])) < 100.0), sizes[-1])
    return _two_digits(arcsec / size) + unit


def radius_arcsec_text(arcsec: float) -> str:
    """Format an error radius in arcsec as in circulars: an integer from 10 on, two digits below."""
    return _two_digits(arcsec)


def arcsec_decimals(r90_arcsec: float | None) -> int:
    """Return the decimal places of a declination's arcsec that suit the error radius of the position.

    Parameters
    ----------
    r90_arcsec
        90 % error radius, arcsec; None or 0 if unknown, which gives whole arcsec.
    """
    return max(0, decimals(r90_arcsec)) if r90_arcsec else 0


def right_ascension_text(ra_deg: float, digits: int = 2) -> str:
    """Format a right ascension as ``hh:mm:ss.ss``; ``digits`` is the number of decimals of the seconds."""
    return _sexagesimal(ra_deg / 15.0, digits, turn=24)


def declination_text(dec_deg: float, digits: int = 1) -> str:
    """Format a declination as ``+dd:mm:ss.s``; ``digits`` is the number of decimals of the arcsec."""
    text = _sexagesimal(abs(dec_deg), digits)
    return f"{'-' if dec_deg < 0 and text.strip('0:.') else '+'}{text}"


def _sexagesimal(value: float, digits: int, *, turn: int | None = None) -> str:
    """Format hours or degrees as ``00:00:00``; a value that rounds to a full turn becomes zero."""
    parts = round(value * 3600 * 10**digits)
    if turn is not None:
        parts %= turn * 3600 * 10**digits
    seconds, fraction = divmod(parts, 10**digits)
    minutes, seconds = divmod(seconds, 60)
    text = f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"
    return f"{text}.{fraction:0{digits}d}" if digits else text


def _two_digits(error: float) -> str:
    return f"{error:.{max(0, decimals(error)) if error > 0.0 else 0}f}"
