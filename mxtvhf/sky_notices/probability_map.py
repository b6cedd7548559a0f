"""Probability map of a notice: a HEALPix map in FITS, of one resolution or of several.

The formats are those of the HEALPix FITS convention (https://healpix.sourceforge.io/data/examples/healpix_fits_specs.pdf)
and of multi-order maps (IVOA MOC 2.0; LVK user guide).
"""

from __future__ import annotations

import binascii
import warnings
import zlib
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from math import isfinite, pi
from typing import Any

import numpy as np
import numpy.typing as npt

from mxtvhf.errors import InvalidInput
from mxtvhf.models.arrays import Floats
from mxtvhf.models.text import one_line

LARGEST_MAP = 32 << 20
"""Largest number of bytes of an unpacked map that is read."""
NORMALISATION = 0.01
"""Largest deviation of the total probability from 1."""
FINEST = 29
"""Finest order of HEALPix."""
_DENSITY, _PROBABILITY = ("PROBDENSITY",), ("PROB", "PROBABILITY", "T")


@dataclass(frozen=True, eq=False)
class ProbabilityMap:
    """A probability density on the sky.

    Attributes
    ----------
    first
        Index of the first part of order `FINEST` of each cell, nested, ascending. The cells do not overlap.
    last
        Index behind the last part of each cell.
    density
        Probability per steradian of each cell; the total probability is 1.
    """

    first: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]
    density: Floats

    @cached_property
    def area(self) -> Floats:
        """Return the solid angle of each cell, sr."""
        return np.asarray((self.last - self.first) * (pi / 3.0 / 4.0**FINEST))

    def density_at(self, ra_deg: npt.ArrayLike, dec_deg: npt.ArrayLike) -> Floats:
        """Return the probability per steradian at positions; 0 outside the cells.

        Parameters
        ----------
        ra_deg, dec_deg
            Positions, ICRS degrees.
        """
        import hpgeom  # takes 0.1 s, and only sky maps need it

        index = hpgeom.angle_to_pixel(1 << FINEST, ra_deg, dec_deg, nest=True, lonlat=True, degrees=True)
        cell = np.searchsorted(self.first, index, side="right") - 1
        is_inside = (cell >= 0) & (index < self.last[np.maximum(cell, 0)])
        return np.where(is_inside, self.density[np.maximum(cell, 0)], 0.0)

    def area_above(self, density: float) -> tuple[float, float]:
        """Return solid angle (sr) and probability of the cells with at least a density.

        Parameters
        ----------
        density
            Probability per steradian.
        """
        is_above = self.density >= density
        area = self.area[is_above]
        return float(area.sum()), float((area * self.density[is_above]).sum())

    def area_of(self, probability: float) -> float:
        """Return the solid angle of the smallest region with a probability, sr.

        Parameters
        ----------
        probability
            Between 0 and 1.
        """
        order = np.argsort(-self.density, kind="stable")
        held = np.cumsum((self.density * self.area)[order])
        return float(self.area[order[: np.searchsorted(held, probability * held[-1]) + 1]].sum())


def embedded_map(content: dict[str, Any]) -> ProbabilityMap:
    """Return the sky map inside a JSON notice.

    Parameters
    ----------
    content
        A GCN notice with ``healpix_file``, or an LVK alert with ``event.skymap``, in base64.

    Raises
    ------
    InvalidInput
        The notice has no map, or it is not a valid HEALPix map of probabilities.
    """
    event = content.get("event")
    text = content.get("healpix_file") or (event.get("skymap") if isinstance(event, dict) else None)
    if not isinstance(text, str):
        raise InvalidInput("the notice contains no sky map")
    try:
        raw = b64decode(text, validate=False)
    except (binascii.Error, ValueError):
        raise InvalidInput("the sky map is not valid base64") from None
    return read_map(raw)


