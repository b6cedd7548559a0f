"""How well the width of the PSF's core is known, and what that means for rates and fluxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mxtvhf.analysis.constants import analysis_constants
from mxtvhf.analysis.mixture import best_part
from mxtvhf.analysis.regions import Regions, regions_at
from mxtvhf.events.drift_corrected import DriftCorrectedPhotons
from mxtvhf.instrument.calibration import PsfCalibration
from mxtvhf.instrument.psf import LobsterEyePsf, detector_pixels
from mxtvhf.models.arrays import Floats

WIDTH_STEP = 0.05
"""Relative step of the width for derivatives."""
_CELL = 4
"""Pixels per side of the cells in which photons are counted: a tenth of the core's width."""
_SIZE = detector_pixels()
_REACH, _NODES, _ROUNDS = 2.5, 13, 8
"""Standard deviations of the prior, values of the width and finer and finer grids that are looked at."""
_KEPT, _FILLED = 8.0, 5
"""Logarithm of the density below its maximum that counts; a grid with more such values is the last one."""


@dataclass(frozen=True)
class SourcePsf:
    """The PSF of a source.

    Attributes
    ----------
    psf
        With the most probable width of its core.
    width_sigma
        Relative error of the width.
    """

    psf: LobsterEyePsf
    width_sigma: float

    @classmethod
    def fitted(
        cls,
        calibration: PsfCalibration,
        photons: DriftCorrectedPhotons,
        x: float,
        y: float,
        background: Floats,
    ) -> SourcePsf:
        """Return the PSF with the width that the photons tell, and its error.

        The width's logarithm has a normal prior about that of the calibration; mean and standard deviation of
        its posterior are taken, with the source's part of the photons free.

        Parameters
        ----------
        calibration
            Of the PSF.
        photons
            Of the source and the background.
        x, y
            Place of the source, continuous 0-based drift-corrected pixels.
        background
            Image of all that is not of the source, in any unit, ``[row, column]``, positive where exposed.
        """
        psf = LobsterEyePsf.of(calibration)
        if psf.width_sigma == 0.0:
            return cls(psf, 0.0)
        sigma = max(psf.width_sigma, analysis_constants().width.least_sigma)
        rest = _cells(np.where(photons.exposure > 0.0, background, 0.0))
        pixel = photons.y.astype(np.intp) * _SIZE + photons.x
        number = _cells(np.bincount(pixel, minlength=_SIZE**2))
        seen = (number > 0.0) & (rest > 0.0)
        if not seen.any():
            return cls(psf, sigma)
        low, high = -_REACH * sigma, _REACH * sigma
        for _ in range(_ROUNDS):
            stretch = np.linspace(low, high, _NODES)
            images = [_cells(photons.exposure * psf.scaled(float(np.exp(s))).image(x, y)) for s in stretch]
            excess = [image[seen] / rest[seen] * rest.sum() / image.sum() - 1.0 for image in images]
            log_density = best_part(np.array(excess), number[seen])[0] - 0.5 * (stretch / sigma) ** 2
            below = log_density.max() - log_density
            kept = np.flatnonzero(below < _KEPT)
            if kept.size > _FILLED:
                break
            low, high = stretch[max(kept[0] - 1, 0)], stretch[min(kept[-1] + 1, _NODES - 1)]
        weight = np.exp(-below) / np.exp(-below).sum()
        mean = float(weight @ stretch)
        spread = float(np.sqrt(weight @ (stretch - mean) ** 2))
        return cls(psf.scaled(float(np.exp(mean))), spread)

    def fraction_sigma(self, regions: Regions) -> float:
        """Return the relative error of the effective fraction of regions, by that of the width."""
        narrow, wide = (
            regions_at(
                regions.x, regions.y, regions.radius, psf=self.psf.scaled(factor), exposure=regions.exposure
            ).effective_fraction
            for factor in (1.0 - WIDTH_STEP, 1.0 + WIDTH_STEP)
        )
        change = abs(wide - narrow) / (2.0 * WIDTH_STEP * regions.effective_fraction)
        return float(change * self.width_sigma)


def _cells(image: npt.ArrayLike) -> Floats:
    """Sum an image over square cells, flat."""
    cells = _SIZE // _CELL
    blocks = np.asarray(image, dtype=np.float64).reshape(cells, _CELL, cells, _CELL)
    return np.asarray(blocks.sum(axis=(1, 3)).ravel())
