"""Dead rows, columns and blocks of the detector, found by their lack of counts.

The image of the sky, summed along lines of the detector, changes slowly from line to line, and so does the
background. A working line therefore counts about as much as its neighbours, and a block about as much as the
ring around it. Two counts are compared by the binomial distribution, which is exact for any number of photons
(Przyborowski and Wilenski 1940, Biometrika 31, 313), so that nothing is called dead on few photons.
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
    """Return the dead rows and columns of a detector image.

    Parameters
    ----------
    image
        Photons per pixel, ``[row, column]``, raw coordinates.
    exposure
        Exposure of each pixel in any unit, the same shape; 0 or False excludes the pixel.
    """
    rule = detection_constants().dead
    found: list[RawLine] = []
    exposed = np.asarray(exposure, dtype=np.float64)
    # Two passes: a dead line lowers the counts that its neighbours are compared with.
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
    """Return the dead square blocks of a detector image, the largest first.

    Blocks of each side length are searched in steps of half of it.

    Parameters
    ----------
    image
        Photons per pixel, ``[row, column]``, raw coordinates.
    exposure
        Exposure of each pixel in any unit, the same shape; 0 or False excludes the pixel.
    """
    sides = sorted(detection_constants().dead.blocks, reverse=True)
    # All blocks, steps and rings consist of these cells.
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
    """Return the mask of the dead pixels of an image with many photons per pixel.

    The ring around a pixel has the radii of the ring beside a line.

    Parameters
    ----------
    image
        Photons per pixel, ``[row, column]``, raw coordinates.
    exposure
        Exposure of each pixel in any unit, the same shape; 0 or False excludes the pixel.
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
    """Return photons and exposure around blocks, with all four sides as faint as the faintest one.

    A source beside a block then does not make the block dead: the opposite side is fainter. Blocks in
    corners, with only two sides, have nothing around them.
    """
    half = side // 2
    # A side is a strip of two squares, each half as wide as the block: [side, square, block].
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
    rows = values.reshape(values.shape[0] // cell, cell, -1).sum(axis=1)
    return np.asarray(rows.reshape(len(rows), -1, cell).sum(axis=2))


def _dead(number: Floats, time: Floats, around: Floats, time_around: Floats, trials: int) -> Indices:
    """Return the indices of the dead ones among counts with exposures, compared with their rings."""
    rule = detection_constants().dead
    weight = rule.contrast * time
    part = np.divide(weight, weight + time_around, out=np.zeros(time.shape), where=time_around > 0.0)
    expected = np.divide(time * around, time_around, out=np.zeros(time.shape), where=time_around > 0.0)
    # The two directions of lines and the sizes of blocks are separate searches.
    limit = rule.false_alarms / (trials * (2 + len(rule.blocks)))
    # No count has a probability below exp(-contrast x expected): with few expected counts nothing is dead.
    enough = (time > 0.0) & (rule.contrast * expected > -np.log(limit))
    few = np.flatnonzero(enough & (number <= rule.largest_part * expected))
    total = np.rint(number[few] + around[few]).astype(np.int64)
    chance = bdtr(number[few], total, part[few])
    return np.asarray(few[chance < limit])
