"""Pixels and small groups of pixels that count what no source can: they must not become a burst.

A source of the telescope is tens of pixels wide, so whatever its brightness a pixel counts about as much as
those around it. Each pixel, and each small square of pixels, is compared with a ring around it that leaves
out its direct neighbours, which may share its charge; nothing is assumed about the PSF but its smoothness.
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
    """Find the hot pixels of a detector image, alone or in clusters.

    Single pixels are found first; then squares of the sides that ``detection.toml`` lists, the most
    significant one each time; then neighbours of both, which are judged as some of a few pixels and not as
    some of all.

    Parameters
    ----------
    image
        Photons per pixel, ``[row, column]``, raw addresses.
    exposure
        How long each pixel was exposed, in any unit, the same shape; 0 or False: not to be used.

    Returns
    -------
    numpy.ndarray
        True where a pixel in use is hot, the same shape.
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
    """The photons of an image and its exposure, summed over squares."""

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
        """Bound the number of squares with such counts that are expected by chance.

        The true rate in each is ``contrast`` times that of its ring. There are not more such squares than the
        photons of the field make, nor than the detector has, or than ``trials``.
        """
        if row.size == 0:
            return np.empty(0)
        rule = detection_constants().hot_pixel
        here = self._time.at(row, column, side)
        around = np.maximum(self._time.ring(row, column, side, rule.ring_inner, rule.ring_outer), here)
        counted = self.sums.ring(row, column, side, rule.ring_inner, rule.ring_outer)
        # As if a ring held one photon more: an empty one does not forbid any.
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
    """Return the least count of a square that can be hot, that of one in a ring without photons."""
    rule = detection_constants().hot_pixel
    ring = (side + 2 * rule.ring_outer) ** 2 - (side + 2 * rule.ring_inner) ** 2
    rate = rule.contrast * side**2 / ring
    count = 2
    while pdtrc(count - 1, rate) * _trials(rate, photons, side) >= rule.false_alarms:
        count += 1
    return count
