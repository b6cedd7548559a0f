"""Photons at drift-corrected positions, the input of the localisation and the source analysis."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.pixels import ExposureMap, RawMask


@dataclass(frozen=True, eq=False)
class DriftCorrectedPhotons:
    """Photons of usable pixels, at the pixel addresses that they would have had at the mean pointing.

    This class is not a `PhotonList`, so that masks of detector pixels cannot be applied to it by mistake: bad
    and hot pixels have already been excluded at their raw coordinates.

    Attributes
    ----------
    time, pha
        Time and pulse height, as in `PhotonList`.
    x, y
        Drift-corrected column and row, 0..255.
    exposure
        Exposure map for these positions; all areas and enclosed fractions are computed with it.
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
        """Return the photons selected by a mask, with the same exposure map.

        Parameters
        ----------
        chosen
            Mask of the photons, shape (N,).
        """
        return replace(self, time=self.time[chosen], x=self.x[chosen], y=self.y[chosen], pha=self.pha[chosen])

    @classmethod
    def of_steady(cls, photons: PhotonList, usable: RawMask) -> DriftCorrectedPhotons:
        """Build the list from photons of a steady pointing; their raw coordinates need no correction.

        Parameters
        ----------
        photons
            Photons as read out.
        usable
            Pixels to use; the photons of all other pixels are left out.
        """
        kept = photons.selected(usable[photons.y, photons.x])
        return cls(kept.time, kept.x, kept.y, kept.pha, ExposureMap(usable.astype(np.float64)))
