"""Photons at drift-corrected addresses: what the localisation and the source analysis work on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.pixels import ExposureMap, RawMask


@dataclass(frozen=True, eq=False)
class DriftCorrectedPhotons:
    """Photons of usable pixels, at the addresses that they would have had at the mean pointing.

    They are no `PhotonList`, so that masks of the detector's pixels cannot be applied to them: bad and hot
    pixels were left out before, at their raw addresses.

    Attributes
    ----------
    time, pha
        As in `PhotonList`.
    x, y
        Drift-corrected column and row, 0..255.
    exposure
        The exposure map for these addresses: what all areas and fractions of the source are measured with.
    """

    time: npt.NDArray[np.float64]
    x: npt.NDArray[np.int16]
    y: npt.NDArray[np.int16]
    pha: npt.NDArray[np.int32]
    exposure: ExposureMap

    def __len__(self) -> int:
        """Return the number of photons."""
        return len(self.time)

    def selected(self, chosen: npt.NDArray[np.bool_]) -> DriftCorrectedPhotons:
        """Return those that a mask of the photons tells, with the same exposure map."""
        return replace(self, time=self.time[chosen], x=self.x[chosen], y=self.y[chosen], pha=self.pha[chosen])

    @classmethod
    def of_steady(cls, photons: PhotonList, usable: RawMask) -> DriftCorrectedPhotons:
        """Take photons of a steady pointing: their raw addresses need no correction.

        Parameters
        ----------
        photons
            As read out.
        usable
            Pixels to use; the photons of all others are left out.
        """
        kept = photons.selected(usable[photons.y, photons.x])
        return cls(kept.time, kept.x, kept.y, kept.pha, ExposureMap(usable.astype(np.float64)))
