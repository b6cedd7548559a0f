"""Position of a source with a PSF whose shape is known within errors only.

The optics may be rotated about the line of sight, and the core may be wider than calibrated, wider along one
axis, or steeper on one side. A wrong shape shifts the position, and more photons do not reduce this shift.
Position, ratio and shape are therefore fitted together; the calibrated errors of the shape are normal priors
of its parameters. The contribution of the shape to the position error is reported separately: it shrinks only
when the photons determine the shape.

A skew of the core moves the position nearly as a shift does, so that fitting a skew where there is none
nearly doubles the error of a bright source. The results are therefore averages of the fits with and without
skew, weighted with the posterior probabilities of both (Bayesian model averaging; Hoeting, Madigan, Raftery
and Volinsky 1999, Statist. Sci. 14, 382), whose ratio is computed by the Laplace approximation.

The maximum is found by Newton's method with the sum of products of the scores in place of the second
derivatives (Berndt, Hall, Hall and Hausman 1974, Ann. Econ. Soc. Meas. 3, 653). See section "Uncertain PSF"
of ``docs/explanation/localisation.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from mxtvhf.instrument.psf import CoreShape, LobsterEyePsf
from mxtvhf.localisation.counts import Counts
from mxtvhf.localisation.likelihood import SourceFit, limits
from mxtvhf.models.arrays import Floats

Flags = npt.NDArray[np.bool_]

_CELL = 8
"""Pixels per side of the cells over which the PSF is summed: a fifth of the core width."""
_MAX_STEPS = 12
_CONVERGED = 0.01
"""A step that promises less than this gain of ln L ends the climb."""
_FARTHEST = 4.0
"""Largest deviation of a shape parameter from its calibrated value, in standard errors."""
_SKEWS = slice(-2, None)
"""The skews among the parameters."""


@dataclass(frozen=True)
class ShapeFit:
    """Position of a source with a free shape of the PSF.

    Attributes
    ----------
    x, y
        Position, continuous 0-based pixels.
    source_fraction
        Fraction of the photons on good pixels that come from the source.
    shape
        Fitted shape of the PSF.
    extra_sigma
        Standard error per axis that the uncertain shape adds to the position in quadrature, pixels.
    gain
        Gain of ln L, with the priors, over the fit with a fixed shape.
    """

    x: float
    y: float
    source_fraction: float
    shape: CoreShape
    extra_sigma: float
    gain: float


def with_free_shape(counts: Counts, psf: LobsterEyePsf, fit: SourceFit, stretch: float) -> ShapeFit:
    """Return the fit of position, ratio and shape that starts from a fit with a fixed shape.

    Parameters
    ----------
    counts
        Photons with their weights relative to everything but the source.
    psf
        PSF with the calibrated shape and its errors.
    fit
        Maximum of the likelihood with a fixed shape.
    stretch
        Logarithm of the core width of that fixed shape relative to the width of ``psf``.
    """
    known = psf.shape_sigma
    even = np.concatenate([np.ones(3, bool), known > 0.0])
    free = even.copy()
    even[_SKEWS] = False
    start = replace(psf.shape, stretch=stretch).parameters
    begin = np.concatenate([[fit.x, fit.y, fit.log_ratio], start])
    best = _maximum(counts, psf, begin, even)
    at, gain, covariance = best.at, best.value - best.at_start, best.place_covariance
    if free[_SKEWS].any():
        skewed = _maximum(counts, psf, best.at, free)
        part = _probability_of_skew(psf, skewed, best.value)
        gain = max(gain, skewed.value - best.at_start)
        moved = skewed.at - best.at
        at = best.at + part * moved
        covariance = (1.0 - part) * covariance + part * skewed.place_covariance
        covariance += part * (1.0 - part) * np.outer(moved[:2], moved[:2])
    fixed = np.linalg.inv(best.curvature[:3, :3])[:2, :2]
    extra = 0.5 * float(np.trace(covariance - fixed))
    source_fraction = _log_likelihood(counts, psf, at)[2]
    shape = CoreShape(*at[3:].tolist())
    return ShapeFit(float(at[0]), float(at[1]), source_fraction, shape, float(np.sqrt(max(extra, 0.0))), gain)


class _Maximum(NamedTuple):
    at: Floats
    value: float
    """ln L with the priors."""
    curvature: Floats
    at_start: float
    """``value`` at the starting point."""

    @property
    def place_covariance(self) -> Floats:
        """Return the covariance matrix of x and y, marginalised over all other free parameters."""
        return np.asarray(np.linalg.inv(self.curvature)[:2, :2])


def _probability_of_skew(psf: LobsterEyePsf, skewed: _Maximum, value_without: float) -> float:
    """Return the probability of a skewed core from the maxima of ln L with and without skew."""
    sigma = psf.shape_sigma[_SKEWS]
    free = sigma > 0.0
    # The skews are the last of the free parameters.
    allowed = np.linalg.inv(skewed.curvature)[-int(free.sum()) :, -int(free.sum()) :]
    log_ratio = skewed.value - value_without + 0.5 * np.linalg.slogdet(allowed)[1] - np.log(sigma[free]).sum()
    return float(expit(log_ratio + logit(psf.skew_probability)))


def _maximum(counts: Counts, psf: LobsterEyePsf, at: Floats, free: Flags) -> _Maximum:
    """Return the maximum of ln L with the priors over the free parameters."""
    reach = _FARTHEST * psf.shape_sigma
    low, high = (
        np.concatenate([edge, psf.shape.parameters + sign * reach])
        for edge, sign in zip(limits(counts), (-1.0, 1.0), strict=True)
    )
    value, gradient, curvature = _scores(counts, psf, at, free)
    at_start = value
    for _ in range(_MAX_STEPS):
        step = np.zeros(at.size)
        step[free] = np.linalg.solve(curvature, gradient)
        if gradient @ step[free] < _CONVERGED:
            break
        for scale in 0.5 ** np.arange(8):
            trial = np.clip(at + scale * step, low, high)
            ahead = _scores(counts, psf, trial, free)
            if ahead[0] > value:
                break
        else:
            break
        at, (value, gradient, curvature) = trial, ahead
    return _Maximum(at, value, curvature, at_start)


def _scores(counts: Counts, psf: LobsterEyePsf, at: Floats, free: Flags) -> tuple[float, Floats, Floats]:
    """Return ln L with the priors, its gradient and the summed products of the scores.

    Gradient and products are with respect to the free parameters.
    """
    spread = np.where(psf.shape_sigma > 0.0, psf.shape_sigma, 1.0)
    value, scores, _ = _log_likelihood(counts, psf, at)
    scores = scores[free]
    gradient, curvature = scores @ counts.number, (scores * counts.number) @ scores.T
    deviation = (at[3:] - psf.shape.parameters) / spread
    value -= 0.5 * float(deviation[free[3:]] @ deviation[free[3:]])
    gradient[3:] -= (deviation / spread)[free[3:]]
    diagonal = curvature.reshape(-1)[:: len(curvature) + 1]
    diagonal[3:] += (1.0 / spread**2)[free[3:]]
    return value, gradient, curvature


def _log_likelihood(counts: Counts, psf: LobsterEyePsf, at: Floats) -> tuple[float, Floats, float]:
    """Return ln L, the derivatives of each photon's term by all parameters, and the source fraction."""
    shape, ratio = CoreShape(*at[3:].tolist()), np.exp(at[2])
    density, slopes = psf.density_with_slopes(counts.column - at[0], counts.row - at[1], shape)
    signal = ratio * density
    if counts.weights is not None:
        signal = signal * counts.weights
    cells = counts.cells(_CELL)
    centre = np.arange(cells.shape[0]) * _CELL + 0.5 * (_CELL - 1)
    density, mean_slopes = psf.density_with_slopes(centre - at[0], (centre - at[1])[:, np.newaxis], shape)
    seen = (cells * density).ravel()
    odds = ratio * seen.sum() / counts.area
    part = odds / (1.0 + odds)
    means = mean_slopes.reshape(len(mean_slopes), -1) @ seen / seen.sum()
    # The derivative by ln r stands third.
    scores = signal / (1.0 + signal) * np.insert(slopes, 2, 1.0, axis=0)
    scores -= part * np.insert(means, 2, 1.0)[:, np.newaxis]
    value = counts.number @ np.log1p(signal) - counts.total * np.log1p(odds)
    return float(value), scores, float(part)
