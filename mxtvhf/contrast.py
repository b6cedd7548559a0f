"""How much more a photon's energy and arrival time speak for the source than for the background.

A contrast is a ratio of probability densities, source over background, both normalised over what was
observed: 1 on the average over the background. The contrasts of energy and time multiply. They are made
with an expected spectrum and decay; a source that differs from these loses some of the gain, but its place
is not biased, since they say nothing of places.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from mxtvhf.calibration import FWHM_PER_SIGMA, Calibration, EffectiveArea, Redistribution
from mxtvhf.errors import InvalidInput
from mxtvhf.instrument import instrument
from mxtvhf.powerlaw import PowerLaw, decay_integral, spectrum_constants
from mxtvhf.psf import Floats

_STEP_KEV = 0.01
"""Energies between which the spectrum is summed: a sixth of the resolution at the lowest energies."""
LEAST = 1e-3
"""Lowest contrast given: a model is not known well enough to exclude a source photon."""


def energy_contrast(pha: npt.ArrayLike, calibration: Calibration, spectrum: PowerLaw | None = None) -> Floats:
    """Return the contrast of pulse heights in the energy band of ``data/instrument.toml``.

    The source's spectrum goes through the effective area and the energy resolution; the background is flat
    in pulse height (``calibration.background``).

    Parameters
    ----------
    pha
        Channels, in the band, any shape.
    calibration
        Gain, effective area and resolution.
    spectrum
        By default that of ``data/spectrum.toml``.
    """
    energy, contrast = _energy_table(
        calibration.effective_area, calibration.redistribution, spectrum or PowerLaw()
    )
    given = calibration.gain.energy(np.asarray(pha))
    return np.maximum(np.interp(given, energy, contrast), LEAST)


@lru_cache(maxsize=16)
def _energy_table(
    area: EffectiveArea, redistribution: Redistribution, spectrum: PowerLaw
) -> tuple[Floats, Floats]:
    """Measured energies (keV) of the band and the contrast of each."""
    low, high = instrument()["energy"]["band_kev"]
    measured = np.arange(low + 0.5 * _STEP_KEV, high, _STEP_KEV)
    energy = np.arange(0.5 * low, 1.2 * high, _STEP_KEV)
    emitted = spectrum.density(energy) * area.at(energy)
    sigma = redistribution.fwhm(energy) / FWHM_PER_SIGMA
    blurred = np.exp(-0.5 * ((measured[:, np.newaxis] - energy) / sigma) ** 2) @ (emitted / sigma)
    return measured, np.asarray(blurred / blurred.mean())


def time_contrast(
    time: npt.ArrayLike, gti: Floats, burst_time: float, decay_index: float | None = None
) -> Floats:
    """Return the contrast of arrival times: the source fades as (t - T0)^-index, the background does not.

    Parameters
    ----------
    time
        MET seconds, in the good time intervals, any shape.
    gti
        Good time intervals, shape (intervals, 2), MET seconds.
    burst_time
        T0, MET seconds.
    decay_index
        By default that of ``data/spectrum.toml``.

    Raises
    ------
    InvalidInput
        T0 is not before the first interval, or there is no interval.
    """
    start, stop = np.asarray(gti, dtype=np.float64).reshape(-1, 2).T - burst_time
    if start.size == 0 or start.min() <= 0.0:
        raise InvalidInput(f"burst time {burst_time} is not before the good times of the observation")
    index = spectrum_constants()["source"]["decay_index"] if decay_index is None else decay_index
    mean = decay_integral(start, stop, index).sum() / (stop - start).sum()
    since = np.maximum(np.asarray(time, dtype=np.float64) - burst_time, start.min())
    return np.asarray(np.maximum(since**-index / mean, LEAST))
