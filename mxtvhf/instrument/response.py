"""Response of telescope and detector: effective area and energy redistribution as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import ndtr

from mxtvhf.instrument.calibration import FWHM_PER_SIGMA, EffectiveArea, Redistribution
from mxtvhf.instrument.constants import instrument
from mxtvhf.models.arrays import Floats

_REACH = 6.0
"""Half width of a line's redistribution that is kept, in sigma; 2e-9 of its photons lie beyond."""


@dataclass(frozen=True, eq=False)
class Response:
    """Response to photons by energy.

    Attributes
    ----------
    energy_edges
        Edges of the energy bins, keV, ascending.
    area
        Effective area at the centre of each bin, cm2, for all light that falls on the detector.
    matrix
        Probability of each channel, shape (energy bins, channels).
    """

    energy_edges: Floats
    area: Floats
    matrix: Floats

    @property
    def energies(self) -> Floats:
        """Return the centres of the energy bins, keV."""
        return np.asarray(0.5 * (self.energy_edges[1:] + self.energy_edges[:-1]))


def channel_edges() -> Floats:
    """Return the energies (keV) of the PI channel edges, one more than there are channels."""
    pi = instrument().pi
    return np.asarray(pi.channel_width_kev * np.arange(pi.channels + 1.0))


def response_of(area: EffectiveArea, redistribution: Redistribution) -> Response:
    """Return the response over the instrument's energy band, in bins as wide as a PI channel.

    Parameters
    ----------
    area
        Calibration of the effective area.
    redistribution
        Calibration of the energy resolution.
    """
    low, high = instrument().energy.band_kev
    bins = round((high - low) / instrument().pi.channel_width_kev)
    edges = np.linspace(low, high, bins + 1)
    middle = 0.5 * (edges[1:] + edges[:-1])
    return Response(edges, area.at(middle), redistribution_matrix(redistribution, bins))


@lru_cache(maxsize=4)
def redistribution_matrix(redistribution: Redistribution, bins: int) -> Floats:
    """Return the probability of each PI channel for photons at the centre of each energy bin.

    The line is a Gaussian, cut off at 6 sigma; the shape is (bins, channels).

    Parameters
    ----------
    redistribution
        Calibration of the energy resolution.
    bins
        Number of energy bins of equal width over the energy band.
    """
    low, high = instrument().energy.band_kev
    energy = low + (high - low) * (np.arange(bins) + 0.5) / bins
    sigma = redistribution.fwhm(energy) / FWHM_PER_SIGMA
    away = (channel_edges() - energy[:, np.newaxis]) / sigma[:, np.newaxis]
    matrix = np.diff(ndtr(away), axis=1)
    matrix[(away[:, 1:] < -_REACH) | (away[:, :-1] > _REACH)] = 0.0
    return np.asarray(matrix)
