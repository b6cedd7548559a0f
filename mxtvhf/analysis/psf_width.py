"""How well the width of the PSF's core is known, and what that means for rates and fluxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mxtvhf.analysis.regions import Regions, regions_at
from mxtvhf.errors import InvalidInput
from mxtvhf.instrument.calibration import PsfCalibration
from mxtvhf.instrument.psf import LobsterEyePsf

WIDTH_STEP = 0.05
"""Relative step of the width for derivatives."""


@dataclass(frozen=True)
class SourcePsf:
    """The PSF of a source.

    Attributes
    ----------
    psf
        With the fitted width of its core.
    width_sigma
        Relative error of the width before the photons were looked at.
    """

    psf: LobsterEyePsf
    width_sigma: float

    @classmethod
    def of(cls, calibration: PsfCalibration, core_fwhm_arcmin: float | None) -> SourcePsf:
        """Return the calibration's PSF with the width (arcmin) that was fitted; None: the calibration's.

        Raises
        ------
        InvalidInput
            A width that is not positive and finite.
        """
        psf = LobsterEyePsf.of(calibration)
        if core_fwhm_arcmin is None:
            return cls(psf, psf.width_sigma)
        if not 0.0 < core_fwhm_arcmin < np.inf:
            raise InvalidInput(f"PSF: fitted width of the core of {core_fwhm_arcmin} arcmin")
        return cls(psf.scaled(core_fwhm_arcmin / psf.core_fwhm_arcmin), psf.width_sigma)

    def fitted_width_sigma(self, regions: Regions, n_source: float, n_background: float) -> float:
        """Return the relative error of the width by the calibration and its fit to the photons, together.

        Parameters
        ----------
        regions
            Of this PSF.
        n_source, n_background
            Photons of each on the good pixels.
        """
        if self.width_sigma == 0.0:
            return 0.0
        information = self.width_sigma**-2 + self._information(regions, n_source, n_background)
        return float(information**-0.5)

    def fraction_sigma(self, regions: Regions, width_sigma: float) -> float:
        """Return the relative error of the effective fraction of regions, by that of the width."""
        narrow, wide = (
            regions_at(
                regions.x, regions.y, regions.radius, psf=self.psf.scaled(factor), exposure=regions.exposure
            ).effective_fraction
            for factor in (1.0 - WIDTH_STEP, 1.0 + WIDTH_STEP)
        )
        change = abs(wide - narrow) / (2.0 * WIDTH_STEP * regions.effective_fraction)
        return float(change * width_sigma)

    def _information(self, regions: Regions, n_source: float, n_background: float) -> float:
        """Fisher information of the photons on the logarithm of the width; the number of photons is free."""
        exposed = regions.exposure > 0.0
        weight = regions.exposure[exposed]
        narrow, image, wide = (
            weight * self.psf.scaled(factor).image(regions.x, regions.y)[exposed]
            for factor in (1.0 - WIDTH_STEP, 1.0, 1.0 + WIDTH_STEP)
        )
        slope = (wide / wide.sum() - narrow / narrow.sum()) / (2.0 * WIDTH_STEP)
        part = image / image.sum()
        mean = n_source * part + n_background * weight / weight.sum()
        mean = np.maximum(mean, 1e-12)
        shape, number = n_source * slope, n_source * part
        mixed = (shape * number / mean).sum()
        return float((shape**2 / mean).sum() - mixed**2 / (number**2 / mean).sum())
