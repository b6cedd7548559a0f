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
    # All blocks consist of these cells.
    cell = min(sides) // 2
    exposed = np.asarray(exposure, dtype=np.float64)
    # Photons and exposure.
    cells = np.stack([_in_cells(np.where(exposed > 0.0, image, 0), cell), _in_cells(exposed, cell)])
    found: list[RawBlock] = []
    for side in sides:
        half = side // 2 // cell
        (number, time), (around, time_around) = _blocks(cells, half)
        dead = _dead(number.ravel(), time.ravel(), around.ravel(), time_around.ravel(), number.size)
        for row, column in half * np.stack(np.divmod(dead, number.shape[1]), axis=1):
            found.append(RawBlock(int(column) * cell, int(row) * cell, side))
            cells[:, row : row + 2 * half, column : column + 2 * half] = 0.0
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


def _blocks(cells: Floats, half: int) -> tuple[Floats, Floats]:
    """Return photons and exposure of blocks, and those around them, ``[quantity, row, column]`` each.

    A block consists of 2 x 2 squares of ``half`` x ``half`` cells; neighbouring blocks overlap by one square.
    Around a block all four sides count as much as the faintest one: a source beside a block then does not
    make it dead, because the opposite side is fainter. Blocks in corners, with only two sides, have nothing
    around them.
    """
    squares = np.zeros((2, *(size // half + 2 for size in cells.shape[1:])))
    squares[:, 1:-1, 1:-1] = _in_cells(cells, half)
    across, down = squares[..., :-1] + squares[..., 1:], squares[:, :-1] + squares[:, 1:]
    sides = np.stack([across[:, :-3, 1:-1], across[:, 3:, 1:-1], down[:, 1:-1, :-3], down[:, 1:-1, 3:]])
    counts, exposures = sides[:, 0], sides[:, 1]
    seen = exposures > 0.0
    rate = np.where(seen, counts / np.where(seen, exposures, 1.0), np.inf)
    faintest = np.take_along_axis(sides, np.argmin(rate, axis=0)[np.newaxis, np.newaxis], axis=0)[0]
    blocks = down[:, 1:-1, 1:-2] + down[:, 1:-1, 2:-1]
    return blocks, np.where(seen.sum(axis=0) >= 3, 4.0, 0.0) * faintest


def _in_cells(values: npt.NDArray[Any], cell: int) -> npt.NDArray[Any]:
    """Return the sums over squares of ``cell`` x ``cell`` values along the last two axes."""
    *others, rows, columns = values.shape
    strips = values.reshape(*others, rows // cell, cell, columns).sum(axis=-2)
    return np.asarray(strips.reshape(*others, rows // cell, columns // cell, cell).sum(axis=-1))


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
