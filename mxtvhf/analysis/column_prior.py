"""Prior of the absorbing hydrogen column.

The column is the Galactic one of the HI4PI map, or the sum of this and a column in the host galaxy, or
arbitrary, as for a source in front of the gas. The last case has no scale: its density is uniform in the
coordinate

    u = ln(N + scale),

in which the photons constrain all columns about equally well (columns below ``scale`` hardly absorb; above,
the relative error is about constant). All gas is assumed to be at redshift 0. ``analysis.toml`` gives the
numbers.
"""

from __future__ import annotations

import numpy as np

from mxtvhf.analysis.constants import analysis_constants
from mxtvhf.models.arrays import Floats


def coordinate_limits() -> tuple[float, float]:
    """Return u of a zero column, and of the largest column."""
    rules = analysis_constants().column
    return float(np.log(rules.scale_cm2)), float(np.log(rules.highest_cm2 + rules.scale_cm2))


def column_of(u: Floats) -> Floats:
    """Return the columns, 1/cm2, for coordinates u.

    Parameters
    ----------
    u
        Coordinates of columns, any shape.
    """
    return np.maximum(np.exp(u) - analysis_constants().column.scale_cm2, 0.0)


def prior_density(u: Floats, galactic_cm2: float | None) -> Floats:
    """Return the prior density per u.

    Parameters
    ----------
    u
        Coordinates of columns.
    galactic_cm2
        Galactic column, 1/cm2; None if unknown, which gives a prior uniform in u.
    """
    rules = analysis_constants().column
    low, high = coordinate_limits()
    anything = np.full_like(u, 1.0 / (high - low))
    if galactic_cm2 is None:
        return anything
    column, per_u = column_of(u), np.exp(u)
    sigma = np.log(10.0) * rules.galactic_sigma_dex
    # The density is practically zero below this value.
    above_zero = np.maximum(column, 1e-3 * galactic_cm2)
    away = np.log(above_zero / galactic_cm2) / sigma
    galactic = np.exp(-0.5 * away**2) / (np.sqrt(2.0 * np.pi) * sigma * above_zero) * per_u
    rest, scale = column - galactic_cm2, rules.host_scale_cm2
    host = np.where(rest >= 0.0, per_u / (np.maximum(rest, 0.0) + scale), 0.0)
    host = host / np.log1p(max(rules.highest_cm2 - galactic_cm2, scale) / scale)
    parts = rules.galactic_part, rules.host_part, 1.0 - rules.galactic_part - rules.host_part
    return np.asarray(parts[0] * galactic + parts[1] * host + parts[2] * anything)
