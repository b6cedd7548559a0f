"""Maximum-likelihood fraction of one component in a mixture of two kinds of photons."""

from __future__ import annotations

import numpy as np

from mxtvhf.models.arrays import Floats

_HALVINGS = 40
"""Number of bisections of the interval 0..1 of f."""


def best_part(excess: Floats, number: Floats) -> tuple[Floats, Floats]:
    """Maximise ln L = sum number ln(1 + f excess) over 0 <= f <= 1 by bisection; it is concave in f.

    Parameters
    ----------
    excess
        Ratio of the densities of the first and the second kind at each photon, minus 1, shape (models,
        photons); f is optimised for each model of the first kind.
    number
        Number of photons of each column, shape (photons,).

    Returns
    -------
    tuple
        ln L relative to "all of the second kind", and f, the fraction of the first kind; shape (models,)
        each.
    """
    low, high = np.zeros(len(excess)), np.ones(len(excess))
    # One array for all steps: with many photons its allocation would take as long as the arithmetic.
    slope = np.empty_like(excess)
    for _ in range(_HALVINGS):
        part = 0.5 * (low + high)
        np.multiply(part[:, np.newaxis], excess, out=slope)
        slope += 1.0
        np.divide(excess, slope, out=slope)
        rising = slope @ number > 0.0
        low, high = np.where(rising, part, low), np.where(rising, high, part)
    part = 0.5 * (low + high)
    return np.log1p(part[:, np.newaxis] * excess) @ number, part
