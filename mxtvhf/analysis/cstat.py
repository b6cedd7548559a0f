"""Likelihood of a spectrum when the background region holds source photons, too.

In channel k, of energy piece p, the two regions (see `analysis.regions`) hold Poisson numbers of the means

    T f_s m_k + A_s b_p,      T f_b m_k + A_b b_p,

m being the source's spectrum folded through the response, per second, and b the background per pixel and
channel, flat within each of a few pieces and free in each. The best b of each piece for a given m is found
by Newton's method, as for the W statistic of XSPEC, which is the same with a piece for each channel and is
biased where channels without background photons are many (XSPEC manual, appendix B).
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
_MAX_ITERATIONS = 60
_LEAST = 1e-30
"""Photons of a channel: keeps logarithms and quotients finite."""
_MANY = 60.0
"""Above this mean the moments of the C statistic are those of large numbers."""


@dataclass(frozen=True, eq=False)
class SpectralData:
    """The counts that are fitted.

    Attributes
    ----------
    counts
        Photons of the source and the background region per channel, shape (2, channels).
    pieces
        First channel of each background piece; the first is 0.
    regions
        Where they were taken.
    exposure
        Good time, s.
    """

    counts: Counts
    pieces: npt.NDArray[np.intp]
    regions: Regions
    exposure: float

    @cached_property
    def _areas(self) -> Floats:
        return np.array(self.regions.areas, dtype=np.float64)[:, np.newaxis]

    @cached_property
    def _channels(self) -> Floats:
        """Channels of each piece."""
        return np.diff([*self.pieces, self.counts.shape[1]]).astype(np.float64)

    def source_means(self, folded: Floats) -> Floats:
        """Source photons, shape (2, channels), for a spectrum ``folded`` (counts/s, whole detector)."""
        fractions = np.array([self.regions.source_fraction, self.regions.background_fraction])
        return np.outer(fractions * self.exposure, folded)

    def means(self, folded: Floats) -> Floats:
        """Return the photons expected with the best background for it, shape (2, channels)."""
        source = self.source_means(folded)
        level = np.repeat(self._background(source), self._channels.astype(np.intp))
        return np.asarray(source + self._areas * level)

    def statistic(self, folded: Floats) -> float:
        """C statistic (Cash 1979, ApJ 228, 939): 2 sum(m - n + n ln(n / m))."""
        means = np.maximum(self.means(folded), _LEAST)
        return float(2.0 * (means - self.counts + xlogy(self.counts, self.counts / means)).sum())

    def _background(self, source: Floats) -> Floats:
        """Level of each piece, photons per pixel and channel.

        The likelihood's slope is a falling convex function of the level, so that Newton's method ends at its
        zero, after one step to the left of it from wherever it starts.
        """
        pixels = self._areas.sum() * self._channels
        level = np.add.reduceat(self.counts.sum(axis=0), self.pieces) / pixels
        scaled = np.maximum(source / self._areas, _LEAST)
        for _ in range(_MAX_ITERATIONS):
            inverse = 1.0 / (scaled + np.repeat(level, self._channels.astype(np.intp)))
            weighted = self.counts * inverse
            slope = np.add.reduceat(weighted.sum(axis=0), self.pieces) - pixels
            curvature = np.add.reduceat((weighted * inverse).sum(axis=0), self.pieces)
            step = np.where(curvature > 0.0, slope / np.maximum(curvature, 1e-300), -level)
            level, before = np.maximum(level + step, 0.0), level
            if np.all(np.abs(level - before) <= 1e-9 * level):
                break
        return np.asarray(level)


def expected_statistic(means: Floats) -> tuple[float, float]:
    """Mean and standard deviation of the C statistic were ``means`` true (as Kaastra 2017, A&A 605, A51).

    Below `_MANY` summed over the Poisson numbers themselves, above by the large-number values 1 + 1/(6 m)
    and 2.
    """
    few = np.unique(np.round(means[means <= _MANY], 6), return_counts=True)
    mean, square = _moments(few[0])
    many = means[means > _MANY]
    expected = float((mean * few[1]).sum() + (1.0 + 1.0 / (6.0 * many)).sum())
    variance = float(((square - mean**2) * few[1]).sum() + 2.0 * many.size)
    return expected, float(np.sqrt(variance))


def _moments(means: Floats) -> tuple[Floats, Floats]:
    """First and second moment of the C statistic of one channel, for each mean up to ``_MANY``."""
    number = np.arange(int(_MANY + 10.0 * np.sqrt(_MANY)) + 2)
    cumulative = pdtr(number, means[:, np.newaxis])
    probability = np.diff(cumulative, axis=1, prepend=0.0)
    safe = np.maximum(means, 1e-300)[:, np.newaxis]
    value = 2.0 * (safe - number + xlogy(number, number / safe))
    return (probability * value).sum(axis=1), (probability * value**2).sum(axis=1)
