"""Absorption of X-rays by the gas on their way: photoelectric, cold gas of solar abundances."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@cache
def absorption_constants() -> dict[str, Any]:
    """Return ``absorption.toml``; see the file for meaning and source."""
    return tomllib.loads((files("mxtvhf.analysis") / "absorption.toml").read_text())


def cross_section(energy_kev: npt.ArrayLike) -> Floats:
    """Photoelectric cross-section per hydrogen atom, cm2, by Morrison & McCammon 1983, ApJ 270, 119.

    Parameters
    ----------
    energy_kev
        At least 0.03 keV; above 10 keV the last range of the table goes on.
    """
    table, energy = absorption_constants(), np.asarray(energy_kev, dtype=np.float64)
    part = np.maximum(np.searchsorted(table["lower_kev"], energy, side="right") - 1, 0)
    c0, c1, c2 = (np.asarray(table[name])[part] for name in ("c0", "c1", "c2"))
    return np.asarray(1e-24 * (c0 + c1 * energy + c2 * energy**2) / energy**3)


def transmission(energy_kev: npt.ArrayLike, nh_cm2: float) -> Floats:
    """Part of the photons that a column of ``nh_cm2`` hydrogen atoms per cm2 lets through."""
    return np.asarray(np.exp(-nh_cm2 * cross_section(energy_kev)))
