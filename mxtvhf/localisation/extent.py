"""Sources that are wider than the image of a point source.

The core of the PSF has a width that is not known exactly, so that a wide source is one with a wide core first
of all. Beyond what is known of it, a Gaussian brightness is tried: an extended source, or several that lie
too close to be told apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize_scalar

from mxtvhf.instrument.constants import pixel_scale_arcsec
from mxtvhf.instrument.psf import ExtendedPsf, SeparablePsf, VariableWidthPsf
from mxtvhf.localisation.constants import detection_constants
from mxtvhf.localisation.counts import Counts
from mxtvhf.localisation.likelihood import SourceFit, best_log_likelihood
from mxtvhf.models.arrays import Floats

_WIDTHS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
"""Wider cores that are tried, in standard errors of the core's width."""
_SIGMAS_ARCMIN = (2.0, 3.0, 4.0, 5.5, 7.5, 10.0)
"""Of the Gaussian brightness; from one to the next the image becomes wider by a fifth or less."""


@dataclass(frozen=True)
class WiderFits:
    """How well wider images explain the photons of a source.

    Attributes
    ----------
    point
        Highest ln L of a point source, the prior of the core's width included.
    best
        Highest ln L of a core of any width, or of an extended source.
    extended
        The image of the best extended source.
    log_likelihood
        Its ln L.
    """

    point: float
    best: float
    extended: ExtendedPsf
    log_likelihood: float

    @property
    def is_extended(self) -> bool:
        """Whether an extended source explains the photons well enough better than a point source."""
        return 2.0 * (self.log_likelihood - self.point) >= detection_constants().further.ts_extended


def wider_fits(counts: Counts, psf: SeparablePsf, fit: SourceFit) -> WiderFits:
    """Fit wider images at the place of a source.

    Parameters
    ----------
    counts
        The photons, with their weights over everything but the source.
    psf
        Of a point source, as it is known.
    fit
        The source with the width that was fitted.
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
    # The photons of a bright source tell the width more finely than the widths that were tried.
    if found.is_extended and isinstance(psf, VariableWidthPsf) and likely.size > 1:
        point = max(found.point, _best_core(counts, psf, fit, int(likely.argmax())))
        found = replace(found, point=point, best=max(best, point))
    return found


def _best_core(counts: Counts, psf: VariableWidthPsf, fit: SourceFit, near: int) -> float:
    """Return the highest ln L, prior included, of a core with a width about one of those that were tried."""

    def loss(k: float) -> float:
        core = psf.scaled(float(np.exp(k * psf.width_sigma)))
        return 0.5 * k**2 - best_log_likelihood(counts, core, fit)

    bounds = (_WIDTHS[max(near - 1, 0)], _WIDTHS[min(near + 1, len(_WIDTHS) - 1)])
    return -float(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 0.02}).fun)


def _climb(counts: Counts, images: Sequence[SeparablePsf], fit: SourceFit) -> Floats:
    """Return ln L of images from narrow to wide, up to the first that is worse than the one before."""
    values: list[float] = []
    for image in images:
        values.append(best_log_likelihood(counts, image, fit))
        if len(values) > 1 and values[-1] < values[-2]:
            break
    return np.array(values)
