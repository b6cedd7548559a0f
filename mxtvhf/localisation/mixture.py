"""The parts of a mixture of known densities, by maximum likelihood.

The problem is convex and small in the number of components, so that a few steps of sequential quadratic
programming solve it, where the expectation-maximisation algorithm takes hundreds (Kim, Carbonetto, Stephens
and Anitescu 2020, J. Comput. Graph. Stat. 29, 261).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from mxtvhf.models.arrays import Floats

_MAX_STEPS = 30
_CONVERGED = 1e-3
"""A step that promises less than this gain of ln L is the last one."""
_RIDGE = 1e-8
"""Of the mean curvature, added to it: two components may be alike."""
_STIR = 1e-4
"""Part of a start that is spread over all components."""
_LEAST = 1e-12
"""Smallest part from which a step starts: its logarithm is finite."""


class KnownSums(NamedTuple):
    """What is known beforehand of sums of parts.

    Attributes
    ----------
    members
        1 for each component of a sum, else 0; shape (components, sums). They share the first components.
    photons
        So many count as seen of each sum, shape (sums,).
    """

    members: Floats
    photons: Floats


def mixture_parts(
    density: Floats,
    number: Floats,
    expected: Floats,
    start: Floats | None = None,
    sums: KnownSums | None = None,
) -> Floats:
    """Return the parts w, w >= 0 and sum 1, with the highest ln L = sum_i n_i ln(w . d_i) + sum_j a_j ln w_j.

    Parameters
    ----------
    density
        d, of each component at each entry, not all 0 at an entry; shape (components, entries).
    number
        n, photons of each entry, shape (entries,).
    expected
        a, what is known of the first parts beforehand: so many photons count as seen of each; shape
        (first components,).
    start
        Parts to begin with, shape (components,); None: equal ones.
    sums
        What is known of sums of the first parts; None: nothing.

    Returns
    -------
    numpy.ndarray
        Shape (components,).
    """
    photons, first = float(number.sum()), expected.size
    equal = np.full(len(density), 1.0 / len(density))
    # Nothing of a part that is expected would never become something.
    parts = equal if start is None else (1.0 - _STIR) * start + _STIR * equal
    prior = _Prior(expected, sums or KnownSums(np.zeros((len(density), 0)), np.zeros(0)))
    value = _objective(parts, density, number, prior)
    for _ in range(_MAX_STEPS):
        ratio = density / (parts @ density)
        known = prior.sums.members / np.maximum(parts @ prior.sums.members, _LEAST)
        own = np.zeros(parts.size)
        own[:first] = expected / np.maximum(parts[:first], _LEAST)
        gradient = ratio @ number + known @ prior.sums.photons + own - photons
        # The term in W is convex: its tangent is below it, so that a step that ignores its bend goes up.
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
            break
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
    """What is known of the first parts over their sum."""

    expected: Floats
    sums: KnownSums

    @property
    def photons(self) -> float:
        """All that count as seen."""
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
    """Return what is to be highest less photons times the sum of the parts: its maximum has the sum 1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        total = number @ np.log(parts @ density) + prior.log_density(parts)
    return float(total - number.sum() * parts.sum())