def read_map(raw: bytes) -> ProbabilityMap:
    """Read a HEALPix map of probabilities.

    Parameters
    ----------
    raw
        FITS file, also compressed with gzip.

    Returns
    -------
    ProbabilityMap
        The map in equatorial coordinates, normalised.

    Raises
    ------
    InvalidInput
        The file is too large or no FITS file, the ordering does not fit the table, the frame is not
        equatorial, or the probabilities are negative or not normalised.
    """
    from astropy.io import fits  # only a notice with a map needs it

    raw = _unpacked(raw)
    if not raw.startswith(b"SIMPLE"):
        raise InvalidInput("the sky map is not a FITS file; expected a HEALPix map")
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            fits.open(BytesIO(raw), memmap=False, lazy_load_hdus=True) as hdus,
        ):
            header, table = hdus[1].header, np.asarray(hdus[1].data)
    except (OSError, IndexError, ValueError, TypeError, KeyError) as error:
        raise InvalidInput(f"the sky map is not a FITS table: {one_line(error, 100)}") from None
    if table.dtype.names is None:
        raise InvalidInput("the sky map is not a FITS table; expected a binary table")
    if str(header.get("COORDSYS", "C")).strip().upper() not in ("C", "CEL", "ICRS", "EQUATORIAL"):
        raise InvalidInput("the sky map is not in equatorial coordinates; expected COORDSYS C")
    first, order = _cells(header, table)
    last = first + (np.int64(1) << (2 * (FINEST - order)))
    density = _density(table, order)
    by_index = np.argsort(first, kind="stable")
    first, last, density = first[by_index], last[by_index], density[by_index]
    if (last[:-1] > first[1:]).any():
        raise InvalidInput("cells of the sky map overlap; expected each direction once")
    found = ProbabilityMap(first, last, density)
    total = float((found.area * density).sum())
    if not isfinite(total) or (density < 0.0).any():
        raise InvalidInput("the sky map has negative or undefined probabilities")
    if abs(total - 1.0) > NORMALISATION:
        raise InvalidInput(f"the sky map is not normalised: its total probability is {total:.3g}")
    return ProbabilityMap(first, last, density / total)


def _unpacked(raw: bytes) -> bytes:
    if raw.startswith(b"\x1f\x8b"):
        unpack = zlib.decompressobj(wbits=31)
        try:
            raw = unpack.decompress(raw, LARGEST_MAP + 1)
        except zlib.error as error:
            raise InvalidInput(f"the sky map is not valid gzip: {error}") from None
    if len(raw) > LARGEST_MAP:
        raise InvalidInput(f"the sky map has more than {LARGEST_MAP} bytes; larger ones are not read")
    return raw


def _cells(
    header: Mapping[str, Any], table: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the first part of order `FINEST` of each cell, and its order."""
    ordering = str(header.get("ORDERING", "")).strip().upper()
    names = {name.upper(): name for name in table.dtype.names or ()}
    if ordering == "NUNIQ":
        if "UNIQ" not in names:
            raise InvalidInput("the sky map has ORDERING NUNIQ but no column UNIQ")
        uniq = table[names["UNIQ"]].astype(np.int64)
        if uniq.size == 0 or uniq.min() < 4 or uniq.max() >= np.int64(16) << (2 * FINEST):
            raise InvalidInput("the sky map has cell numbers that are not HEALPix cells")
        order = (np.floor(np.log2(uniq.astype(np.float64))).astype(np.int64) >> 1) - 1
        order -= uniq < (np.int64(4) << (2 * order))  # a logarithm that was rounded up
        return (uniq - (np.int64(4) << (2 * order))) << (2 * (FINEST - order)), order
    if "UNIQ" in names:
        raise InvalidInput(f"the sky map has a column UNIQ but ORDERING {ordering[:20]!r}; expected NUNIQ")
    if ordering not in ("NESTED", "RING"):
        raise InvalidInput(f"the sky map has ORDERING {ordering[:20]!r}; expected NUNIQ, NESTED or RING")
    nside = header.get("NSIDE")
    if not isinstance(nside, int) or nside < 1 or nside & (nside - 1) or nside > 1 << 13:
        raise InvalidInput("the sky map has no valid NSIDE; expected a power of two up to 8192")
    values = _column(table, _PROBABILITY + _DENSITY)
    if values.size != 12 * nside * nside:
        raise InvalidInput(f"the sky map has {values.size} cells; NSIDE {nside} needs {12 * nside * nside}")
    index = np.arange(values.size, dtype=np.int64)
    if ordering == "RING":
        import hpgeom  # as above

        index = np.asarray(hpgeom.ring_to_nest(nside, index), np.int64)
    order = np.full(values.size, nside.bit_length() - 1, dtype=np.int64)
    return index << (2 * (FINEST - order)), order


def _density(table: npt.NDArray[Any], order: npt.NDArray[np.int64]) -> Floats:
    names = {name.upper() for name in table.dtype.names or ()}
    if names.intersection(_DENSITY):
        return _column(table, _DENSITY)
    return _column(table, _PROBABILITY) / (pi / 3.0 / 4.0 ** order.astype(np.float64))


def _column(table: npt.NDArray[Any], wanted: tuple[str, ...]) -> Floats:
    """Return a column; some maps have several cells in each row."""
    for name in table.dtype.names or ():
        if name.upper() in wanted:
            return np.asarray(table[name], dtype=np.float64).ravel()
    raise InvalidInput(f"the sky map has no column {' or '.join(wanted)}")
