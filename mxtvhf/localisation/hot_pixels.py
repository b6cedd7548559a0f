"""Hot pixels and clusters, which count more than any source and must not be taken for one.

The PSF is tens of pixels wide, so a pixel counts about as much as its surroundings however bright a source
is. Each pixel, and each small square of pixels, is compared with a ring around it; the ring leaves out the
direct neighbours, which may share charge. The only assumption about the PSF is that it is smooth.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation
from scipy.special import pdtrc

from mxtvhf.instrument.psf import detector_pixels
from mxtvhf.localisation.constants import detection_constants
from mxtvhf.localisation.squares import Indices, SquareSums
from mxtvhf.models.arrays import Floats

Bools = npt.NDArray[np.bool_]

_NONE = (np.empty(0, np.intp), np.empty(0, np.intp))
_TINY = 1e-300

_MAX_PASSES = 50


def hot_pixels(image: npt.NDArray[np.int64], exposure: npt.ArrayLike) -> Bools:
    """Return the mask of the hot pixels of a detector image, single or in clusters.

    Single pixels are found first; then squares with the sides of ``detection.toml``, the most significant one
    in each pass; then their neighbours, whose number of trials is smaller.

    Parameters
    ----------
    image
        Photons per pixel, ``[row, column]``, raw coordinates.
    exposure
        Exposure of each pixel in any unit, the same shape; 0 or False excludes the pixel.

    Returns
    -------
    numpy.ndarray
        True where an exposed pixel is hot, the same shape.
    """
    exposed = np.array(exposure, dtype=np.float64)
    hot = np.zeros(image.shape, dtype=np.bool_)
    for _ in range(_MAX_PASSES):
        field = _Field(np.where(exposed > 0.0, image, 0).astype(np.int32), exposed)
        new = _hot_ones(field)
        if not new.any():
            new = _hottest_square(field)
        if not new.any() and hot.any():
            new = _hot_neighbours(field, hot)
        new &= exposed > 0.0
        if not new.any():
            break
        hot |= new
        exposed[new] = 0.0
    return hot


class _Field:
    """Photons and exposure of an image, with their sums over squares."""

    def __init__(self, counts: npt.NDArray[np.int32], exposed: Floats) -> None:
        self.counts = counts
        self.sums = SquareSums(counts)
        self._exposed = exposed

    @cached_property
    def _time(self) -> SquareSums:
        return SquareSums(self._exposed)

    def candidates(self, side: int) -> tuple[Indices, Indices]:
        """Return the lowest rows and columns of the squares with enough photons to be hot."""
        inside = self.sums.everywhere(side) if side > 1 else self.counts
        enough = np.flatnonzero(inside >= _fewest(self.sums.total, side))
        row, column = np.divmod(enough, inside.shape[1])
        return row, column

    def chance(self, row: Indices, column: Indices, side: int, trials: float | None = None) -> Floats:
        """Return an upper bound of the number of squares with such counts that are expected by chance.

        The true rate in each is ``contrast`` times that of its ring. The number of such squares is limited by
        the photons of the field, by the pixels of the detector, and by ``trials``.
        """
        if row.size == 0:
            return np.empty(0)
        rule = detection_constants().hot_pixel
        here = self._time.at(row, column, side)
        around = np.maximum(self._time.ring(row, column, side, rule.ring_inner, rule.ring_outer), here)
        counted = self.sums.ring(row, column, side, rule.ring_inner, rule.ring_outer)
        # One photon is added to each ring, so that an empty ring allows for photons.
        rate = np.maximum(rule.contrast * here / around * (counted + 1.0), _TINY)
        number = self.sums.at(row, column, side)
        return np.asarray(pdtrc(number - 1.0, rate) * _trials(rate, self.sums.total, side, trials))


def _trials(rate: Any, photons: float, side: int, most: float | None = None) -> Any:
    pixels = detector_pixels() ** 2 if most is None else most
    kinds = len(detection_constants().hot_pixel.squares) + 1
    return kinds * np.minimum(side**2 * photons / rate, pixels)


def _hot_ones(field: _Field) -> Bools:
    row, column = field.candidates(1)
    found = field.chance(row, column, 1) < detection_constants().hot_pixel.false_alarms
    return _flagged(field, row[found], column[found], 1)


def _hottest_square(field: _Field) -> Bools:
    rule = detection_constants().hot_pixel
    best, least = _flagged(field, *_NONE, 1), rule.false_alarms
    for side in rule.squares:
        row, column = field.candidates(side)
        chance = field.chance(row, column, side)
        if chance.size and chance.min() < least:
            one = [int(np.argmin(chance))]
            best, least = _flagged(field, row[one], column[one], side), float(chance.min())
    return best


def _hot_neighbours(field: _Field, hot: Bools) -> Bools:
    near = binary_dilation(hot, np.ones((3, 3))) & ~hot
    row, column = np.nonzero(near & (field.counts > 0))
    limit = detection_constants().hot_pixel.false_alarms
    found = field.chance(row, column, 1, float(near.sum())) < limit
    return _flagged(field, row[found], column[found], 1)


def _flagged(field: _Field, row: Indices, column: Indices, side: int) -> Bools:
    flags = np.zeros(field.counts.shape, dtype=np.bool_)
    for dy, dx in np.ndindex(side, side):
        flags[row + dy, column + dx] = True
    return flags


@lru_cache(maxsize=4096)
def _fewest(photons: float, side: int) -> int:
    """Return the lowest count of a hot square, which is that for a ring without photons."""
    rule = detection_constants().hot_pixel
    ring = (side + 2 * rule.ring_outer) ** 2 - (side + 2 * rule.ring_inner) ** 2
    rate = rule.contrast * side**2 / ring
    count = 2
    while pdtrc(count - 1, rate) * _trials(rate, photons, side) >= rule.false_alarms:
        count += 1
    return count
