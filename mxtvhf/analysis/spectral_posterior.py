"""Posterior of an absorbed power law on a grid of photon index and column.

For each index and column the best amplitude and background are found (`analysis.cstat`); the amplitude has a
gamma distribution about this value, with the curvature of the likelihood there. The priors are uniform in the
logarithm of the amplitude, that of `analysis.column_prior` for the column, and a wide normal distribution for
the index. Fluxes are mixtures over the grid, so their intervals include the uncertainty of index and column.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from mxtvhf.analysis.column_prior import column_of, coordinate_limits, prior_density
from mxtvhf.analysis.constants import analysis_constants
from mxtvhf.analysis.cstat import BestFits, SpectralData
from mxtvhf.analysis.model import Measurement
from mxtvhf.models.arrays import Floats

Folding = Callable[[Floats, Floats], Floats]
"""Function from photon indices and columns (1/cm2) to counts/s for unit norm, shape (indices, columns,
bins)."""

_CONTENT = float(ndtr(1.0) - ndtr(-1.0))
"""Probability within an interval of one standard deviation on each side, 68 %."""
_KEPT = np.log(1e4)
"""Log ratio of the maximum density to that at the edges of the grid."""
_NODES_KEPT = 25
"""Smallest number of nodes spanned by a finer grid, along the ridge of index and column."""
_FILLED = 0.4
"""A grid is the last one if the next one would cover more than this fraction of it."""
_CUT = 0.05
"""Ratio of the density at a limit to the maximum density above which the limit truncates the posterior."""
_ROUNDS = 8
_STEPS = 241
"""Number of points of a distribution function, over five standard deviations on each side."""


@dataclass(frozen=True, eq=False)
class SpectralPosterior:
    """Posterior on its last grid.

    Attributes
    ----------
    index
        Photon indices, shape (I,).
    coordinate
        u of the columns (see `analysis.column_prior`), shape (J,).
    fits
        Best amplitude and background for each node, shape (I, J).
    probability
        Probability of each node, with the sum 1, shape (I, J).
    information
        Inverse variance of the logarithm of the amplitude, including the error of the effective fraction,
        shape (I, J).
    column_width
        Half width of the 68 % interval of u without the prior of the Galactic column.
    """

    index: Floats
    coordinate: Floats
    fits: BestFits
    probability: Floats
    information: Floats
    column_width: float

    @property
    def column(self) -> Floats:
        """Hydrogen column at each node of the grid, 1/cm2."""
        return column_of(self.coordinate)

    @property
    def best(self) -> tuple[int, int]:
        """Node with the highest probability."""
        i, j = np.unravel_index(int(self.probability.argmax()), self.probability.shape)
        return int(i), int(j)

    @property
    def is_cut(self) -> bool:
        """True if the limits truncate the posterior of the photon index."""
        density, limits = self.probability.sum(axis=1), analysis_constants().spectrum.photon_index_limits
        ends = [density[k] for k, limit in zip((0, -1), limits, strict=True) if self.index[k] == limit]
        return bool(max(ends, default=0.0) > _CUT * density.max())

    def index_measured(self, content: float = _CONTENT) -> Measurement:
        """Return median and central interval of the photon index.

        Parameters
        ----------
        content
            Probability within the interval.
        """
        return _measurement(*_quantiles(self.index, self.probability.sum(axis=1), content))

    def column_measured(self, unit: float, content: float = _CONTENT) -> Measurement:
        """Return median and central interval of the column.

        Parameters
        ----------
        unit
            Unit of the result, 1/cm2.
        content
            Probability within the interval.
        """
        quantiles = _quantiles(self.coordinate, self.probability.sum(axis=0), content)
        return _measurement(*(column_of(quantiles) / unit))

    def amplitude_measured(self, log_factor: Floats, content: float = _CONTENT) -> Measurement:
        """Return median and shortest interval of the logarithm of a quantity that scales with the norm.

        Parameters
        ----------
        log_factor
            Logarithm of the quantity for unit norm, broadcast to shape (I, J).
        content
            Probability within the interval.
        """
        value, distribution = self._amplitude_distribution(log_factor)
        low, high = _shortest(value, distribution, content)
        median = np.interp(0.5, distribution, value)
        return _measurement(*np.exp([low, median, high]))

    def _amplitude_distribution(self, log_factor: Floats) -> tuple[Floats, Floats]:
        """Return values of the logarithm of the quantity, and the cumulative probability."""
        weight = self.probability.ravel()
        kept = weight > 1e-6 * weight.max()
        weight = weight[kept] / weight[kept].sum()
        middle = (np.log(self.fits.amplitude) + log_factor).ravel()[kept]
        information = np.maximum(self.information.ravel()[kept], 1.0)
        shape = information + 0.5
        mean = float(weight @ middle)
        sigma = float(np.sqrt(weight @ ((middle - mean) ** 2 + 1.0 / information)))
        value = mean + sigma * np.linspace(-5.0, 5.0, _STEPS)
        # Wilson & Hilferty 1931, PNAS 17, 684: the cube root of a gamma variate is approximately normal.
        root = np.exp(np.minimum((value[:, np.newaxis] - middle) / 3.0, 10.0)) * np.cbrt(information / shape)
        normal = 3.0 * np.sqrt(shape) * (root - 1.0 + 1.0 / (9.0 * shape))
        return value, ndtr(normal) @ weight


def spectral_posterior(
    data: SpectralData, folding: Folding, galactic_cm2: float | None, scale_sigma: float
) -> SpectralPosterior:
    """Evaluate the posterior on successively finer grids until it fills one.

    Parameters
    ----------
    data
        Spectral data with at least one count.
    folding
        Function from parameters to counts.
    galactic_cm2
        Galactic column, 1/cm2; None if unknown.
    scale_sigma
        Relative error of the effective fraction.
    """
    rules = analysis_constants().spectrum
    limits, u_limits = rules.photon_index_limits, coordinate_limits()
    points, (typical, sigma) = rules.grid_points, rules.photon_index_prior
    for _ in range(_ROUNDS):
        index, u = np.linspace(*limits, points), np.linspace(*u_limits, points)
        fits = data.best(folding(index, column_of(u)))
        log_likelihood = -0.5 * (fits.statistic + np.log(fits.information))
        log_likelihood -= 0.5 * ((index - typical) / sigma)[:, np.newaxis] ** 2
        log_density = log_likelihood + np.log(prior_density(u, galactic_cm2))
        below = log_density.max() - log_density
        kept = below <= max(_KEPT, np.sort(below, axis=None)[_NODES_KEPT])
        finer = _span(index, kept.any(axis=1)), _span(u, kept.any(axis=0))
        if np.prod(np.ptp(finer, axis=1)) > _FILLED * np.ptp(index) * np.ptp(u):
            break
        limits, u_limits = finer
    probability = np.exp(-below)
    alone = np.exp(log_likelihood - log_likelihood.max()).sum(axis=0)
    low, _, high = _quantiles(u, alone)
    return SpectralPosterior(
        index=index,
        coordinate=u,
        fits=fits,
        probability=probability / probability.sum(),
        information=1.0 / (1.0 / fits.information + scale_sigma**2),
        column_width=0.5 * float(high - low),
    )


def _span(nodes: Floats, kept: Floats) -> tuple[float, float]:
    """Return the range of the kept nodes, extended by one on each side."""
    found = np.flatnonzero(kept)
    return float(nodes[max(found[0] - 1, 0)]), float(nodes[min(found[-1] + 1, nodes.size - 1)])


def _quantiles(value: Floats, density: Floats, content: float = _CONTENT) -> Floats:
    """Return lower end of the central interval, median and upper end of a sampled density."""
    steps = 0.5 * (density[1:] + density[:-1]) * np.diff(value)
    cumulative = np.concatenate([[0.0], np.cumsum(steps)])
    ends = 0.5 + 0.5 * content * np.array([-1.0, 0.0, 1.0])
    return np.asarray(np.interp(ends * cumulative[-1], cumulative, value))


def _shortest(value: Floats, distribution: Floats, content: float) -> tuple[float, float]:
    """Return the shortest interval with the probability ``content`` of a distribution function."""
    start = np.linspace(distribution[0], distribution[-1] - content, 8 * _STEPS)
    low, high = (np.interp(start + add, distribution, value) for add in (0.0, content))
    shortest = int(np.argmin(high - low))
    return float(low[shortest]), float(high[shortest])


def _measurement(low: float, median: float, high: float) -> Measurement:
    return Measurement(value=float(median), error_low=float(median - low), error_high=float(high - median))
