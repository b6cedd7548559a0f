"""Rows and columns that count what no source can: readout noise must not become a burst.

A source of the telescope covers tens of rows and columns, and so do the arms of its cross. Each line is
compared with the lines beside it, its direct neighbours left out, which may share its noise. The comparison
of two counts by the binomial distribution is exact for any number of photons (Przyborowski and Wilenski 1940,
Biometrika 31, 313).
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
"""Each with the axis of an image along which its pixels lie."""


class Ring(Protocol):
    """Which lines are beside a line: from beyond ``ring_inner`` to ``ring_outer`` lines away."""

    @property
    def ring_inner(self) -> int: ...  # noqa: D102
    @property
    def ring_outer(self) -> int: ...  # noqa: D102


def noisy_lines(image: npt.NDArray[np.int64], exposure: npt.ArrayLike) -> tuple[RawLine, ...]:
    """Find the noisy rows and columns of a detector image.

    Parameters
    ----------
    image
        Photons per pixel, ``[row, column]``, raw addresses.
    exposure
        How long each pixel was exposed, in any unit, the same shape; 0 or False: not to be used, as hot
        pixels.

    Returns
    -------
    tuple of RawLine
        In the order in which they were found, the noisiest ones first.
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
    """Return the numbers of the noisy lines among parallel ones.

    Parameters
    ----------
    counts, time
        Photons and summed exposure of each line.
    """
    rule = detection_constants().noisy_line
    around, weight = beside(counts, rule), rule.contrast * time
    part = weight / np.maximum(weight + beside(time, rule), _TINY)
    # The distribution is asked only where there is more than expected: in most images nowhere.
    bright = np.flatnonzero(counts > (counts + around) * part)
    chance = bdtrc(counts[bright] - 1, counts[bright] + around[bright], part[bright])
    return np.asarray(bright[chance * 2 * counts.size < rule.false_alarms])


def beside(lines: npt.NDArray[Any], rule: Ring) -> npt.NDArray[Any]:
    """Sum over the lines on both sides of each line."""
    ring = np.ones(2 * rule.ring_outer + 1, dtype=lines.dtype)
    ring[rule.ring_outer - rule.ring_inner : rule.ring_outer + rule.ring_inner + 1] = 0
    return np.convolve(lines, ring, mode="same")
