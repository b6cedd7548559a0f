"""Interval of the observation in which a source stands out most.

It serves sources that neither last through the observation nor fade from T0, such as flares. Intervals of
many lengths are compared by the score of a weak source at positions over the field, and the best of each
length by the position-only likelihood. The best interval becomes the light curve of one more source template;
the choice among many intervals is accounted for in the prior probability of that template. See section
"Emission intervals" of ``docs/explanation/localisation.md``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mxtvhf.instrument.psf import SeparablePsf, detector_pixels
from mxtvhf.localisation.constants import population
from mxtvhf.models.arrays import Floats
from mxtvhf.models.intervals import elapsed

_SLICES = 64
"""Number of equal slices of the good time; the shortest interval has two."""
_LENGTHS = (2, 3, 4, 6, 8, 12, 16)
"""Lengths of the intervals in slices; they start at every quarter of their length."""
_TRIALS = 120
"""Number of independent intervals: those of 2, 4, 8 and 16 slices that overlap by half."""
_BLOCK = 8
"""Pixels per side of the blocks in which photons are counted: a sixth of the core width."""
_TRIED = 3
"""Intervals of each length whose likelihood is computed."""
_PARTS = np.array([[0.05], [0.1], [0.2], [0.4], [0.8]])
"""Source fractions of the photons in the interval that are tried."""
_LEAST = 1e-3
"""Lowest weight, for photons outside of the interval."""


class Stretch(NamedTuple):
    """An interval of the good time.

    Attributes
    ----------
    start, stop
        Fractions of the good time elapsed at both ends, 0..1.
    weights
        Weights of the photons for a source that is visible in the interval only, shape (photons,).
    share
        Share of this template relative to the decays of ``source_templates.toml``.
    position
        Pixel coordinates (x, y) at which the source stands out, on a grid of 16 pixels.
    """

    start: float
    stop: float
    weights: Floats
    share: float
    position: tuple[float, float]

    def density(self, part: Floats) -> Floats:
        """Return the density of a source that is visible in the interval only, relative to a constant one.

        Parameters
        ----------
        part
            Fraction of the good time that has elapsed, 0..1, any shape.
        """
        return _density(part, self.start, self.stop)


def best_stretch(
    column: npt.NDArray[np.integer],
    row: npt.NDArray[np.integer],
    weights: Floats,
    time: Floats,
    gti: Floats,
    exposure: Floats,
    psf: SeparablePsf,
) -> Stretch:
    """Return the interval of the observation in which a source stands out most.

    Parameters
    ----------
    column, row
        Pixel addresses of the photons, at least one, shape (photons,).
    weights
        Weights of their energies, shape (photons,).
    time
        MET seconds, within the GTIs, shape (photons,).
    gti
        Good time intervals, shape (intervals, 2), MET seconds.
    exposure
        Exposed fraction of each pixel, 0..1, ``[row, column]``.
    psf
        PSF of the source.
    """
    part = elapsed(time, gti)
    number = np.minimum((_SLICES * part).astype(np.intp), _SLICES - 1)
    blocks = detector_pixels() // _BLOCK
    key = (number * blocks + row // _BLOCK) * blocks + column // _BLOCK
    shape = (_SLICES, blocks, blocks)
    first, second = (
        np.bincount(key, values, np.prod(shape)).reshape(shape).astype(np.float64)
        for values in (weights, weights**2)
    )
    good = exposure.reshape(blocks, _BLOCK, blocks, _BLOCK).mean(axis=(1, 3))
    centre = (np.arange(0, blocks, 2) + 0.5) * _BLOCK + 0.5 * (_BLOCK - 1)
    profile = psf.fractions(centre, detector_pixels()).reshape(centre.size, blocks, _BLOCK).sum(axis=2)
    scale = good.sum() / (profile @ good @ profile.T)

    def seen(image: Floats, power: int = 1) -> Floats:
        """Return the sums over an image, or several, times a power of the PSF at each position.

        Parameters
        ----------
        image
            Values per block, ``[..., row, column]``.
        power
            Power of the PSF, which is relative to its mean over the good pixels.
        """
        return np.asarray(scale**power * (profile**power @ image @ profile.T**power))

    # The PSF minus 1 is the relative excess of a source; its square is expanded.
    sums, squares = (values.sum(axis=(1, 2))[:, np.newaxis, np.newaxis] for values in (first, second))
    score = (seen(first) - sums).reshape(_SLICES, -1)
    variance = (seen(second, 2) - 2.0 * seen(second) + squares).reshape(_SLICES, -1)
    starts, lengths = (np.array(values) for values in zip(*_stretches(), strict=True))
    score, variance = (
        np.concatenate([np.zeros((1, centre.size**2)), values.cumsum(axis=0)]) for values in (score, variance)
    )
    gained = score[starts + lengths] - score[starts]
    spread = variance[starts + lengths] - variance[starts]
    ts = np.where(gained > 0.0, gained**2 / np.maximum(spread, 1e-9), 0.0)
    where, highest = ts.argmax(axis=1), ts.max(axis=1)

    def log_likelihood(index: int) -> float:
        """Return the highest position-only ln L of an interval over the source fractions tried.

        Parameters
        ----------
        index
            Index of the interval.
        """
        inside = (number >= starts[index]) & (number < starts[index] + lengths[index])
        weight, (y, x) = weights[inside], divmod(int(where[index]), centre.size)
        place = scale[y, x] * profile[y, row[inside] // _BLOCK] * profile[x, column[inside] // _BLOCK]
        density = 1.0 - _PARTS + _PARTS * weight * place
        return float(np.log(density / (1.0 - _PARTS + _PARTS * weight)).sum(axis=1).max())

    tried = [
        index
        for length in _LENGTHS
        for index in np.argsort(np.where(lengths == length, -highest, np.inf), kind="stable")[
            :_TRIED
        ].tolist()
    ]
    best = max(tried, key=log_likelihood)
    start, stop = starts[best] / _SLICES, (starts[best] + lengths[best]) / _SLICES
    share = population().stretch_share / _TRIALS
    y, x = centre[np.array(divmod(int(where[best]), centre.size))].tolist()
    return Stretch(float(start), float(stop), _density(part, start, stop), share, (x, y))


def _density(part: Floats, start: float, stop: float) -> Floats:
    height = (1.0 - _LEAST * (1.0 - stop + start)) / (stop - start)
    return np.where((part >= start) & (part < stop), height, _LEAST)


def _stretches() -> list[tuple[int, int]]:
    """Return the first slice and the number of slices of all intervals."""
    return [
        (start, length)
        for length in _LENGTHS
        for start in range(0, _SLICES - length + 1, max(length // 4, 1))
    ]
