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
from mxtvhf.instrument.calibration import Calibration, EffectiveArea, Redistribution
from mxtvhf.localisation.constants import population
from mxtvhf.localisation.spectral_density import blurred, measured_energies
from mxtvhf.models.arrays import Floats

LEAST = 1e-3
"""Lowest weight given: a model is not known well enough to exclude a source photon."""


def expected_spectra() -> tuple[PowerLaw, ...]:
    """Return the spectra of the population."""
    return tuple(PowerLaw(spectrum.photon_index, spectrum.nh_cm2) for spectrum in population().spectra)


def expected_shares(*, decays: bool, stretch: float = 0.0) -> Floats:
    """Return the probability of each kind of source, in the order of ``energy_weights`` or ``joint_weights``.

    Parameters
    ----------
    decays
        Of every spectrum with every decay; else of steady sources.
    stretch
        Share of a source that is seen in one stretch of the time, the last course; 0: there is none.
    """
    spectra = np.array([spectrum.share for spectrum in population().spectra])
    courses = np.array([decay.share for decay in population().decays])
    if not decays:
        courses = courses.sum(keepdims=True)
    if stretch:
        courses = np.append(courses, stretch)
    shares = np.multiply.outer(spectra, courses).ravel()
    return np.asarray(shares / shares.sum())


def energy_weights(
    pha: npt.ArrayLike, calibration: Calibration, spectra: Sequence[PowerLaw] | None = None
) -> Floats:
    """Return the weights of pulse heights in the energy band of ``instrument/constants.toml``.

    The source's spectrum goes through the effective area and the energy resolution; the background is taken
    as flat in pulse height: what it really is, the localisation finds (module ``background``).

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
    return np.stack([np.maximum(np.interp(given, measured_energies(), table), LEAST) for table in tables])


@lru_cache(maxsize=32)
def _energy_table(area: EffectiveArea, redistribution: Redistribution, spectrum: PowerLaw) -> Floats:
    """Weight at each of the measured energies of the band."""
    return blurred(spectrum.density, area, redistribution)


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
    if decay_indices is None:
        decay_indices = [decay.index for decay in population().decays]
    index = np.asarray(decay_indices, dtype=np.float64)[:, np.newaxis]
    mean = decay_integral(start, stop, index).sum(axis=1, keepdims=True) / (stop - start).sum()
    since = np.maximum(np.asarray(time, dtype=np.float64) - burst_time, start.min())
    return np.asarray(np.maximum(since**-index / mean, LEAST))


def joint_weights(energy: Floats, time: Floats) -> Floats:
    """Return the weights of every spectrum with every decay, shape (spectra x decays, photons)."""
    # No -1 in the shape: there may be no photon.
    return np.asarray((energy[:, np.newaxis] * time).reshape(len(energy) * len(time), energy.shape[1]))
