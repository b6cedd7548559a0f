"""Spectra as the detector measures them, over the energy band."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from mxtvhf.instrument.calibration import FWHM_PER_SIGMA, EffectiveArea, Redistribution
from mxtvhf.instrument.constants import instrument
from mxtvhf.models.arrays import Floats

_STEP_KEV = 0.01
"""Step of the energies in a sum over a spectrum: a sixth of the resolution at the lowest energies."""


@cache
def measured_energies() -> Floats:
    """Return equidistant energies (keV) over the band."""
    low, high = instrument().energy.band_kev
    return np.arange(low + 0.5 * _STEP_KEV, high, _STEP_KEV)


def blurred(
    density: Callable[[Floats], Floats], area: EffectiveArea, redistribution: Redistribution
) -> Floats:
    """Return the measured density of a spectrum at ``measured_energies``, with mean 1.

    Parameters
    ----------
    density
        Photons per keV and area as a function of energy (keV).
    area
        Effective area.
    redistribution
        Energy resolution.
    """
    low, high = instrument().energy.band_kev
    energy = np.arange(0.5 * low, 1.2 * high, _STEP_KEV)
    seen = density(energy) * area.at(energy)
    sigma = redistribution.fwhm(energy) / FWHM_PER_SIGMA
    response = np.exp(-0.5 * ((measured_energies()[:, np.newaxis] - energy) / sigma) ** 2)
    measured = response @ (seen / sigma)
    return np.asarray(measured / measured.mean())
