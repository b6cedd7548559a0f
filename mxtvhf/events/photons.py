"""Photon list: the decoded photons as columns."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mxtvhf.errors import InvalidInput
from mxtvhf.instrument.constants import instrument
from mxtvhf.models.arrays import read_arrays


@dataclass(frozen=True, eq=False, repr=False)
class PhotonList:
    """Photons in time order: pixel entries as read out, or reconstructed events.

    Attributes
    ----------
    time
        Start of the detector frame, seconds of mission elapsed time (see `mxtvhf.instrument.time`), float64.
    x, y
        Detector column and row, 0..255, int16.
    pha
        Pulse height, channel, int32.

    Raises
    ------
    InvalidInput
        The columns have different lengths, a time is not finite or earlier than the one before, an address is
        outside the detector, or a pulse height is out of range.
    """

    time: npt.NDArray[np.float64]
    x: npt.NDArray[np.int16]
    y: npt.NDArray[np.int16]
    pha: npt.NDArray[np.int32]

    def __post_init__(self) -> None:
        lengths = {len(column) for column in self.columns}
        if len(lengths) != 1:
            raise InvalidInput(
                f"photons: columns of unequal length: {sorted(lengths)}; expected one value for each photon"
            )
        if not len(self):
            return
        detector = instrument().detector
        _check_range("x", self.x, detector.columns)
        _check_range("y", self.y, detector.rows)
        _check_range("pha", self.pha, instrument().energy.pha_channels)
        # A NaN fails the comparison with its neighbour.
        if not (np.isfinite(self.time[[0, -1]]).all() and (self.time[1:] >= self.time[:-1]).all()):
            raise InvalidInput("photons: times are not in ascending order or not finite")

    def __repr__(self) -> str:
        """Return a one-line summary; the default would print all arrays in a notebook."""
        return f"<PhotonList: {len(self)} photons>"

    def __len__(self) -> int:
        """Return the number of photons."""
        return len(self.time)

    @property
    def columns(self) -> tuple[npt.NDArray[Any], ...]:
        """Time, x, y and pulse height."""
        return self.time, self.x, self.y, self.pha

    def selected(self, chosen: npt.NDArray[np.bool_]) -> PhotonList:
        """Return the photons selected by a mask.

        Parameters
        ----------
        chosen
            Mask of the photons, shape (N,).
        """
        return PhotonList(*(column[chosen] for column in self.columns))

    def merged(self, other: PhotonList) -> PhotonList:
        """Return both lists merged in time order; at equal times the photons of this list come first.

        Parameters
        ----------
        other
            Photons to add, in time order.
        """
        columns = [np.concatenate(pair) for pair in zip(self.columns, other.columns, strict=True)]
        order = np.argsort(columns[0], kind="stable")
        return PhotonList(*(column[order] for column in columns))

    def to_bytes(self) -> bytes:
        """Return the columns as a numpy ``.npz`` file."""
        file = BytesIO()
        np.savez(file, time=self.time, x=self.x, y=self.y, pha=self.pha)
        return file.getvalue()

    @classmethod
    def load(cls, path: Path) -> PhotonList:
        """Read a file written from ``to_bytes``; additional arrays in it are ignored.

        Parameters
        ----------
        path
            The ``.npz`` file.

        Raises
        ------
        InvalidInput
            The file is damaged.
        """
        return cls(*read_arrays(path.read_bytes(), ("time", "x", "y", "pha"), name=str(path)))


def _check_range(name: str, values: npt.NDArray[np.signedinteger[Any]], stop: int) -> None:
    low, high = values.min(), values.max()
    if low < 0 or high >= stop:
        raise InvalidInput(
            f"photons: {name} {low if low < 0 else high} is out of range; expected 0 to {stop - 1}"
        )
