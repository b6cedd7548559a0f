"""Posterior probability of a source's position, and the circles that hold a given part of it.

The prior is flat in position over the detector and flat in the source's part f of the photons, 0..1. Near
the maximum the posterior is evaluated on a fine grid, elsewhere on the whole-field map of ``likelihood``,
so that a second possible source widens the circle instead of being overlooked.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.interpolate import RectBivariateSpline
from scipy.special import log_ndtr

from mxtvhf.likelihood import CELL, Counts, SourceFit, cell_centres
from mxtvhf.psf import Floats, SeparablePsf, detector_pixels

_HALF_WIDTH = 5.0
"""Of the fine grid, in standard errors."""
_GRID = 11
"""Points per axis of the fine grid; between them the log-posterior, nearly a parabola, is a spline."""
_RINGS, _SPOKES = 60, 32
_MANY = 1500
"""More filled pixels than this are joined to blocks, of at most 8 x 8: it bounds the cost, and the blocks'
noise is small against the statistics of so many photons."""


def radii(
    counts: Counts,
    psf: SeparablePsf,
    fit: SourceFit,
    field: tuple[Floats, Floats],
    parts: Sequence[float],
) -> Floats:
    """Radii (pixels) of the circles about the fitted position that hold the given parts of the posterior.

    Parameters
    ----------
    counts, psf, fit
        The photons, the PSF and the maximum of the likelihood about which the circles are drawn.
    field
        ln L and f from ``likelihood.whole_field``.
    parts
        Probabilities, each between 0 and 1.
    """
    reach = _HALF_WIDTH * max(fit.sigma)
    reach = min(reach, detector_pixels() / 2.0)
    near_radius, near_weight = _near(counts, psf, fit, reach)
    far_radius, far_weight = _far(fit, field, reach)
    radius = np.concatenate([near_radius, far_radius])
    cumulative = np.cumsum(np.concatenate([near_weight, far_weight]))
    return np.asarray(np.interp(np.asarray(parts) * cumulative[-1], cumulative, radius))


def _near(counts: Counts, psf: SeparablePsf, fit: SourceFit, reach: float) -> tuple[Floats, Floats]:
    """Outer radius and probability (relative to the maximum) of rings about the maximum."""
    step = np.linspace(-reach, reach, _GRID)
    spline = RectBivariateSpline(step, step, _log_marginal(counts, psf, fit, step))
    width = reach / _RINGS
    radius: Floats = np.linspace(0.5 * width, reach - 0.5 * width, _RINGS)
    angle = 2.0 * np.pi * (np.arange(_SPOKES) + 0.5) / _SPOKES
    dx, dy = np.multiply.outer(np.cos(angle), radius), np.multiply.outer(np.sin(angle), radius)
    edge = detector_pixels() / 2.0
    inside = np.maximum(np.abs(fit.x + dx + 0.5 - edge), np.abs(fit.y + dy + 0.5 - edge)) <= edge
    density = np.where(inside, np.exp(spline.ev(dy, dx)), 0.0).mean(axis=0)
    return radius + 0.5 * width, 2.0 * np.pi * radius * width * density


def _log_marginal(counts: Counts, psf: SeparablePsf, fit: SourceFit, step: Floats) -> Floats:
    """Return ln of the integral of L over f at ``fit`` + (step, step), relative to L at the fit.

    Shape (steps, steps), [row, column]. L is log-concave in f, so a parabola about the best f of each
    position, cut at 0 and 1, serves as its logarithm.
    """
    blocks = counts
    while blocks.number.size > _MANY and blocks.block < CELL:
        blocks = blocks.rebinned(2)
    column, row = blocks.fractions(psf, fit.x + step), blocks.fractions(psf, fit.y + step)
    scale = blocks.area / blocks.seen(row, column) / blocks.block**2
    column, row = column[:, blocks.column], row[:, blocks.row]
    part = min(max(fit.source_part, 1e-3), 1.0 - 1e-3)
    out = np.empty((step.size, step.size))
    for k in range(step.size):
        excess = scale[k, :, np.newaxis] * (row[k] * column) - 1.0
        out[k] = _integral_over_part(excess, blocks.number, part)
    middle = step.size // 2
    at_fit = scale[middle, middle] * row[middle] * column[middle] - 1.0
    return np.asarray(out - blocks.number @ np.log1p(fit.source_part * at_fit))


def _integral_over_part(excess: Floats, number: Floats, part: float) -> Floats:
    """Return ln of the integral over f = 0..1 of prod (1 + f excess)^number, along the last axis.

    One Newton step from ``part`` brings f to the best of each position; there the parabola is taken.
    """
    ratio = excess / (1.0 + part * excess)
    best = np.clip(part + (ratio @ number) / (ratio**2 @ number), 1e-3, 1.0 - 1e-3)[:, np.newaxis]
    total = 1.0 + best * excess
    ratio = excess / total
    slope, curvature = ratio @ number, ratio**2 @ number
    sigma = 1.0 / np.sqrt(curvature)
    peak = best[:, 0] + slope / curvature
    low, high = log_ndtr(-peak / sigma), log_ndtr((1.0 - peak) / sigma)
    inside = high + np.log1p(-np.exp(low - high))
    area = 0.5 * slope**2 / curvature + np.log(sigma * np.sqrt(2.0 * np.pi)) + inside
    return np.asarray(np.log(total) @ number + area)


def _far(fit: SourceFit, field: tuple[Floats, Floats], reach: float) -> tuple[Floats, Floats]:
    """Distance and probability (relative to the maximum) of the cells beyond ``reach``, by distance."""
    log_likelihood, part = field
    density = (np.exp(log_likelihood - fit.log_likelihood) * part * (1.0 - part)).sum(axis=0) * np.log(2.0)
    centre = cell_centres()
    distance = np.hypot(centre - fit.x, (centre - fit.y)[:, np.newaxis])
    # Of a sharp posterior the cell in which it lies says less than the fine grid.
    beyond = distance > max(reach, CELL)
    order = np.argsort(distance[beyond])
    return distance[beyond][order], CELL**2 * density[beyond][order]
