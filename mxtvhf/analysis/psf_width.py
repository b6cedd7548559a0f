"""How well the width of the PSF's core is known, and what that means for rates and fluxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mxtvhf.analysis.constants import analysis_constants
from mxtvhf.analysis.regions import Regions, regions_at
from mxtvhf.errors import InvalidInput
from mxtvhf.instrument.calibration import PsfCalibration
from mxtvhf.instrument.pixels import ExposureMap
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
        Relative error of the width.
    """

    psf: LobsterEyePsf
    width_sigma: float

    @classmethod
    def of(
        cls,
        calibration: PsfCalibration,
        core_fwhm_arcmin: float | None,
        x: float,
        y: float,
        *,
        n_source: float,
        n_background: float,
        exposure: ExposureMap,
    ) -> SourcePsf:
        """Return the PSF with the width that the photons tell.

        The localisation's width is the most probable one by the photons and the calibration together. It is
        what both say, weighted by the inverse squares of their errors, that of the photons by their Fisher
        information. Here the calibration has the larger one of its own error and that of ``analysis.toml``.

        Parameters
        ----------
        calibration
            Of the PSF.
        core_fwhm_arcmin
            Width that the localisation fitted, arcmin; None: that of the calibration, without a fit.
        x, y
            Place of the source, continuous 0-based drift-corrected pixels.
        n_source, n_background
            Photons of each on the good pixels.
        exposure
            The exposure map.

        Raises
        ------
        InvalidInput
            A width that is not positive and finite.
        """
        psf = LobsterEyePsf.of(calibration)
        known = psf.width_sigma
        if core_fwhm_arcmin is None:
            return cls(psf, known)
        if not 0.0 < core_fwhm_arcmin < np.inf:
            raise InvalidInput(f"PSF: fitted width of the core of {core_fwhm_arcmin} arcmin")
        stretch = core_fwhm_arcmin / psf.core_fwhm_arcmin
        if known == 0.0:
            return cls(psf.scaled(stretch), 0.0)
        here = max(known, analysis_constants().width.least_sigma)
        told = _information(psf.scaled(stretch), x, y, n_source, n_background, exposure)
        wider = (told + known**-2) / (told + here**-2)
        return cls(psf.scaled(stretch**wider), float((told + here**-2) ** -0.5))

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


def _information(
    psf: LobsterEyePsf, x: float, y: float, n_source: float, n_background: float, exposure: ExposureMap
) -> float:
    """Fisher information of the photons on the logarithm of the width; the number of photons is free."""
    exposed = exposure > 0.0
    weight = exposure[exposed]
    narrow, image, wide = (
        weight * psf.scaled(factor).image(x, y)[exposed]
        for factor in (1.0 - WIDTH_STEP, 1.0, 1.0 + WIDTH_STEP)
    )
    slope = (wide / wide.sum() - narrow / narrow.sum()) / (2.0 * WIDTH_STEP)
    part = image / image.sum()
    mean = n_source * part + n_background * weight / weight.sum()
    mean = np.maximum(mean, 1e-12)
    shape, number = n_source * slope, n_source * part
    mixed = (shape * number / mean).sum()
    return float((shape**2 / mean).sum() - mixed**2 / (number**2 / mean).sum())
