"""Noisy rows and columns, which count more than any source: readout noise must not be taken for a burst.

The core and the cross arms of a source cover tens of rows and columns. Each line is compared with lines on
both sides, without its direct neighbours, which may share its noise. Two counts are compared by the binomial
distribution, which is exact for any number of photons (Przyborowski and Wilenski 1940, Biometrika 31, 313).
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy.special import bdtrc

from mxtvhf.instrument.pixels import Axis, RawLine, line_mask
from mxtvhf.localisation.constants import detection_constants
from mxtvhf.models.arrays import Floats

Indices = npt.NDArray[np.intp]

_MAX_PASSES = 5
_TINY = 1e-300
LINES: tuple[tuple[Axis, int], ...] = (("row", 1), ("column", 0))
"""Row and column, each with the axis of an image along which its pixels lie."""


class Ring(Protocol):
    """Distances of the lines that a line is compared with."""

    @property
    def ring_inner(self) -> int:
        """Largest distance that is left out, lines."""
        ...

    @property
    def ring_outer(self) -> int:
        """Largest distance that is used, lines."""
        ...


def noisy_lines(image: npt.NDArray[np.int64], exposure: npt.ArrayLike) -> tuple[RawLine, ...]:
    """Return the noisy rows and columns of a detector image.

    Parameters
    ----------
    image
        Photons per pixel, ``[row, column]``, raw coordinates.
    exposure
        Exposure of each pixel in any unit, the same shape; 0 or False excludes the pixel, e.g. a hot one.

    Returns
    -------
    tuple of RawLine
        In the order of detection, the noisiest first.
    """
    found: list[RawLine] = []
    exposed = np.asarray(exposure, dtype=np.float64)
    for _ in range(_MAX_PASSES):
        counts = np.where(exposed > 0.0, image, 0)
        new = [
            RawLine(axis, int(number))
            for axis, along in LINES
            for number in _noisy(counts.sum(axis=along), exposed.sum(axis=along))
        ]
        if not new:
            break
        found += new
        exposed = np.where(line_mask(new), 0.0, exposed)
    return tuple(found)


def _noisy(counts: npt.NDArray[np.int64], time: Floats) -> Indices:
    """Return the indices of the noisy ones among parallel lines.

    Parameters
    ----------
    counts, time
        Photons and summed exposure of each line.
    """
    rule = detection_constants().noisy_line
    around, weight = beside(counts, rule), rule.contrast * time
    part = weight / np.maximum(weight + beside(time, rule), _TINY)
    # To save time the distribution is evaluated only where there are more photons than expected.
    bright = np.flatnonzero(counts > (counts + around) * part)
    chance = bdtrc(counts[bright] - 1, counts[bright] + around[bright], part[bright])
    return np.asarray(bright[chance * 2 * counts.size < rule.false_alarms])


def beside(lines: npt.NDArray[Any], rule: Ring) -> npt.NDArray[Any]:
    """Return the sum over the lines on both sides of each line.

    Parameters
    ----------
    lines
        Values of parallel lines, shape (lines,).
    rule
        Distances of the lines that are summed.
    """
    ring = np.ones(2 * rule.ring_outer + 1, dtype=lines.dtype)
    ring[rule.ring_outer - rule.ring_inner : rule.ring_outer + rule.ring_inner + 1] = 0
    return np.convolve(lines, ring, mode="same")
