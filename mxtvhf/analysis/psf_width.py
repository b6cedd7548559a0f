"""Fit the width of the PSF core, and propagate its error to rates and fluxes."""

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
"""Relative step of the width for numerical derivatives."""
_CELL = 4
"""Side of the cells in which photons are counted, pixels: a tenth of the core width."""
_SIZE = detector_pixels()
_REACH, _NODES, _ROUNDS = 2.5, 13, 8
"""Half width of the first grid in standard deviations of the prior, grid points, and largest number of
grids."""
_KEPT, _FILLED = 8.0, 5
"""Decrease of the log density that still counts; a grid with enough such values is the last one."""


@dataclass(frozen=True)
class SourcePsf:
    """The PSF of a source.

    Attributes
    ----------
    psf
        PSF with the most probable core width.
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
        """Fit the core width to the photons; return the PSF with this width and its error.

        The logarithm of the width has a normal prior about the calibrated value. The result is the mean and
        standard deviation of its posterior, with a free fraction of source photons.

        Parameters
        ----------
        calibration
            Calibrated PSF.
        photons
            Photons of source and background.
        x, y
            Position of the source, continuous 0-based drift-corrected pixels.
        background
            Image of everything but the source, in any unit, ``[row, column]``, positive where exposed.
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
        """Return the relative error of the effective fraction of regions due to the error of the width.

        Parameters
        ----------
        regions
            Source and background region.
        """
        narrow, wide = (
            regions_at(
                regions.x, regions.y, regions.radius, psf=self.psf.scaled(factor), exposure=regions.exposure
            ).effective_fraction
            for factor in (1.0 - WIDTH_STEP, 1.0 + WIDTH_STEP)
        )
        change = abs(wide - narrow) / (2.0 * WIDTH_STEP * regions.effective_fraction)
        return float(change * self.width_sigma)


def _cells(image: npt.ArrayLike) -> Floats:
    """Sum an image over square cells; return a flat array."""
    cells = _SIZE // _CELL
    blocks = np.asarray(image, dtype=np.float64).reshape(cells, _CELL, cells, _CELL)
    return np.asarray(blocks.sum(axis=(1, 3)).ravel())
