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
_LEAST_SUM = 1e-4
"""Smallest sum of the first fractions from which the least starting fractions are computed."""
_KEPT = 0.2
"""Least ratio of a fraction with prior photons after and before a step: at 0 its logarithm is infinite."""
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
    prior, root = _Prior(expected, sums), np.sqrt(number)
    seen = np.concatenate([expected, np.zeros(equal.size - first)])
    parts = equal if start is None else np.maximum(start, _LEAST)
    parts[:first] = np.maximum(parts[:first], _least_start(parts[:first], photons, prior))
    value: float | None = None
    for _ in range(_MAX_STEPS):
        ratio = density * (root / (parts @ density))
        own = seen / np.maximum(parts, _LEAST)
        gradient, curvature = ratio @ root + own - photons, ratio @ ratio.T
        if sums is not None:
            known = sums.members / np.maximum(parts @ sums.members, _LEAST)
            gradient += known @ sums.photons
            curvature += (known * sums.photons) @ known.T
        # The term in the sum of the first fractions is convex, so it lies above its tangent: a step that
        # ignores its curvature still increases ln L.
        gradient[:first] -= prior.photons / max(float(parts[:first].sum()), _LEAST)
        diagonal = curvature.reshape(-1)[:: len(curvature) + 1]
        diagonal += own / np.maximum(parts, _LEAST)
        diagonal += _RIDGE * diagonal.sum()
        lower, least = np.linalg.cholesky(curvature), np.where(seen > 0.0, _KEPT * parts, 0.0)
        target = lower.T @ (parts - least) + np.linalg.solve(lower, gradient)
        step = least + nnls(lower.T, target)[0] - parts
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
    sums: KnownSums | None

    @property
    def photons(self) -> float:
        """Return the sum of all prior photons."""
        return float(self.expected.sum() + (0.0 if self.sums is None else self.sums.photons.sum()))

    def log_density(self, parts: Floats) -> float:
        first = parts[: self.expected.size]
        total = first.sum()
        own = _of_seen(self.expected, first / total)
        return (
            own if self.sums is None else own + _of_seen(self.sums.photons, parts @ self.sums.members / total)
        )


def _least_start(first: Floats, photons: float, prior: _Prior) -> Floats:
    """Return the fractions that the first components have with as many photons as prior photons.

    At the maximum w_j = (n_j + a_j) / (n + A / S), with the photons n_j of a component, the sum A of all
    prior photons and the sum S of the first fractions. Smaller fractions at most double in each step.
    """
    total = max(float(first.sum()), _LEAST_SUM)
    return np.asarray(2.0 * prior.expected / (photons + prior.photons / total))


def _of_seen(photons: Floats, part: Floats) -> float:
    return float(photons @ np.where(photons > 0.0, np.log(part), 0.0))


def _objective(parts: Floats, density: Floats, number: Floats, prior: _Prior) -> float:
    """Return ln L minus the number of photons times the sum of the fractions: its maximum has the sum 1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        total = number @ np.log(parts @ density) + prior.log_density(parts)
    return float(total - number.sum() * parts.sum())
