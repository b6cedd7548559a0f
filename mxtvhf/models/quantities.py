"""Types of physical quantities, whose ranges exclude numbers in a wrong unit."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, Field

Text = Annotated[str, Field(min_length=1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Probability = Annotated[float, Field(gt=0.0, lt=1.0)]
"""Probability strictly between 0 and 1."""

EnergyKev = Annotated[float, Field(ge=0.01, le=100.0)]
"""Energy of an X-ray photon, keV; eV and MeV are out of range."""
RadiusArcsec = Annotated[float, Field(ge=0.0, le=36_000.0)]
"""Radius on the sky, arcsec: up to 10 deg."""
RadiusDeg = Annotated[float, Field(gt=0.0, le=180.0)]
ColumnCm2 = Annotated[float, Field(ge=1e17, le=1e25)]
"""Hydrogen column density, 1/cm2; 1/m2 and 1e22/cm2 are out of range."""
PhotonIndex = Annotated[float, Field(ge=-5.0, le=10.0)]
"""Photon index of a power law, N(E) ~ E^-index."""
FluxErgCm2S = Annotated[float, Field(gt=0.0, le=1e-3)]
"""Energy flux of a source, erg/cm2/s; the limit is some 1e4 Crab."""


def _rising(values: tuple[float, ...]) -> tuple[float, ...]:
    for low, high in pairwise(values):
        if low >= high:
            raise ValueError(f"expected ascending numbers, found {low} before {high}")
    return values


RISING = AfterValidator(_rising)
"""Tuple of ascending numbers."""
BandKev = Annotated[tuple[EnergyKev, EnergyKev], RISING]
"""Lower and upper end of an energy band, keV."""
GridKev = Annotated[tuple[EnergyKev, ...], Field(min_length=2), RISING]
"""Ascending energies, keV."""
