"""Count the sources of a catalogue that are at least as bright as a given one.

The counts are stored as a ladder: the fluxes of the 1st, 2nd, 4th, 8th, ... brightest source. Between its
rungs the number of sources is interpolated as a power law of flux, which X-ray source counts follow.
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
        Known fluxes of the catalogue, larger than 0, in any order; there may be millions.
    """
    ordered = np.sort(np.fromiter(fluxes, dtype=np.float64))[::-1]
    ranks = [1 << power for power in range(len(ordered).bit_length())]
    return tuple(float(ordered[rank - 1]) for rank in ranks)


def as_bright(flux: float, ladder: Sequence[float]) -> float:
    """Return the number of sources with at least this flux; at least 1, the source itself.

    Parameters
    ----------
    flux
        Flux of a source of the catalogue, larger than 0.
    ladder
        Result of ``flux_ladder``, not empty. For a flux below its last rung, the upper limit of the number is
        returned, twice the last rank.
    """
    rungs = bisect_right(ladder, -flux, key=lambda rung: -rung)
    if rungs == 0:
        return 1.0
    if rungs == len(ladder):
        return float(2**rungs) if flux < ladder[-1] else float(2 ** (rungs - 1))
    above, below = ladder[rungs - 1], ladder[rungs]
    return float(2.0 ** (rungs - 1 + log(above / flux) / log(above / below)))
