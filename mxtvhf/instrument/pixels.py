"""Raw and drift-corrected pixel addresses as separate types, so that they cannot be confused.

Raw coordinates (RAWX, RAWY) are those of the detector; hot and bad pixels are fixed in them. Drift-corrected
addresses are those that a photon would have had at the mean pointing; a source is fixed in them. If the
pointing was steady, both are equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple, NewType

import numpy as np
import numpy.typing as npt

from mxtvhf.instrument.constants import instrument

RawMask = NewType("RawMask", npt.NDArray[np.bool_])
"""Flag for each pixel of the detector, ``[row, column]`` in raw coordinates."""

ExposureMap = NewType("ExposureMap", npt.NDArray[np.float64])
"""Fraction of the GTI, 0..1, during which usable pixels covered each drift-corrected pixel, ``[row,
column]``."""


class RawPixel(NamedTuple):
    """Raw coordinates of a pixel."""

    column: int
    row: int


Axis = Literal["row", "column"]


class RawLine(NamedTuple):
    """A row or a column of the detector."""

    axis: Axis
    number: int


class RawBlock(NamedTuple):
    """A square of the detector: its lowest column and row, and its side in pixels."""

    column: int
    row: int
    side: int


def line_mask(lines: Iterable[RawLine]) -> RawMask:
    """Return a mask of all pixels of the given rows and columns.

    Parameters
    ----------
    lines
        Rows and columns of the detector, 0-based.
    """
    detector = instrument().detector
    mask = np.zeros((detector.rows, detector.columns), dtype=np.bool_)
    for axis, number in lines:
        mask[(number, slice(None)) if axis == "row" else (slice(None), number)] = True
    return RawMask(mask)


def blocks_mask(blocks: Iterable[RawBlock]) -> RawMask:
    """Return a mask of all pixels of the given blocks.

    Parameters
    ----------
    blocks
        Squares that lie on the detector.
    """
    detector = instrument().detector
    mask = np.zeros((detector.rows, detector.columns), dtype=np.bool_)
    for column, row, side in blocks:
        mask[row : row + side, column : column + side] = True
    return RawMask(mask)


def pixel_mask(pixels: Iterable[RawPixel]) -> RawMask:
    """Return a mask of the given pixels.

    Parameters
    ----------
    pixels
        Raw coordinates, 0-based.
    """
    detector = instrument().detector
    mask = np.zeros((detector.rows, detector.columns), dtype=np.bool_)
    for column, row in pixels:
        mask[row, column] = True
    return RawMask(mask)


def lines_text(lines: Iterable[RawLine]) -> str:
    """Format rows and columns as text: ``row 12, column 200``.

    Parameters
    ----------
    lines
        Rows and columns, in the order of the text.
    """
    return ", ".join(f"{axis} {number}" for axis, number in lines)


def blocks_text(blocks: Iterable[RawBlock]) -> str:
    """Format blocks as text: ``columns 32-47 of rows 0-15``.

    Parameters
    ----------
    blocks
        Blocks, in the order of the text.
    """
    return ", ".join(
        f"columns {column}-{column + side - 1} of rows {row}-{row + side - 1}" for column, row, side in blocks
    )


def pixels_of(mask: RawMask) -> tuple[RawPixel, ...]:
    """Return the addresses of the flagged pixels of a mask, row by row.

    Parameters
    ----------
    mask
        Mask in raw coordinates, ``[row, column]``.
    """
    return tuple(RawPixel(int(column), int(row)) for row, column in np.argwhere(mask))
