"""HEALPix cells (Gorski et al. 2005, ApJ 622, 759), nested, used to sort and count catalogues.

``hpgeom`` replaces ``astropy-healpix`` because it needs only numpy; the first search of a process does not
wait a second for astropy's imports.
"""

from __future__ import annotations

from math import degrees, pi, radians, sin
from typing import Any

import hpgeom
import numpy as np

from mxtvhf.models.angles import WHOLE_SKY_DEG2

ORDER = 29
"""Order of the index that sorts the sources; the highest that fits into 64 bits, 0.4 mas."""
PIXEL_DEG = degrees((pi / 3.0) ** 0.5)
"""Side of a cell of order 0, degrees."""
SMALLEST_CELL = 18
"""Highest order used to resolve a cone, with cells of 0.8 arcsec."""


def cells(ra_deg: Any, dec_deg: Any, order: int = ORDER) -> Any:
    """Return the cells that contain the given directions.

    Parameters
    ----------
    ra_deg, dec_deg
        ICRS directions, degrees, any shape.
    order
        HEALPix order of the cells; nside is 2**order.
    """
    return hpgeom.angle_to_pixel(1 << order, ra_deg, dec_deg, nest=True, lonlat=True, degrees=True)


def cone_ranges(ra_deg: float, dec_deg: float, radius_deg: float) -> list[tuple[int, int]]:
    """Return ranges (first, end) of finest cells that cover slightly more than a cone.

    The cone is covered with cells of about its radius, which keeps the number of ranges small.

    Parameters
    ----------
    ra_deg, dec_deg
        Centre of the cone, ICRS degrees.
    radius_deg
        Radius of the cone, degrees.
    """
    if radius_deg >= 90.0:
        return [(0, 12 << 2 * ORDER)]
    order = int(np.clip(np.log2(PIXEL_DEG / max(radius_deg, 1e-9)), 0, SMALLEST_CELL))
    found = hpgeom.query_circle(
        1 << order, ra_deg, dec_deg, radius_deg,
        inclusive=True, fact=4, nest=True, lonlat=True, degrees=True, return_pixel_ranges=True,
    )  # fmt: skip
    finer = 2 * (ORDER - order)
    return [(int(first) << finer, int(end) << finer) for first, end in found]


def surroundings(ra_deg: float, dec_deg: float, order: int) -> list[int]:
    """Return the cell of a direction and its neighbours.

    Parameters
    ----------
    ra_deg, dec_deg
        Direction, ICRS degrees.
    order
        HEALPix order of the cells.
    """
    own = cells(ra_deg, dec_deg, order)
    around = hpgeom.neighbors(1 << order, own, nest=True)
    return [int(own), *(int(cell) for cell in around if cell >= 0)]


def cell_area_deg2(order: int) -> float:
    """Return the area of a cell, square degrees; all cells of one order have the same area.

    Parameters
    ----------
    order
        HEALPix order of the cell.
    """
    return float(WHOLE_SKY_DEG2 / (12 << 2 * order))


def cap_area_deg2(radius_deg: float) -> float:
    """Return the area of a cone, square degrees.

    Parameters
    ----------
    radius_deg
        Radius of the cone, degrees.
    """
    return float(WHOLE_SKY_DEG2 * sin(radians(radius_deg) / 2.0) ** 2)
