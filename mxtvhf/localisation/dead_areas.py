"""Rows, columns and blocks of the detector that count less than any sky explains, listed or not.

The sum along a line of what the optics show of the sky changes slowly from line to line, as the background
does. So a working line counts about as much as those beside it, and a block about as much as a ring around
it. The comparison of two counts by the binomial distribution is exact for any number of photons (Przyborowski
and Wilenski 1940, Biometrika 31, 313): from few photons nothing is dead.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr

from mxtvhf.instrument.pixels import RawBlock, RawLine, line_mask
from mxtvhf.localisation.constants import detection_constants
from mxtvhf.localisation.noisy_lines import LINES, beside
from mxtvhf.localisation.squares import Indices, SquareSums
from mxtvhf.models.arrays import Floats


def dead_lines(image: npt.NDArray[np.int64], exposure: npt.ArrayLike) -> tuple[RawLine, ...]:
    """Find the dead rows and columns of a detector image.

    Parameters
    ----------
    image
        Photons per pixel, ``[row, column]``, raw addresses.
    exposure
        How long each pixel was exposed, in any unit, the same shape; 0 or False: not to be used.
    """
    rule = detection_constants().dead
    found: list[RawLine] = []
    exposed = np.asarray(exposure, dtype=np.float64)
    # Twice: a dead line beside others makes theirs less conspicuous.
    for _ in range(2):
        counts = np.where(exposed > 0.0, image, 0)
        new = []
        for axis, along in LINES:
            number, time = counts.sum(axis=along), exposed.sum(axis=along)
            around, time_around = beside(number, rule), beside(time, rule)
            dead = _dead(number, time, around, time_around, number.size)
            new += [RawLine(axis, int(line)) for line in dead]
        if not new:
            break
        found += new
        exposed = np.where(line_mask(new), 0.0, exposed)
    return tuple(found)


def dead_blocks(image: npt.NDArray[np.int64], exposure: npt.ArrayLike) -> tuple[RawBlock, ...]:
    """Find the dead square blocks of a detector image, the largest ones first; parameters as `dead_lines`.

    Blocks of a side are looked for in steps of half of it.
    """
    sides = sorted(detection_constants().dead.blocks, reverse=True)
    # In cells, of which all blocks, steps and rings are made.
    cell = min(sides) // 2
    exposed = np.asarray(exposure, dtype=np.float64)
    number, time = _in_cells(np.where(exposed > 0.0, image, 0), cell), _in_cells(exposed, cell)
    found: list[RawBlock] = []
    for side in (pixels // cell for pixels in sides):
        lows = np.arange(0, number.shape[0] - side + 1, side // 2)
        row, column = (axis.ravel() for axis in np.meshgrid(lows, lows, indexing="ij"))
        around, time_around = _faintest_side(number, time, row, column, side)
        counted, timed = (SquareSums(values).at(row, column, side) for values in (number, time))
        dead = _dead(counted, timed, around, time_around, row.size)
        for k in dead:
            found.append(RawBlock(int(column[k]) * cell, int(row[k]) * cell, side * cell))
            inside = np.s_[row[k] : row[k] + side, column[k] : column[k] + side]
            number[inside], time[inside] = 0, 0.0
    return tuple(found)


def dead_pixels(image: npt.NDArray[np.int64], exposure: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Find the dead pixels of an image with many photons per pixel; parameters as `dead_lines`.

    The ring around a pixel is as wide as that of a line.
    """
    rule = detection_constants().dead
    exposed = np.asarray(exposure, dtype=np.float64)
    counts = np.where(exposed > 0.0, image, 0)
    row, column = (axis.ravel() for axis in np.indices(image.shape))
    ring, ring_time = (
        SquareSums(values).ring(row, column, 1, rule.ring_inner, rule.ring_outer)
        for values in (counts, exposed)
    )
    dead = np.zeros(image.shape, dtype=np.bool_)
    dead.ravel()[_dead(counts.ravel(), exposed.ravel(), ring, ring_time, row.size)] = True
    return dead


def _faintest_side(
    number: npt.NDArray[Any], time: npt.NDArray[Any], row: Indices, column: Indices, side: int
) -> tuple[Floats, Floats]:
    """Return photons and exposure around blocks, as if all four sides were like the faintest one.

    A source beside a block makes it no dead one: the opposite side is fainter still. Blocks in corners, with
    two sides only, have nothing around them.
    """
    half = side // 2
    # A side is a strip of two squares of half of the block's side: [side, square, block].
    down = half * np.array([[-1, -1], [2, 2], [0, 1], [0, 1]])[..., np.newaxis] + row
    across = half * np.array([[0, 1], [0, 1], [-1, -1], [2, 2]])[..., np.newaxis] + column
    counts, exposures = (
        SquareSums(np.pad(values, half)).at(down + half, across + half, half).sum(axis=1)
        for values in (number, time)
    )
    seen = exposures > 0.0
    rate = np.where(seen, counts / np.where(seen, exposures, 1.0), np.inf)
    faintest = np.argmin(rate, axis=0), np.arange(row.size)
    enough = np.where(seen.sum(axis=0) >= 3, 4.0, 0.0)
    return enough * counts[faintest], enough * exposures[faintest]


def _in_cells(values: npt.NDArray[Any], cell: int) -> npt.NDArray[Any]:
    # A product of matrices is faster than sums over short axes.
    joined = np.repeat(np.eye(values.shape[0] // cell), cell, axis=1)
    return np.asarray(joined @ values @ joined.T)


def _dead(number: Floats, time: Floats, around: Floats, time_around: Floats, trials: int) -> Indices:
    """Return the numbers of the dead ones of parallel counts, each with its exposure, beside their rings."""
    rule = detection_constants().dead
    weight = rule.contrast * time
    part = np.divide(weight, weight + time_around, out=np.zeros(time.shape), where=time_around > 0.0)
    expected = np.divide(time * around, time_around, out=np.zeros(time.shape), where=time_around > 0.0)
    # Lines of two directions and blocks of several sides are as many searches.
    limit = rule.false_alarms / (trials * (2 + len(rule.blocks)))
    # No count has a chance below exp(-contrast x expected): where too few are expected nothing can be dead.
    enough = (time > 0.0) & (rule.contrast * expected > -np.log(limit))
    few = np.flatnonzero(enough & (number <= rule.largest_part * expected))
    total = np.rint(number[few] + around[few]).astype(np.int64)
    chance = bdtr(number[few], total, part[few])
    return np.asarray(few[chance < limit])
