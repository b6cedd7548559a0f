"""Convert ICRS positions to Galactic coordinates (IAU 1958 system)."""

from __future__ import annotations

from math import degrees, radians

import erfa


def galactic_deg(ra_deg: float, dec_deg: float) -> tuple[float, float]:
    """Return Galactic longitude (0 to 360) and latitude of an ICRS position, degrees."""
    longitude, latitude = erfa.icrs2g(radians(ra_deg), radians(dec_deg))
    return degrees(longitude) % 360.0, degrees(latitude)


def galactic_text(ra_deg: float, dec_deg: float) -> str:
    """Format the Galactic coordinates of an ICRS position: ``l 42.35, b +51.90 deg``."""
    longitude, latitude = galactic_deg(ra_deg, dec_deg)
    return f"l {round(longitude, 2) % 360.0:.2f}, b {latitude:+.2f} deg"
