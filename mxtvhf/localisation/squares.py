"""Sums over squares of a detector image and over the rings around them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mxtvhf.models.arrays import Floats

Indices = npt.NDArray[np.intp]


class SquareSums:
    """Sums over squares of an image, in a time that does not depend on their size.

    Squares are given by their lowest row and column and their side in pixels; pixels outside the image count
    as 0. Source: Crow 1984, SIGGRAPH 18, 207 (summed-area table).

    Parameters
    ----------
    image
        Values to sum, ``[row, column]``.
    """

    def __init__(self, image: npt.NDArray[Any]) -> None:
        self._total = np.zeros((image.shape[0] + 1, image.shape[1] + 1), dtype=image.dtype)
        np.cumsum(image, axis=0, out=self._total[1:, 1:])
        np.cumsum(self._total[1:, 1:], axis=1, out=self._total[1:, 1:])

    @property
    def total(self) -> float:
        """Return the sum over the image."""
        return float(self._total[-1, -1])

    def everywhere(self, side: int) -> npt.NDArray[Any]:
        """Return the sums over all squares of a given side, ``[lowest row, lowest column]``.

        Parameters
        ----------
        side
            Side of the squares, pixels.
        """
        strips = self._total[side:] - self._total[:-side]
        return np.asarray(strips[:, side:] - strips[:, :-side])

    def at(self, row: Indices, column: Indices, side: int, reach: int = 0) -> Floats:
        """Return the sums over squares that are enlarged on all sides.

        Parameters
        ----------
        row, column
            Lowest row and column of each square, shape (squares,).
        side
            Side of the squares, pixels.
        reach
            Pixels added on each side.
        """
        rows, columns = self._total.shape[0] - 1, self._total.shape[1] - 1
        low, high = np.maximum(row - reach, 0), np.minimum(row + side + reach, rows)
        left, right = np.maximum(column - reach, 0), np.minimum(column + side + reach, columns)
        total = self._total
        inside = total[high, right] - total[low, right] - total[high, left] + total[low, left]
        return np.asarray(inside, dtype=np.float64)

    def ring(self, row: Indices, column: Indices, side: int, inner: int, outer: int) -> Floats:
        """Return the sums over square rings around squares.

        Parameters
        ----------
        row, column
            Lowest row and column of each square, shape (squares,).
        side
            Side of the squares, pixels.
        inner, outer
            Distances from the square, pixels: the ring goes from beyond ``inner`` to ``outer``.
        """
        return self.at(row, column, side, outer) - self.at(row, column, side, inner)
