"""Likelihood of a spectrum whose background region also contains source photons.

In bin k, of background piece p, the two regions (see `analysis.regions`) contain Poisson numbers with the
means

    T f_s a m_k + A_s b_p s_k + o_sk,      T f_b a m_k + A_b b_p s_k + o_bk,

where m is the source spectrum folded through the response, per second, a its amplitude, s the smooth
background spectrum (see `analysis.background_spectrum`) and b its level per pixel, which is free in each
piece; o are the known counts of other sources (see `analysis.other_sources`). For given m the best a and b
are found jointly by Newton's method, since the likelihood is concave in them. The W statistic of XSPEC is the
special case of one piece per channel, and is biased if many channels have no background photons (XSPEC
manual, appendix B).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.special import pdtr, xlogy

from mxtvhf.analysis.regions import Regions
from mxtvhf.models.arrays import Floats

Counts = npt.NDArray[np.int64]
_ITERATIONS = 8
"""Number of Newton steps; the statistic is then exact to 1e-5 near its minimum."""
_SHRINK, _GROW = 0.1, 8.0
"""Bounds of a step as factors, which keep amplitude and levels positive."""
_LEAST = 1e-30
"""Smallest mean of a bin, which keeps logarithms and quotients finite."""
_MANY = 60.0
"""Mean above which the large-number moments of the C statistic are used."""


@dataclass(frozen=True, eq=False)
class BestFits:
    """Best amplitudes and background levels for a set of spectra.

    Attributes
    ----------
    amplitude
        Factor of the spectrum.
    levels
        Background level of each piece, along an additional last axis.
    statistic
        C statistic (Cash 1979, ApJ 228, 939), 2 sum(m - n + n ln(n / m)).
    information
        Inverse variance of the logarithm of the amplitude with free levels.
    """

    amplitude: Floats
    levels: Floats
    statistic: Floats
    information: Floats


@dataclass(frozen=True, eq=False)
class SpectralData:
    """Counts to be fitted.

    Attributes
    ----------
    counts
        Photons of the source and the background region per bin, shape (2, bins).
    shape
        Smooth spectrum of the background per bin, in any unit, positive.
    pieces
        First bin of each background piece; the first is 0.
    regions
        Source and background region.
    exposure
        Good time, s.
    others
        Expected photons of other sources, shape (2, bins).
    """

    counts: Counts
    shape: Floats
    pieces: npt.NDArray[np.intp]
    regions: Regions
    exposure: float
    others: Floats | float = 0.0

    @cached_property
    def _bins(self) -> npt.NDArray[np.intp]:
        """Number of bins of each piece."""
        return np.diff([*self.pieces, self.counts.shape[1]])

    @cached_property
    def _others_sum(self) -> float:
        return float(np.broadcast_to(self.others, self.counts.shape).sum())

    @cached_property
    def _members(self) -> Floats:
        """Membership (0 or 1) of the bins of both regions in the pieces, shape (2 bins, pieces)."""
        return np.tile(np.repeat(np.eye(self.pieces.size), self._bins, axis=0), (2, 1))

    @cached_property
    def _background(self) -> Floats:
        """Background photons for unit levels, shape (2, bins)."""
        return np.outer(self.regions.areas, self.shape)

    def source_means(self, folded: Floats) -> Floats:
        """Return the expected source photons in both regions, shape (..., 2, bins).

        Parameters
        ----------
        folded
            Count rates per bin on the whole detector, counts/s, shape (..., bins).
        """
        fractions = np.array([self.regions.source_fraction, self.regions.background_fraction])
        return np.asarray((fractions * self.exposure)[:, np.newaxis] * folded[..., np.newaxis, :])

    def means(self, folded: Floats, fits: BestFits) -> Floats:
        """Return the expected photons of the best fits, shape (..., 2, bins).

        Parameters
        ----------
        folded
            Count rates per bin for an amplitude of 1, counts/s, shape (..., bins).
        fits
            Best fits for these rates, from `best`.
        """
        source = fits.amplitude[..., np.newaxis, np.newaxis] * self.source_means(folded)
        levels = np.repeat(fits.levels, self._bins, axis=-1)[..., np.newaxis, :]
        return np.maximum(source + levels * self._background + self.others, _LEAST)

    def best(self, folded: Floats) -> BestFits:
        """Find the best amplitudes and background levels for spectra.

        Parameters
        ----------
        folded
            Counts/s on the whole detector for an amplitude of 1, positive somewhere, shape (..., bins).
        """
        source, background = self.source_means(folded), self._background
        source_sum, level_sum = source.sum(axis=(-2, -1)), self._pieces_of(background.sum(axis=0))
        # Bins without photons only contribute to these sums.
        some = self.counts.ravel() > 0
        counts = self.counts.ravel()[some].astype(np.float64)
        source = source.reshape(*source_sum.shape, -1)[..., some]
        by_piece = self._members[some] * background.ravel()[some, np.newaxis]
        by_piece_squared = by_piece**2
        others = np.broadcast_to(self.others, self.counts.shape).ravel()[some]

        # Arrays of all spectra and bins are some megabytes, so operations in place take half the time.
        def _expected(amplitude: Floats, levels: Floats) -> Floats:
            means = np.asarray(levels @ by_piece.T)
            means += amplitude[..., np.newaxis] * source
            means += others
            return np.maximum(means, _LEAST, out=means)

        # Start with half of the photons each; the result does not depend on the start.
        amplitude = (0.5 * counts.sum() + 1.0) / source_sum
        level = (0.5 * self._pieces_of(self.counts.sum(axis=0)) + 0.5) / level_sum
        levels = np.broadcast_to(level, (*amplitude.shape, level.size))
        information = np.zeros_like(amplitude)
        for _ in range(_ITERATIONS):
            means = _expected(amplitude, levels)
            ratio = counts / means
            weighted = np.divide(ratio, means, out=means)
            slope = np.vecdot(ratio, source) - source_sum
            slopes = ratio @ by_piece - level_sum
            by_amplitude = np.multiply(weighted, source, out=ratio)
            bend = np.vecdot(by_amplitude, source)
            mixed = by_amplitude @ by_piece
            bends = weighted @ by_piece_squared + 1e-12 * level_sum**2
            # The levels are not coupled: the matrix is diagonal except for one full row and column.
            curvature = np.maximum(bend - (mixed**2 / bends).sum(axis=-1), 1e-3 * bend + _LEAST)
            step = (slope - (mixed * slopes / bends).sum(axis=-1)) / curvature
            steps = (slopes - mixed * step[..., np.newaxis]) / bends
            # Evaluated at the amplitude before the last step, which is equal within the convergence.
            information = curvature * amplitude**2
            amplitude = np.clip(amplitude + step, _SHRINK * amplitude, _GROW * amplitude)
            levels = np.clip(levels + steps, _SHRINK * levels, _GROW * levels)
        means = _expected(amplitude, levels)
        total = amplitude * source_sum + levels @ level_sum + self._others_sum - counts.sum()
        log_ratio = np.log(np.divide(counts, means, out=means), out=means)
        statistic = 2.0 * (total + log_ratio @ counts)
        return BestFits(amplitude, levels, statistic, information)

    def _pieces_of(self, values: Floats) -> Floats:
        """Sum over the bins of each piece along the last axis."""
        return np.asarray(np.add.reduceat(values, self.pieces, axis=-1))


def expected_statistic(means: Floats, fitted: int = 0) -> tuple[float, float]:
    """Return mean and standard deviation of the C statistic for true ``means`` (Kaastra 2017, A&A 605, A51).

    Up to `_MANY` the moments are summed over the Poisson distribution; above, the large-number values 1 +
    1/(6 m) and 2 are used.

    Parameters
    ----------
    means
        Expected photons.
    fitted
        Number of parameters fitted to the same photons; each reduces the mean by 1 (Wilks 1938).
    """
    few = np.unique(np.round(means[means <= _MANY], 6), return_counts=True)
    mean, square = _moments(few[0])
    many = means[means > _MANY]
    expected = float((mean * few[1]).sum() + (1.0 + 1.0 / (6.0 * many)).sum())
    variance = float(((square - mean**2) * few[1]).sum() + 2.0 * many.size)
    return expected - fitted, float(np.sqrt(variance))


def _moments(means: Floats) -> tuple[Floats, Floats]:
    """Return the first and second moment of the C statistic of one bin, for each mean up to ``_MANY``."""
    number = np.arange(int(_MANY + 10.0 * np.sqrt(_MANY)) + 2)
    cumulative = pdtr(number, means[:, np.newaxis])
    probability = np.diff(cumulative, axis=1, prepend=0.0)
    safe = np.maximum(means, 1e-300)[:, np.newaxis]
    value = 2.0 * (safe - number + xlogy(number, number / safe))
    return (probability * value).sum(axis=1), (probability * value**2).sum(axis=1)
