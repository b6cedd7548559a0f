"""Fractions of a mixture of known densities by maximum likelihood.

The problem is convex and has few components: a few steps of sequential quadratic programming solve it, where
the expectation-maximisation algorithm takes hundreds (Kim, Carbonetto, Stephens and Anitescu 2020, J. Comput.
Graph. Stat. 29, 261).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from mxtvhf.models.arrays import Floats

_MAX_STEPS = 30
_CONVERGED = 1e-3
"""A step that promises less than this gain of ln L is the last one; the remaining loss is of the order of its
square."""
_RIDGE = 1e-8
"""Fraction of the summed curvature that is added to its diagonal, since two components may be equal."""
_LEAST_KNOWN = 1e-4
"""Smallest starting fraction of a component with prior photons, relative to equal fractions: one that starts
at 0 would stay there."""
_LEAST = 1e-12
"""Smallest fraction at the start of a step: its logarithm is finite."""


class KnownSums(NamedTuple):
    """Prior knowledge of sums of fractions.

    Attributes
    ----------
    members
        1 for each component of a sum, else 0; shape (components, sums). The sums share the first components.
    photons
        Prior photons of each sum, shape (sums,).
    """

    members: Floats
    photons: Floats


def mixture_fractions(
    density: Floats,
    number: Floats,
    expected: Floats,
    start: Floats | None = None,
    sums: KnownSums | None = None,
) -> Floats:
    """Return the fractions w of the components with the highest ln L.

    They maximise sum_i n_i ln(w . d_i) + sum_j a_j ln w_j with w >= 0 and sum 1; where fewer than all
    components have prior photons, w_j in the second term is relative to the sum of these components.

    Parameters
    ----------
    density
        d, density of each component at each entry, not 0 for all components at an entry; shape (components,
        entries).
    number
        n, photons of each entry, shape (entries,).
    expected
        a, prior photons of each of the first components, shape (first components,).
    start
        Fractions at the start, shape (components,); None: equal fractions.
    sums
        Prior photons of sums of the first components; None: unknown.

    Returns
    -------
    numpy.ndarray
        Shape (components,).
    """
    photons, first = float(number.sum()), expected.size
    equal = np.full(len(density), 1.0 / len(density))
    parts = equal if start is None else np.maximum(start, _LEAST)
    parts[:first] = np.maximum(parts[:first], np.where(expected > 0.0, _LEAST_KNOWN / parts.size, 0.0))
    prior = _Prior(expected, sums or KnownSums(np.zeros((len(density), 0)), np.zeros(0)))
    value: float | None = None
    for _ in range(_MAX_STEPS):
        ratio = density / (parts @ density)
        known = prior.sums.members / np.maximum(parts @ prior.sums.members, _LEAST)
        own = np.zeros(parts.size)
        own[:first] = expected / np.maximum(parts[:first], _LEAST)
        gradient = ratio @ number + known @ prior.sums.photons + own - photons
        # The term in the sum of the first fractions is convex, so it lies above its tangent: a step that
        # ignores its curvature still increases ln L.
        gradient[:first] -= prior.photons / max(float(parts[:first].sum()), _LEAST)
        curvature = (ratio * number) @ ratio.T + (known * prior.sums.photons) @ known.T
        diagonal = curvature.reshape(-1)[:: len(curvature) + 1]
        diagonal += own / np.maximum(parts, _LEAST)
        diagonal += _RIDGE * diagonal.sum()
        root = np.linalg.cholesky(curvature).T
        target = root @ parts + np.linalg.solve(root.T, gradient)
        step = nnls(root, target)[0] - parts
        promised = gradient @ step
        if promised < _CONVERGED:
            parts = parts + step
            break
        if value is None:
            value = _objective(parts, density, number, prior)
        for scale in 0.5 ** np.arange(12):
            trial = parts + scale * step
            ahead = _objective(trial, density, number, prior)
            if ahead > value:
                break
        else:
            break
        parts, value = trial, ahead
    return np.asarray(parts / parts.sum())


class _Prior(NamedTuple):
    """Prior of the first fractions relative to their sum."""

    expected: Floats
    sums: KnownSums

    @property
    def photons(self) -> float:
        """Return the sum of all prior photons."""
        return float(self.expected.sum() + self.sums.photons.sum())

    def log_density(self, parts: Floats) -> float:
        first = parts[: self.expected.size]
        total = first.sum()
        return _of_seen(self.expected, first / total) + _of_seen(
            self.sums.photons, parts @ self.sums.members / total
        )


def _of_seen(photons: Floats, part: Floats) -> float:
    return float(photons @ np.where(photons > 0.0, np.log(part), 0.0))


def _objective(parts: Floats, density: Floats, number: Floats, prior: _Prior) -> float:
    """Return ln L minus the number of photons times the sum of the fractions: its maximum has the sum 1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        total = number @ np.log(parts @ density) + prior.log_density(parts)
    return float(total - number.sum() * parts.sum())
