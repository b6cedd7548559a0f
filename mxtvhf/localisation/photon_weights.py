"""How much more a photon's energy and arrival time speak for the source than for the background.

A weight is a ratio of probability densities, source over background, both normalised over what was
observed: 1 on the average over the background. The weights of energy and time multiply. Sources are of
several kinds, by spectrum and decay (``source_templates.toml``), because one expected kind
would lose those that are unlike it. Weights do not bias the place of a source: they say nothing of places.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from mxtvhf.analysis.powerlaw import PowerLaw, decay_integral
from mxtvhf.errors import InvalidInput
from mxtvhf.instrument.calibration import FWHM_PER_SIGMA, Calibration, EffectiveArea, Redistribution
from mxtvhf.instrument.constants import instrument
from mxtvhf.localisation.constants import population
from mxtvhf.models.arrays import Floats

_STEP_KEV = 0.01
"""Energies between which the spectrum is summed: a sixth of the resolution at the lowest energies."""
LEAST = 1e-3
"""Lowest weight given: a model is not known well enough to exclude a source photon."""


def expected_spectra() -> tuple[PowerLaw, ...]:
    """Return the spectra of the population, all equally probable."""
    return tuple(PowerLaw(index, nh) for index, nh in population().spectra.photon_index_and_nh_cm2)


def energy_weights(
    pha: npt.ArrayLike, calibration: Calibration, spectra: Sequence[PowerLaw] | None = None
) -> Floats:
    """Return the weights of pulse heights in the energy band of ``instrument/constants.toml``.

    The source's spectrum goes through the effective area and the energy resolution; the background is flat
    in pulse height (``calibration.background``).

    Parameters
    ----------
    pha
        Channels, in the band, shape (photons,).
    calibration
        Gain, effective area and resolution.
    spectra
        By default those of ``source_templates.toml``.

    Returns
    -------
    array
        Shape (spectra, photons).
    """
    given = calibration.gain.energy(np.asarray(pha))
    tables = (
        _energy_table(calibration.effective_area, calibration.redistribution, spectrum)
        for spectrum in spectra or expected_spectra()
    )
    return np.stack([np.maximum(np.interp(given, *table), LEAST) for table in tables])


@lru_cache(maxsize=16)
def _energy_table(
    area: EffectiveArea, redistribution: Redistribution, spectrum: PowerLaw
) -> tuple[Floats, Floats]:
    """Measured energies (keV) of the band and the weight of each."""
    low, high = instrument().energy.band_kev
    measured = np.arange(low + 0.5 * _STEP_KEV, high, _STEP_KEV)
    energy = np.arange(0.5 * low, 1.2 * high, _STEP_KEV)
    emitted = spectrum.density(energy) * area.at(energy)
    sigma = redistribution.fwhm(energy) / FWHM_PER_SIGMA
    blurred = np.exp(-0.5 * ((measured[:, np.newaxis] - energy) / sigma) ** 2) @ (emitted / sigma)
    return measured, np.asarray(blurred / blurred.mean())


def time_weights(
    time: npt.ArrayLike, gti: Floats, burst_time: float, decay_indices: Sequence[float] | None = None
) -> Floats:
    """Return the weights of arrival times: the source fades as (t - T0)^-index, the background does not.

    Parameters
    ----------
    time
        MET seconds, in the good time intervals, shape (photons,).
    gti
        Good time intervals, shape (intervals, 2), MET seconds.
    burst_time
        T0, MET seconds.
    decay_indices
        By default those of ``source_templates.toml``.

    Returns
    -------
    array
        Shape (decay indices, photons).

    Raises
    ------
    InvalidInput
        T0 is not before the first interval, or there is no good time.
    """
    start, stop = np.asarray(gti, dtype=np.float64).reshape(-1, 2).T - burst_time
    if not (stop - start).sum() > 0.0:
        raise InvalidInput("good time intervals: there is no good time")
    if start.min() <= 0.0:
        raise InvalidInput(f"burst time {burst_time} is not before the good times of the observation")
    index = np.asarray(decay_indices or population().decays.index, dtype=np.float64)[:, np.newaxis]
    mean = decay_integral(start, stop, index).sum(axis=1, keepdims=True) / (stop - start).sum()
    since = np.maximum(np.asarray(time, dtype=np.float64) - burst_time, start.min())
    return np.asarray(np.maximum(since**-index / mean, LEAST))


def joint_weights(energy: Floats, time: Floats) -> Floats:
    """Return the weights of every spectrum with every decay, shape (spectra x decays, photons)."""
    # No -1 in the shape: there may be no photon.
    return np.asarray((energy[:, np.newaxis] * time).reshape(len(energy) * len(time), energy.shape[1]))
