"""Pixels that count what no source can: a hot pixel must not become a burst.

A source of the telescope is tens of pixels wide, so whatever its brightness a pixel counts about as much as
those around it. Each pixel is compared with a ring around it that leaves out its direct neighbours, which
may share its charge; nothing is assumed about the PSF but its smoothness.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import pdtrc

from mxtvhf.instrument.psf import detector_pixels
from mxtvhf.localisation.constants import detection_constants

Indices = npt.NDArray[np.intp]

_MAX_PASSES = 5


def hot_pixels(image: npt.NDArray[np.int64], good: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Find the hot ones among the good pixels of a detector image.

    Parameters
    ----------
    image
        Photons per pixel, ``[row, column]``.
    good
        Pixels to use, the same shape.

    Returns
    -------
    numpy.ndarray
        True where a good pixel is hot, the same shape.
    """
    rule = detection_constants().hot_pixel
    hot = np.zeros(image.shape, dtype=np.bool_)
    for _ in range(_MAX_PASSES):
        usable = good & ~hot
        photons = float(image[usable].sum())
        row, column = np.divmod(np.flatnonzero(usable & (image >= _fewest(photons))), image.shape[1])
        if row.size == 0:
            break
        counted = _ring_sum(np.where(usable, image, 0), row, column)
        pixels = _ring_sum(usable, row, column)
        rate = counted * rule.contrast / np.maximum(pixels, 1.0) + _least_rate()
        found = _chance(image[row, column], rate, photons) < rule.false_alarms
        if not found.any():
            break
        hot[row[found], column[found]] = True
    return hot


def _chance(count: npt.ArrayLike, rate: Any, photons: float) -> Any:
    """Bound the expected number of pixels with such a ``count``, were each of them as bright as ``rate``.

    There are not more of them than the photons of the field make, nor than the detector has.
    """
    return pdtrc(np.asarray(count) - 1, rate) * np.minimum(photons / rate, detector_pixels() ** 2)


@cache
def _least_rate() -> float:
    """Rate allowed to a pixel whose ring holds no photon: as if it held one."""
    rule = detection_constants().hot_pixel
    pixels = (2 * rule.ring_outer + 1) ** 2 - (2 * rule.ring_inner + 1) ** 2
    return rule.contrast / pixels


@lru_cache(maxsize=1024)
def _fewest(photons: float) -> int:
    """Return the least count that can be hot, that of a pixel in a ring without photons."""
    limit = detection_constants().hot_pixel.false_alarms
    count = 2
    while _chance(count, _least_rate(), photons) >= limit:
        count += 1
    return count


def _ring_sum(image: npt.NDArray[Any], row: Indices, column: Indices) -> npt.NDArray[np.float64]:
    """Sum over the ring around each of the given pixels, as far as it lies on the detector."""
    rule = detection_constants().hot_pixel
    integral = np.zeros((image.shape[0] + 1, image.shape[1] + 1))
    integral[1:, 1:] = image.cumsum(axis=0, dtype=np.float64).cumsum(axis=1)

    def square(reach: int) -> npt.NDArray[np.float64]:
        low, high = np.maximum(row - reach, 0), np.minimum(row + reach + 1, image.shape[0])
        left, right = np.maximum(column - reach, 0), np.minimum(column + reach + 1, image.shape[1])
        return integral[high, right] - integral[low, right] - integral[high, left] + integral[low, left]

    return square(rule.ring_outer) - square(rule.ring_inner)
