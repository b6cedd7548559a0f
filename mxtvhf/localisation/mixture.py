"""The parts of a mixture of known densities, by maximum likelihood.

The problem is convex and small in the number of components, so that a few steps of sequential quadratic
programming solve it, where the expectation-maximisation algorithm takes hundreds (Kim, Carbonetto, Stephens
and Anitescu 2020, J. Comput. Graph. Stat. 29, 261).
"""

from __future__ import annotations

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


def mixture_parts(density: Floats, number: Floats, expected: Floats, start: Floats | None = None) -> Floats:
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

    Returns
    -------
    numpy.ndarray
        Shape (components,).
    """
    photons, first = float(number.sum()), expected.size
    equal = np.full(len(density), 1.0 / len(density))
    # Nothing of a part that is expected would never become something.
    parts = equal if start is None else (1.0 - _STIR) * start + _STIR * equal
    value = _objective(parts, density, number, expected, photons)
    for _ in range(_MAX_STEPS):
        ratio = density / (parts @ density)
        own = np.zeros(parts.size)
        own[:first] = expected / np.maximum(parts[:first], _LEAST)
        gradient = ratio @ number + own - photons
        # The term in W is convex: its tangent is below it, so that a step that ignores its bend goes up.
        gradient[:first] -= expected.sum() / max(float(parts[:first].sum()), _LEAST)
        curvature = (ratio * number) @ ratio.T
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
            ahead = _objective(trial, density, number, expected, photons)
            if ahead > value:
                break
        else:
            break
        parts, value = trial, ahead
    return np.asarray(parts / parts.sum())


def _objective(parts: Floats, density: Floats, number: Floats, expected: Floats, photons: float) -> float:
    """Return what is to be highest less photons times the sum of the parts: its maximum has the sum 1."""
    first = parts[: expected.size]
    with np.errstate(divide="ignore", invalid="ignore"):
        total = number @ np.log(parts @ density)
        prior = expected @ np.where(expected > 0.0, np.log(first / first.sum()), 0.0)
    return float(total + prior - photons * parts.sum())
