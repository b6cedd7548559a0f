"""Power laws: the expected spectrum of an afterglow, and the integral of its decay."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mxtvhf.analysis.absorption import transmission
from mxtvhf.models.arrays import Floats
from mxtvhf.models.quantities import BandKev, ColumnCm2, PhotonIndex, Text
from mxtvhf.models.toml import Constants, SourcedConstants, read_toml

ERG_PER_KEV = 1.602176634e-9
"""Exact since the SI of 2019."""


class TypicalSource(SourcedConstants):
    """Spectrum of a typical X-ray afterglow."""

    photon_index: PhotonIndex
    nh_cm2: ColumnCm2
    flux_band_kev: BandKev
    """Band in which fluxes are quoted, keV."""


class SpectrumConstants(Constants):
    """Contents of ``spectrum.toml``."""

    version: Text
    source: TypicalSource


@cache
def spectrum_constants() -> SpectrumConstants:
    """Return the constants of the expected source spectrum."""
    return read_toml(Path(__file__).with_name("spectrum.toml"), SpectrumConstants)


@dataclass(frozen=True)
class PowerLaw:
    """An absorbed power law, in photons.

    Attributes
    ----------
    photon_index
        N(E) ~ E^-index.
    nh_cm2
        Hydrogen column density, 1/cm2; see `analysis.absorption`.
    """

    photon_index: float = field(default_factory=lambda: spectrum_constants().source.photon_index)
    nh_cm2: float = field(default_factory=lambda: spectrum_constants().source.nh_cm2)

    def density(self, energy_kev: npt.ArrayLike) -> Floats:
        """Return photons per keV, normalised to 1 at 1 keV before absorption.

        Parameters
        ----------
        energy_kev
            Photon energies, any shape.
        """
        energy = np.asarray(energy_kev, dtype=np.float64)
        return np.asarray(energy**-self.photon_index * transmission(energy, self.nh_cm2))


def decay_integral(first: npt.ArrayLike, last: npt.ArrayLike, index: npt.ArrayLike) -> Floats:
    """Return the integral of t^-index over a time interval.

    The formula avoids cancellation for an index near 1, where the integral is a logarithm.

    Parameters
    ----------
    first, last
        Start and end of the interval, positive, in any unit of time.
    index
        Decay index; its shape must broadcast with the limits.
    """
    start, stop = np.log(first), np.log(last)
    power = 1.0 - np.asarray(index, dtype=np.float64)
    growth = power * (stop - start)
    mean = np.where(np.abs(growth) < 1e-8, 1.0, np.expm1(growth) / np.where(growth == 0.0, 1.0, growth))
    return np.asarray(np.exp(power * start) * (stop - start) * mean)
