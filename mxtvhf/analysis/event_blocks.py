"""Fitness of Bayesian blocks of photons.

Import the module only in the function that needs it, because ``astropy.stats`` takes long to import.
"""

from __future__ import annotations

from inspect import signature

import numpy as np
from astropy.stats import Events

from mxtvhf.models.arrays import Floats


def block_fitness(N_k: Floats, T_k: Floats) -> Floats:  # noqa: N803
    """Return the fitness of each possible last block (Scargle et al. 2013, ApJ 764, 167, eq. 19).

    Parameters
    ----------
    N_k, T_k
        Photons and lengths of the blocks, positive. Astropy prescribes the names.
    """
    return np.asarray(N_k * np.log(N_k / T_k))


# Astropy asks for the signature several times per cell. To derive it each time takes 80 % of the time.
block_fitness.__signature__ = signature(block_fitness)  # type: ignore[attr-defined]


class EventBlocks(Events):  # type: ignore[misc]
    """Fitness for cells that all contain photons."""

    fitness = staticmethod(block_fitness)
