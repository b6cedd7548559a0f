"""How bright a source may be that was not found."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaincc, logsumexp

from mxtvhf.psf import Floats

_STEPS = 1000
"""Values of the source's part f of the photons, 0..1."""


def source_upper_limit(
    field: tuple[Floats, Floats], weight: Floats, photons: float, part: float = 0.9
) -> float:
    """Return the upper limit of the expected number of a source's photons.

    The posterior of a source of free place and strength: flat in its part f of the photons, by ``weight``
    in its place. The number of photons of both kinds together has the posterior of a Poisson mean with a
    flat prior (a gamma distribution of shape n + 1).

    Parameters
    ----------
    field
        ln L and f from ``likelihood.whole_field``, ``[r, row, column]``.
    weight
        Prior probability of the cells, not normalised, ``[row, column]``.
    photons
        Photons on good pixels, n.
    part
        Probability that the expected number is below the limit.

    Returns
    -------
    float
        Photons on good pixels. Without any photon -ln(1 - part): 2.3 for 90 %.
    """
    log_likelihood, f = field
    weight = weight / weight.sum()
    over_places = logsumexp(log_likelihood, axis=(1, 2), b=weight)
    share = np.concatenate([[0.0], (f * weight).sum(axis=(1, 2)), [1.0]])
    known = np.concatenate([[0.0], over_places, over_places[-1:]])
    middle = (np.arange(_STEPS) + 0.5) / _STEPS
    density = np.interp(middle, share, known)
    density = np.exp(density - density.max())
    density /= density.sum()

    def beyond(limit: float) -> float:
        return float(density @ gammaincc(photons + 1.0, limit / middle)) - (1.0 - part)

    return float(brentq(beyond, 0.0, 10.0 * (photons + 10.0), xtol=1e-3))


def empty_upper_limit(part: float = 0.9) -> float:
    """Return the upper limit where no photon came at all: that of a Poisson mean of 0 counts."""
    return float(-np.log1p(-part))
