"""The spectrum that an afterglow is expected to have: an absorbed power law."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from mxtvhf.psf import Floats


@cache
def spectrum_constants() -> dict[str, Any]:
    """Return ``data/spectrum.toml``; see the file for units and sources."""
    return tomllib.loads((files("mxtvhf") / "data" / "spectrum.toml").read_text())


@dataclass(frozen=True)
class PowerLaw:
    """An absorbed power law, in photons.

    Attributes
    ----------
    photon_index
        N(E) ~ E^-index.
    nh_cm2
        Column of absorbing hydrogen, 1/cm2; the cross-section is the approximation of
        ``data/spectrum.toml``.
    """

    photon_index: float = field(default_factory=lambda: float(spectrum_constants()["source"]["photon_index"]))
    nh_cm2: float = field(default_factory=lambda: float(spectrum_constants()["source"]["nh_cm2"]))

    def density(self, energy_kev: npt.ArrayLike) -> Floats:
        """Photons per keV, with 1 at 1 keV before absorption."""
        law = spectrum_constants()["absorption"]
        energy = np.asarray(energy_kev, dtype=np.float64)
        depth = self.nh_cm2 * law["cross_section_cm2"] * energy ** law["index"]
        return np.asarray(energy**-self.photon_index * np.exp(-depth))
