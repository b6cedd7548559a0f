"""How many sources of a catalogue are at least as bright as one of them.

The counts are kept as a ladder: the fluxes of the 1st, 2nd, 4th, 8th, ... brightest source. Between its rungs
the number of sources is a power law of the flux, as counts of X-ray sources are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from math import log

import numpy as np


def flux_ladder(fluxes: Iterable[float]) -> tuple[float, ...]:
    """Return the flux of every source whose rank in brightness is a power of two.

    Parameters
    ----------
    fluxes
        Those of the catalogue that are known, larger than 0, in any order; there may be millions.
    """
    ordered = np.sort(np.fromiter(fluxes, dtype=np.float64))[::-1]
    ranks = [1 << power for power in range(len(ordered).bit_length())]
    return tuple(float(ordered[rank - 1]) for rank in ranks)


def as_bright(flux: float, ladder: Sequence[float]) -> float:
    """Return how many sources have at least this flux, 1 or more: one of them has it.

    Parameters
    ----------
    flux
        Of a source of the catalogue, larger than 0.
    ladder
        As of ``flux_ladder``, not empty. Of a flux below its last rung the number is not known; then it is
        the upper limit, twice the last rank.
    """
    rungs = bisect_right(ladder, -flux, key=lambda rung: -rung)
    if rungs == 0:
        return 1.0
    if rungs == len(ladder):
        return float(2**rungs) if flux < ladder[-1] else float(2 ** (rungs - 1))
    above, below = ladder[rungs - 1], ladder[rungs]
    return float(2.0 ** (rungs - 1 + log(above / flux) / log(above / below)))
