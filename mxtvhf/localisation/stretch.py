"""The stretch of time in which a source stands out most, for those that neither last nor fade since T0.

Stretches of many lengths are compared by the score of a weak source at places over the field, the best ones
of each length by the likelihood, the energies and times of the photons taken as given. The best one becomes
one more kind of source; that it is the best of many is in the share of that kind.
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
"""Of the good time, of equal lengths: the shortest stretch is two of them."""
_LENGTHS = (2, 3, 4, 6, 8, 12, 16)
"""Of the stretches, in slices; they begin at every quarter of their length."""
_TRIALS = 120
"""Stretches that count as different ones: those of 2, 4, 8 and 16 slices that overlap by half."""
_BLOCK = 8
"""Pixels per side of the blocks in which photons are counted: a sixth of the core's width."""
_TRIED = 3
"""Stretches of each length of which the likelihood is asked."""
_PARTS = np.array([[0.05], [0.1], [0.2], [0.4], [0.8]])
"""Of the photons of a stretch that are the source's."""
_LEAST = 1e-3
"""Of the weight of photons outside of the stretch."""


class Stretch(NamedTuple):
    """A stretch of the good time.

    Attributes
    ----------
    start, stop
        Parts of the good time, 0..1.
    weights
        Of the photons, were the source seen in it only: ``density`` at them.
    share
        Probability of such a source, over that of all kinds by decay (``source_templates.toml``).
    """

    start: float
    stop: float
    weights: Floats
    share: float

    def density(self, part: Floats) -> Floats:
        """Return the density of a source that is seen in it only, over a steady one.

        Parameters
        ----------
        part
            Of the good time that is over, 0..1, any shape.
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
    """Return the stretch of time in which a source stands out most.

    Parameters
    ----------
    column, row
        Of the photons, at least one.
    weights
        Of their energies, shape (photons,).
    time
        MET seconds, in the good time intervals, shape (photons,).
    gti
        Good time intervals, shape (intervals, 2), MET seconds.
    exposure
        Part of the time in which each pixel looked, ``[row, column]``.
    psf
        Of the source.
    """
    part = elapsed(time, gti)
    number = np.minimum((_SLICES * part).astype(np.intp), _SLICES - 1)
    blocks = detector_pixels() // _BLOCK
    key = (number * blocks + row // _BLOCK) * blocks + column // _BLOCK
    shape = (_SLICES, blocks, blocks)
    first, second = (
        np.bincount(key, values, np.prod(shape)).reshape(shape) for values in (weights, weights**2)
    )
    good = exposure.reshape(blocks, _BLOCK, blocks, _BLOCK).mean(axis=(1, 3))
    centre = (np.arange(0, blocks, 2) + 0.5) * _BLOCK + 0.5 * (_BLOCK - 1)
    profile = psf.fractions(centre, detector_pixels()).reshape(centre.size, blocks, _BLOCK).sum(axis=2)
    place = np.einsum("yi,xj->yxij", profile, profile).reshape(-1, blocks**2)
    seen = place @ good.ravel()
    place *= (good.sum() / seen)[:, np.newaxis]
    excess = place - 1.0
    score = first.reshape(_SLICES, -1) @ excess.T
    variance = second.reshape(_SLICES, -1) @ (excess**2).T
    starts, lengths = (np.array(values) for values in zip(*_stretches(), strict=True))
    score, variance = (
        np.concatenate([np.zeros((1, len(seen))), values.cumsum(axis=0)]) for values in (score, variance)
    )
    gained = score[starts + lengths] - score[starts]
    spread = variance[starts + lengths] - variance[starts]
    ts = np.where(gained > 0.0, gained**2 / np.maximum(spread, 1e-9), 0.0)
    where, highest = ts.argmax(axis=1), ts.max(axis=1)
    block = row // _BLOCK * blocks + column // _BLOCK

    def log_likelihood(index: int) -> float:
        inside = (number >= starts[index]) & (number < starts[index] + lengths[index])
        weight = weights[inside]
        density = 1.0 - _PARTS + _PARTS * weight * place[where[index], block[inside]]
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
    return Stretch(float(start), float(stop), _density(part, start, stop), share)


def _density(part: Floats, start: float, stop: float) -> Floats:
    height = (1.0 - _LEAST * (1.0 - stop + start)) / (stop - start)
    return np.where((part >= start) & (part < stop), height, _LEAST)


def _stretches() -> list[tuple[int, int]]:
    """First slice and number of slices of all stretches."""
    return [
        (start, length)
        for length in _LENGTHS
        for start in range(0, _SLICES - length + 1, max(length // 4, 1))
    ]
