"""Photoelectric absorption of X-rays by cold gas of solar abundances."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from mxtvhf.models.arrays import Floats
from mxtvhf.models.quantities import Finite, GridKev, Text
from mxtvhf.models.toml import SourcedConstants, read_toml


class AbsorptionTable(SourcedConstants):
    """Contents of ``absorption.toml``: cross-section (c0 + c1 E + c2 E^2) E^-3 x 1e-24 cm2, E in keV."""

    version: Text
    lower_kev: GridKev
    """Lower ends of the energy ranges, keV."""
    c0: tuple[Finite, ...]
    """Coefficients of each range."""
    c1: tuple[Finite, ...]
    c2: tuple[Finite, ...]

    @model_validator(mode="after")
    def _has_as_many_coefficients_as_ranges(self) -> AbsorptionTable:
        for name in ("c0", "c1", "c2"):
            if len(getattr(self, name)) != len(self.lower_kev):
                raise ValueError(f"{name}: expected {len(self.lower_kev)} numbers, one for each of lower_kev")
        return self


@cache
def absorption_constants() -> AbsorptionTable:
    """Return the cross-section table; the TOML file gives its source."""
    return read_toml(Path(__file__).with_name("absorption.toml"), AbsorptionTable)


@cache
def _ranges() -> tuple[Floats, Floats]:
    """Return the lower ends of the ranges, keV, and c0, c1 and c2 of each, shape (3, ranges)."""
    table = absorption_constants()
    return np.array(table.lower_kev), np.array([table.c0, table.c1, table.c2])


def cross_section(energy_kev: npt.ArrayLike) -> Floats:
    """Return the photoelectric cross-section per hydrogen atom, cm2 (Morrison & McCammon 1983, ApJ 270, 119).

    Parameters
    ----------
    energy_kev
        Energies of at least 0.03 keV; above 10 keV the last range of the table is extrapolated.
    """
    energy = np.asarray(energy_kev, dtype=np.float64)
    lower, coefficients = _ranges()
    part = np.maximum(np.searchsorted(lower, energy, side="right") - 1, 0)
    c0, c1, c2 = coefficients[:, part]
    return np.asarray(1e-24 * (c0 + c1 * energy + c2 * energy**2) / energy**3)


def transmission(energy_kev: npt.ArrayLike, nh_cm2: float) -> Floats:
    """Return the fraction of photons transmitted by a column of gas, in the shape of ``energy_kev``.

    Parameters
    ----------
    energy_kev
        Photon energies of at least 0.03 keV, any shape.
    nh_cm2
        Hydrogen column density, 1/cm2.
    """
    return np.asarray(np.exp(-nh_cm2 * cross_section(energy_kev)))
