"""Posterior probability of the position of a source over the whole detector.

The prior is flat in position on the detector and flat in the source fraction f of the photons, 0..1. The
posterior is marginalised over f. Near the maximum it is evaluated on a fine grid, elsewhere on the
whole-field map of module ``likelihood``, so that a second possible position widens the error radius. The
derivation is in ``docs/explanation/localisation.md``, section "Posterior and error radii".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.interpolate import RectBivariateSpline
from scipy.special import log_ndtr

from mxtvhf.instrument.psf import SeparablePsf, detector_pixels
from mxtvhf.localisation.counts import Counts
from mxtvhf.localisation.likelihood import (
    CELL,
    SourceFit,
    cell_centres,
    log_prior_of_cells,
    positional_log_likelihood,
)
from mxtvhf.localisation.prior import PositionPrior
from mxtvhf.models.arrays import Floats

_HALF_WIDTH = 5.0
"""Half width of the fine grid, in standard errors."""
_GRID = 11
"""Points per axis of the fine grid. Between them the log posterior, which is nearly a parabola, is
interpolated by a spline."""
_SMOOTHED_GRID = 81
"""Points per axis of the grid on which the density is convolved."""
_RINGS, _SPOKES = 60, 32
_SPOKES_AT_EDGE = 288
"""Spokes where the edge of the detector cuts the rings: a strip of half a pixel beyond the peak must not fall
between two spokes."""
_MANY = 1500
"""Above this number of filled blocks, photons are grouped in blocks of up to 8 x 8 pixels. This bounds the
computing time, and the rounding is small compared with the statistical error of so many photons."""
_AT_ONCE = 40_000
"""Numbers per array in one evaluation: few enough for the cache of a processor."""
_NOTHING = 1e-30
"""Smallest density of the smoothed posterior, relative to its maximum."""


@dataclass(frozen=True, eq=False)
class PositionPosterior:
    """Probability density of the position, given that one source is on the detector.

    Attributes
    ----------
    peak
        Position of the highest likelihood, (x, y) in continuous 0-based pixels.
    reach
        Radius (pixels) of the disc about the peak in which ``near`` is used; ``far`` is used outside.
    near
        Logarithm of the density, not normalised, as a function of row and column relative to the peak.
    far
        Density at the cell centres, in the unit of ``near``, ``[row, column]``.
    """

    peak: tuple[float, float]
    reach: float
    near: RectBivariateSpline
    far: Floats

    def density(self, x: npt.ArrayLike, y: npt.ArrayLike) -> Floats:
        """Return the probability per square pixel; 0 outside the detector.

        Parameters
        ----------
        x, y
            Positions, continuous 0-based pixels; their shapes must broadcast.
        """
        x, y = np.broadcast_arrays(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64))
        density = self._relative(x.ravel(), y.ravel()) / self._total
        return np.where(_on_detector(x, y), density.reshape(x.shape), 0.0)

    def radii(self, parts: Sequence[float]) -> Floats:
        """Return the radii of the circles about the peak that hold given fractions of the probability.

        Parameters
        ----------
        parts
            Fractions of the probability, each between 0 and 1.

        Returns
        -------
        numpy.ndarray
            Radii, pixels, the shape of ``parts``.
        """
        radius = np.concatenate([self._rings[0], self._cells[0]])
        cumulative = np.cumsum(np.concatenate([self._rings[2].sum(axis=0), self._cells[2]]))
        return np.asarray(np.interp(np.asarray(parts) * cumulative[-1], cumulative, radius))

    def level(self, part: float) -> tuple[float, float]:
        """Return the lowest density in the smallest region that holds a fraction of the probability.

        Parameters
        ----------
        part
            Fraction of the probability, between 0 and 1.

        Returns
        -------
        density, area
            Lowest density in the region, per square pixel; area of the region, square pixels.
        """
        density = np.concatenate([self._rings[1].ravel(), self._cells[1]])
        weight = np.concatenate([self._rings[2].ravel(), self._cells[2]])
        order = np.argsort(-density)
        cumulative = np.cumsum(weight[order])
        last = int(np.searchsorted(cumulative, part * cumulative[-1]))
        inside = order[: last + 1]
        area = weight[inside] / np.maximum(density[inside], np.finfo(float).tiny)
        return float(density[order[last]] / self._total), float(area.sum())

    def smoothed(self, sigma_pixel: float) -> PositionPosterior:
        """Return the posterior convolved with a round Gaussian, such as a systematic error.

        Only the part near the peak is convolved: the cells of the far part are wider than a systematic error.

        Parameters
        ----------
        sigma_pixel
            Standard deviation of the Gaussian per axis, pixels.
        """
        reach = self.reach + _HALF_WIDTH * sigma_pixel
        offset: Floats = np.linspace(-reach, reach, _SMOOTHED_GRID)
        density = self._relative(self.peak[0] + offset, self.peak[1] + offset[:, np.newaxis])
        wider = ndimage.gaussian_filter(density, sigma_pixel / (offset[1] - offset[0]), truncate=8.0)
        log_density = np.log(np.maximum(wider, _NOTHING * wider.max()))
        return PositionPosterior(self.peak, reach, RectBivariateSpline(offset, offset, log_density), self.far)

    def _relative(self, x: Floats, y: Floats) -> Floats:
        """Return the density, not normalised and without the edge of the detector."""
        x, y = np.broadcast_arrays(x, y)
        dx, dy = x - self.peak[0], y - self.peak[1]
        near = np.hypot(dx, dy) <= self.reach
        beyond = (np.stack([y[~near], x[~near]]) - cell_centres()[0]) / CELL
        value: Floats = np.empty(x.shape)
        value[near] = np.exp(self.near.ev(dy[near], dx[near]))
        value[~near] = ndimage.map_coordinates(self.far, beyond, order=1, mode="nearest")
        return value

    @cached_property
    def _total(self) -> float:
        return float(self._rings[2].sum() + self._cells[2].sum())

    @cached_property
    def _rings(self) -> tuple[Floats, Floats, Floats]:
        """Return rings about the peak: outer radii, densities and probabilities of pieces [spoke, ring]."""
        width = self.reach / _RINGS
        radius: Floats = np.linspace(0.5 * width, self.reach - 0.5 * width, _RINGS)
        corners = self.reach * np.array([-1.0, 1.0])
        whole = _on_detector(self.peak[0] + corners, self.peak[1] + corners).all()
        spokes = _SPOKES if whole else _SPOKES_AT_EDGE
        angle = 2.0 * np.pi * (np.arange(spokes) + 0.5) / spokes
        dx, dy = np.multiply.outer(np.cos(angle), radius), np.multiply.outer(np.sin(angle), radius)
        inside = _on_detector(self.peak[0] + dx, self.peak[1] + dy)
        density = np.where(inside, np.exp(self.near.ev(dy, dx)), 0.0)
        return radius + 0.5 * width, density, 2.0 * np.pi * radius * width * density / spokes

    @cached_property
    def _cells(self) -> tuple[Floats, Floats, Floats]:
        """Return distance, density and probability of the cells beyond the near part, by distance."""
        centre = cell_centres()
        distance = np.hypot(centre - self.peak[0], (centre - self.peak[1])[:, np.newaxis])
        beyond = distance > self.reach
        order = np.argsort(distance[beyond])
        density = self.far[beyond][order]
        return distance[beyond][order], density, CELL**2 * density


def position_posterior(
    counts: Counts,
    psf: SeparablePsf,
    fit: SourceFit,
    field: tuple[Floats, Floats],
    prior: PositionPrior | None = None,
) -> PositionPosterior:
    """Return the posterior about a maximum of the likelihood.

    Parameters
    ----------
    counts
        Photons with their weights relative to everything but the source.
    psf
        PSF of the source.
    fit
        Maximum of the likelihood.
    field
        ln L and f from ``likelihood.whole_field``, ``[r, row, column]``.
    prior
        Prior of the position; None: flat.
    """
    reach = min(_HALF_WIDTH * max(fit.sigma), detector_pixels() / 2.0)
    offset = np.linspace(-reach, reach, _GRID)
    log_near = _log_marginal(counts, psf, fit, offset)
    log_likelihood, part = field
    if prior is not None:
        log_near = log_near + prior.log_ratio(fit.x + offset, fit.y + offset[:, np.newaxis])
        log_likelihood = log_likelihood + log_prior_of_cells(prior)
    near = RectBivariateSpline(offset, offset, log_near)
    at_fit = positional_log_likelihood(counts, psf, fit)
    # The integral over f as a sum over ln r: df = f (1 - f) d(ln r).
    far = (np.exp(log_likelihood - at_fit) * part * (1.0 - part)).sum(axis=0) * np.log(2.0)
    if reach < 2 * CELL:
        # For a sharp posterior the fine grid is more accurate than the cells about its peak.
        centre = cell_centres()
        far[np.hypot(centre - fit.x, (centre - fit.y)[:, np.newaxis]) < 2 * CELL] = 0.0
    return PositionPosterior((fit.x, fit.y), reach, near, np.asarray(far, dtype=np.float64))


def _on_detector(x: Floats, y: Floats) -> npt.NDArray[np.bool_]:
    edge = detector_pixels() / 2.0
    return np.asarray(np.maximum(np.abs(x + 0.5 - edge), np.abs(y + 0.5 - edge)) <= edge)


def _log_marginal(counts: Counts, psf: SeparablePsf, fit: SourceFit, step: Floats) -> Floats:
    """Return the log of the integral of L over f at ``fit`` + (step, step), relative to L at the fit.

    In terms of f the likelihood is the product of 1 + f e_i with the excess e_i = w_i p_i A / D - 1. It is
    log-concave in f; a parabola about the best f of each position, cut at 0 and 1, replaces its logarithm.
    The result has the shape (steps, steps), ``[row, column]``.
    """
    blocks = counts
    while blocks.number.size > _MANY and blocks.block < CELL:
        blocks = blocks.rebinned(2)
    column, row = blocks.fractions(psf, fit.x + step), blocks.fractions(psf, fit.y + step)
    scale = blocks.area / blocks.enclosed(row, column) / blocks.block**2
    column, row = column.take(blocks.column, axis=1), row.take(blocks.row, axis=1)
    part = min(max(fit.source_fraction, 1e-3), 1.0 - 1e-3)
    if blocks.weights is not None:
        column = column * blocks.weights
    out = np.empty((step.size, step.size))
    together = max(1, _AT_ONCE // column.size)
    for k in range(0, step.size, together):
        some = slice(k, k + together)
        excess = scale[some, :, np.newaxis] * (row[some, np.newaxis] * column) - 1.0
        out[some] = _integral_over_part(excess, blocks.number, part)
    middle = step.size // 2
    at_fit = scale[middle, middle] * row[middle] * column[middle] - 1.0
    return np.asarray(out - blocks.number @ np.log1p(fit.source_fraction * at_fit))


def _integral_over_part(excess: Floats, number: Floats, part: float) -> Floats:
    """Return the log of the integral over f = 0..1 of prod (1 + f excess)^number, along the last axis.

    One Newton step from ``part`` gives the best f of each position, where the parabola is taken.
    """
    ratio = excess / (1.0 + part * excess)
    best = np.clip(part + (ratio @ number) / (ratio**2 @ number), 1e-3, 1.0 - 1e-3)[..., np.newaxis]
    total = 1.0 + best * excess
    ratio = excess / total
    slope, curvature = ratio @ number, ratio**2 @ number
    sigma = 1.0 / np.sqrt(curvature)
    peak = best[..., 0] + slope / curvature
    first, last = -peak / sigma, (1.0 - peak) / sigma
    # For a peak below 0 the interval is mirrored: the difference of two values near 1 would lose digits.
    first, last = np.where(first > 0.0, -last, first), np.where(first > 0.0, -first, last)
    low, high = log_ndtr(first), log_ndtr(last)
    inside = high + np.log1p(-np.exp(low - high))
    area = 0.5 * slope**2 / curvature + np.log(sigma * np.sqrt(2.0 * np.pi)) + inside
    return np.asarray(np.log(total) @ number + area)
