"""How large a part of some photons is of one of two kinds that they are a mixture of."""

from __future__ import annotations

import numpy as np

from mxtvhf.models.arrays import Floats

_HALVINGS = 40
"""Of the interval 0..1 of f."""


def best_part(excess: Floats, number: Floats) -> tuple[Floats, Floats]:
    """Maximise ln L = sum number ln(1 + f excess) over 0 <= f <= 1, by halving: it is concave in f.

    Parameters
    ----------
    excess
        Ratio of the density of the first kind to that of the second at each photon, less 1, shape (models,
        photons): what is best is found for each model of the first kind.
    number
        Of the photons of each column, shape (photons,).

    Returns
    -------
    tuple
        ln L against "all of the second kind", and f, the part of the first kind; shape (models,) each.
    """
    low, high = np.zeros(len(excess)), np.ones(len(excess))
    for _ in range(_HALVINGS):
        part = 0.5 * (low + high)
        rising = (excess / (1.0 + part[:, np.newaxis] * excess)) @ number > 0.0
        low, high = np.where(rising, part, low), np.where(rising, high, part)
    part = 0.5 * (low + high)
    return np.log1p(part[:, np.newaxis] * excess) @ number, part
