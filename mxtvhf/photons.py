"""The photon list: what the decoded packets hold, as columns."""

from __future__ import annotations

from dataclasses import dataclass, fields
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class PhotonList:
    """Photons in time order, one entry each.

    Attributes
    ----------
    time
        Start of the detector frame, seconds of mission elapsed time (see ``missiontime``), float64.
    x, y
        Detector column and row, 0..255, int16.
    pha
        Pulse height, channel, int32.
    """

    time: npt.NDArray[np.float64]
    x: npt.NDArray[np.int16]
    y: npt.NDArray[np.int16]
    pha: npt.NDArray[np.int32]

    def __len__(self) -> int:
        """Return the number of photons."""
        return len(self.time)

    def followed_by(self, later: PhotonList) -> PhotonList:
        """Return these photons and, after them, later ones."""
        names = (column.name for column in fields(self))
        return PhotonList(*(np.concatenate([getattr(self, name), getattr(later, name)]) for name in names))

    def to_bytes(self) -> bytes:
        """Return the columns as a numpy ``.npz`` file."""
        file = BytesIO()
        np.savez(file, time=self.time, x=self.x, y=self.y, pha=self.pha)
        return file.getvalue()

    @classmethod
    def load(cls, path: Path) -> PhotonList:
        """Read a file of what ``to_bytes`` gave."""
        with np.load(path, allow_pickle=False) as columns:
            return cls(columns["time"], columns["x"], columns["y"], columns["pha"])
