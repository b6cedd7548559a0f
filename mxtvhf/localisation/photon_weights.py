"""Photon weights: likelihood ratios of source and background for energy and arrival time.

Both densities of a weight are normalised over the observation, so that the mean weight of a flat background
is 1. The weights of energy and time multiply. Several source templates, defined by spectrum and decay
(``source_templates.toml``), are used, because one expected template would lose sources that differ from it.
Weights do not bias the position of a source, since they do not depend on positions.
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
"""Lowest weight: no model is known well enough to exclude a source photon."""


def expected_spectra() -> tuple[PowerLaw, ...]:
    """Return the spectra of the source templates."""
    return tuple(PowerLaw(spectrum.photon_index, spectrum.nh_cm2) for spectrum in population().spectra)


def expected_shares(*, decays: bool, stretch: float = 0.0) -> Floats:
    """Return the prior probability of each template, in the order of ``energy_weights`` or ``joint_weights``.

    Parameters
    ----------
    decays
        True: of every spectrum with every decay; False: of every spectrum, without decays.
    stretch
        Share of a source that is visible in one interval of the observation, the last light curve; 0: no such
        template.

    Returns
    -------
    numpy.ndarray
        Shape (templates,), sum 1.
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

    The source spectrum is folded with effective area and redistribution. The background is flat in PHA here;
    its real spectrum is fitted later (module ``background``).

    Parameters
    ----------
    pha
        PHA channels within the energy band, shape (photons,).
    calibration
        Calibration with gain, effective area and redistribution.
    spectra
        Source spectra; None: those of ``source_templates.toml``.

    Returns
    -------
    numpy.ndarray
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
    """Return the weight at each measured energy of the band."""
    return blurred(spectrum.density, area, redistribution)


def time_weights(
    time: npt.ArrayLike, gti: Floats, burst_time: float, decay_indices: Sequence[float] | None = None
) -> Floats:
    """Return the weights of arrival times for a source that fades as (t - T0)^-index.

    The background is constant here; its real light curve is fitted later (module ``background``).

    Parameters
    ----------
    time
        MET seconds, within the GTIs, shape (photons,).
    gti
        Good time intervals, shape (intervals, 2), MET seconds.
    burst_time
        T0, MET seconds.
    decay_indices
        Decay indices; None: those of ``source_templates.toml``.

    Returns
    -------
    numpy.ndarray
        Shape (decay indices, photons).

    Raises
    ------
    InvalidInput
        T0 is not before the first interval, or the GTIs are empty.
    """
    start, stop = np.asarray(gti, dtype=np.float64).reshape(-1, 2).T - burst_time
    if not (stop - start).sum() > 0.0:
        raise InvalidInput(
            "good time intervals: total length is 0 s; expected at least one non-empty interval"
        )
    if start.min() <= 0.0:
        raise InvalidInput(
            f"burst time: MET {burst_time} s is not before the start of the first good time interval, "
            f"{start.min() + burst_time} s; use a T0 before the observation, or no T0"
        )
    if decay_indices is None:
        decay_indices = [decay.index for decay in population().decays]
    index = np.asarray(decay_indices, dtype=np.float64)[:, np.newaxis]
    mean = decay_integral(start, stop, index).sum(axis=1, keepdims=True) / (stop - start).sum()
    since = np.maximum(np.asarray(time, dtype=np.float64) - burst_time, start.min())
    return np.asarray(np.maximum(since**-index / mean, LEAST))


def joint_weights(energy: Floats, time: Floats) -> Floats:
    """Return the weights of every spectrum with every light curve.

    Parameters
    ----------
    energy
        Weights of each spectrum, shape (spectra, photons).
    time
        Weights of each light curve, shape (light curves, photons).

    Returns
    -------
    numpy.ndarray
        Shape (spectra x light curves, photons), the light curve varying fastest.
    """
    # The shape is explicit because -1 fails without photons.
    return np.asarray((energy[:, np.newaxis] * time).reshape(len(energy) * len(time), energy.shape[1]))
