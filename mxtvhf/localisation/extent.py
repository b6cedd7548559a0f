"""Test whether a source is wider than the PSF.

The width of the PSF core is known within an error, so a wide image is first explained by a wider core, and
that of a bright source also by another shape of the PSF. Beyond that, a Gaussian brightness is tried: an
extended source, or several unresolved sources.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize_scalar

from mxtvhf.instrument.constants import pixel_scale_arcsec
from mxtvhf.instrument.psf import ExtendedPsf, LobsterEyePsf, SeparablePsf, VariableWidthPsf
from mxtvhf.localisation.constants import detection_constants
from mxtvhf.localisation.counts import Counts
from mxtvhf.localisation.likelihood import SourceFit, best_log_likelihood, maximise
from mxtvhf.localisation.shape import with_free_shape
from mxtvhf.models.arrays import Floats

_WIDTHS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
"""Core widths that are tried, in standard errors above the calibrated width."""
_SIGMAS_ARCMIN = (2.0, 3.0, 4.0, 5.5, 7.5, 10.0)
"""Standard deviations of the Gaussian brightness; each step widens the image by a fifth or less."""


@dataclass(frozen=True)
class WiderFits:
    """Maxima of ln L of wider images at the position of a source.

    Attributes
    ----------
    point
        Highest ln L of a point source, including the prior of the core width.
    best
        Highest ln L of a core of any width or of an extended source, without prior.
    extended
        Image of the best extended source.
    log_likelihood
        ln L of ``extended``.
    any_shape
        Highest ln L of a bright point source seen through a PSF of any shape, including the priors of the
        shape; minus infinity if it was not computed.
    """

    point: float
    best: float
    extended: ExtendedPsf
    log_likelihood: float
    any_shape: float = -np.inf

    @property
    def is_extended(self) -> bool:
        """Return whether an extended source explains the photons significantly better than a point source.

        It must also explain them better than a point source seen through a PSF of another shape.
        """
        gained = 2.0 * (self.log_likelihood - self.point)
        return gained >= detection_constants().further.ts_extended and self.log_likelihood > self.any_shape


def wider_fits(counts: Counts, psf: SeparablePsf, fit: SourceFit) -> WiderFits:
    """Fit wider images at the position of a source.

    Parameters
    ----------
    counts
        Photons with their weights relative to everything but the source.
    psf
        Calibrated PSF of a point source.
    fit
        Position and ratio of the source.
    """
    cores: list[SeparablePsf] = [psf]
    if isinstance(psf, VariableWidthPsf) and psf.width_sigma > 0.0:
        cores = [psf.scaled(float(np.exp(k * psf.width_sigma))) for k in _WIDTHS]
    gaussians = [ExtendedPsf(psf, 60.0 * arcmin / pixel_scale_arcsec()) for arcmin in _SIGMAS_ARCMIN]
    of_cores, of_gaussians = _climb(counts, cores, fit), _climb(counts, gaussians, fit)
    likely = of_cores - 0.5 * np.square(_WIDTHS[: of_cores.size])
    highest = int(of_gaussians.argmax())
    best = float(max(of_cores.max(), of_gaussians.max()))
    found = WiderFits(float(likely.max()), best, gaussians[highest], float(of_gaussians[highest]))
    # A bright source determines the width more precisely than the steps above.
    if found.is_extended and isinstance(psf, VariableWidthPsf) and likely.size > 1:
        point = max(found.point, _best_core(counts, psf, fit, int(likely.argmax())))
        found = replace(found, point=point, best=max(best, point))
    # Rotated arms, too, make the image of a bright source wider.
    bright = fit.source_fraction * counts.total >= detection_constants().further.bright
    if found.is_extended and bright and isinstance(psf, LobsterEyePsf):
        found = replace(found, any_shape=_best_shape(counts, psf, fit, _WIDTHS[int(likely.argmax())]))
    return found


def _best_core(counts: Counts, psf: VariableWidthPsf, fit: SourceFit, near: int) -> float:
    """Return the highest ln L, including the prior, of a core with a width near one of those tried."""

    def loss(k: float) -> float:
        core = psf.scaled(float(np.exp(k * psf.width_sigma)))
        return 0.5 * k**2 - best_log_likelihood(counts, core, fit)

    bounds = (_WIDTHS[max(near - 1, 0)], _WIDTHS[min(near + 1, len(_WIDTHS) - 1)])
    return -float(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 0.02}).fun)


def _best_shape(counts: Counts, psf: LobsterEyePsf, fit: SourceFit, k: float) -> float:
    """Return the highest ln L, including the priors, of a PSF of any shape near a width that was tried."""
    stretch = k * psf.width_sigma
    start = maximise(counts, psf.scaled(float(np.exp(stretch))), (fit.x, fit.y, fit.log_ratio))
    return start.log_likelihood - 0.5 * k**2 + with_free_shape(counts, psf, start, stretch).gain


def _climb(counts: Counts, images: Sequence[SeparablePsf], fit: SourceFit) -> Floats:
    """Return ln L of images of increasing width, up to the first decrease."""
    values: list[float] = []
    for image in images:
        values.append(best_log_likelihood(counts, image, fit))
        if len(values) > 1 and values[-1] < values[-2]:
            break
    return np.array(values)
