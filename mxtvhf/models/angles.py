"""Angles on the sky: separation, tangent plane, and how angles are written."""

from __future__ import annotations

from math import atan2, cos, degrees, hypot, pi, radians, sin

WHOLE_SKY_DEG2 = 4.0 * pi * degrees(1.0) ** 2
"""The whole sky in square degrees."""


def separation_arcsec(ra1_deg: float, dec1_deg: float, ra2_deg: float, dec2_deg: float) -> float:
    """Great-circle separation of two directions, arcsec.

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
    """Offset to the East and to the North in the tangent plane of a centre, arcmin.

    Gnomonic projection (Calabretta & Greisen 2002, A&A 395, 1077, section 5.1.3); meaningless 90 degrees
    or more from the centre.
    """
    lon, lat, lat0 = radians(ra_deg - centre_ra_deg), radians(dec_deg), radians(centre_dec_deg)
    along = sin(lat0) * sin(lat) + cos(lat0) * cos(lat) * cos(lon)
    east = cos(lat) * sin(lon) / along
    north = (cos(lat0) * sin(lat) - sin(lat0) * cos(lat) * cos(lon)) / along
    return 60.0 * degrees(east), 60.0 * degrees(north)


def angle_text(arcsec: float) -> str:
    """Write an angle with three digits or so in the unit that fits: ``32.0"``, ``1.81'``, ``10.5 deg``."""
    if arcsec < 99.95:
        return f'{arcsec:.1f}"'
    arcmin = arcsec / 60.0
    if arcmin < 9.995:
        return f"{arcmin:.2f}'"
    if arcmin < 99.95:
        return f"{arcmin:.1f}'"
    return f"{arcmin / 60.0:.1f} deg"


def right_ascension_text(ra_deg: float) -> str:
    """Write a right ascension as ``hh:mm:ss.ss`` (0.01 s is 0.15 arcsec at most)."""
    hundredths = round(ra_deg / 15.0 * 360_000) % (24 * 360_000)
    minutes, rest = divmod(hundredths, 6000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 100:02d}.{rest % 100:02d}"


def declination_text(dec_deg: float) -> str:
    """Write a declination as ``+dd:mm:ss.s``."""
    tenths = round(abs(dec_deg) * 36_000)
    minutes, rest = divmod(tenths, 600)
    sign = "-" if dec_deg < 0 and tenths else "+"
    return f"{sign}{minutes // 60:02d}:{minutes % 60:02d}:{rest // 10:02d}.{rest % 10}"
