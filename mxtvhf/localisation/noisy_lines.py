"""Rows and columns that count what no source can: readout noise must not become a burst.

A source of the telescope covers tens of rows and columns, and so do the arms of its cross. Each line is
compared with the lines beside it, its direct neighbours left out, which may share its noise. The comparison
of two counts by the binomial distribution is exact for any number of photons (Przyborowski and Wilenski 1940,
Biometrika 31, 313).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import bdtrc

from mxtvhf.instrument.pixels import Axis, RawLine, line_mask
from mxtvhf.localisation.constants import detection_constants

Indices = npt.NDArray[np.intp]

_MAX_PASSES = 5
_ROW: tuple[Axis, int] = ("row", 1)
_COLUMN: tuple[Axis, int] = ("column", 0)
"""Each with the axis of an image along which its pixels lie."""


def noisy_lines(image: npt.NDArray[np.int64], good: npt.NDArray[np.bool_]) -> tuple[RawLine, ...]:
    """Find the noisy rows and columns of a detector image.

    Parameters
    ----------
    image
        Photons per pixel, ``[row, column]``, raw addresses.
    good
        Pixels to use, the same shape; hot pixels are not among them.

    Returns
    -------
    tuple of RawLine
        In the order in which they were found, the noisiest ones first.
    """
    found: list[RawLine] = []
    usable = good
    for _ in range(_MAX_PASSES):
        counts = np.where(usable, image, 0)
        new = [
            RawLine(axis, int(number))
            for axis, along in (_ROW, _COLUMN)
            for number in _noisy(counts.sum(axis=along), np.count_nonzero(usable, axis=along))
        ]
        if not new:
            break
        found += new
        usable = usable & ~line_mask(new)
    return tuple(found)


def _noisy(counts: npt.NDArray[np.int64], pixels: npt.NDArray[np.int64]) -> Indices:
    """Return the numbers of the noisy lines among parallel ones.

    Parameters
    ----------
    counts, pixels
        Photons and usable pixels of each line.
    """
    rule = detection_constants().noisy_line
    beside, weight = _beside(counts), rule.contrast * pixels
    part = weight / np.maximum(weight + _beside(pixels), 1.0)
    # The distribution is asked only where there is more than expected: in most images nowhere.
    bright = np.flatnonzero(counts > (counts + beside) * part)
    chance = bdtrc(counts[bright] - 1, counts[bright] + beside[bright], part[bright])
    return np.asarray(bright[chance * 2 * counts.size < rule.false_alarms])


def _beside(lines: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Sum over the lines on both sides of each line."""
    rule = detection_constants().noisy_line
    ring = np.ones(2 * rule.ring_outer + 1, dtype=np.int64)
    ring[rule.ring_outer - rule.ring_inner : rule.ring_outer + rule.ring_inner + 1] = 0
    return np.convolve(lines, ring, mode="same")
