"""Test whether the energies and times of the photons agree with the known components.

A background that differs from its components in energy or time, such as a line that the calibration does not
list, could hide or imitate a source. The photons are therefore counted in cells of energy, and of good time,
and compared with the best-fitting mixture of all background and source components. If the excess in any run
of adjacent cells cannot be explained, the energies, or the times, are not used, and positions alone decide.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mxtvhf.instrument.calibration import Calibration
from mxtvhf.localisation.background import background_courses, background_spectra
from mxtvhf.localisation.constants import detection_constants
from mxtvhf.localisation.mixture import mixture_fractions
from mxtvhf.localisation.photon_weights import energy_weights, time_weights
from mxtvhf.localisation.spectral_density import measured_energies
from mxtvhf.localisation.stretch import Stretch
from mxtvhf.models.arrays import Floats
from mxtvhf.models.intervals import elapsed, length

_ENERGY_CELLS = 70
"""Cells in the energy band, 0.14 keV each: about the energy resolution."""
_TIME_CELLS = 128
"""Cells in the good time, half as long as the slices of module ``stretch``."""
_WIDTHS = (1, 2, 4, 8)
"""Widths of an excess that are tested, in cells."""
_NOTHING: Floats = np.zeros(0)


def energies_are_expected(pha: npt.ArrayLike, calibration: Calibration) -> bool:
    """Return whether the pulse heights agree with a mixture of all known spectra.

    Parameters
    ----------
    pha
        PHA channels within the energy band, shape (photons,).
    calibration
        Calibration with gain, effective area, redistribution and background components.
    """
    measured = measured_energies()
    channel = calibration.gain.channel(measured)
    densities = np.vstack([background_spectra(channel, calibration), energy_weights(channel, calibration)])
    densities = densities.reshape(len(densities), _ENERGY_CELLS, -1).mean(axis=-1)
    edges = np.append(measured[:: measured.size // _ENERGY_CELLS], np.inf)
    energy = calibration.gain.energy(np.asarray(pha))
    cell = np.searchsorted(edges, energy, side="right") - 1
    return _is_expected(np.maximum(cell, 0), densities)


def times_are_expected(time: npt.ArrayLike, gti: Floats, burst_time: float, stretch: Stretch) -> bool:
    """Return whether the arrival times agree with a mixture of all known light curves.

    Parameters
    ----------
    time
        MET seconds, within the GTIs, shape (photons,).
    gti
        Good time intervals, shape (intervals, 2), MET seconds.
    burst_time
        T0, MET seconds, from which sources fade.
    stretch
        Interval in which a source may be visible.
    """
    part = (np.arange(_TIME_CELLS) + 0.5) / _TIME_CELLS
    passed = np.concatenate([[0.0], np.cumsum(gti[:, 1] - gti[:, 0])])
    interval = np.searchsorted(passed[1:-1], part * length(gti), side="right")
    middle = gti[interval, 0] + part * length(gti) - passed[interval]
    of_sources = np.vstack([time_weights(middle, gti, burst_time), stretch.density(part)])
    cell = np.minimum((_TIME_CELLS * elapsed(time, gti)).astype(np.intp), _TIME_CELLS - 1)
    return _is_expected(cell, background_courses(middle, gti, of_sources))


def _is_expected(cell: npt.NDArray[np.intp], densities: Floats) -> bool:
    return largest_excess(cell, densities) < detection_constants().misfit.ts_threshold


def largest_excess(cell: npt.NDArray[np.intp], densities: Floats) -> float:
    """Return the test statistic of the largest excess of photons in adjacent cells above the best mixture.

    Parameters
    ----------
    cell
        Cell of each photon, shape (photons,).
    densities
        Densities of the components relative to a flat one, shape (components, cells); at least one of them is
        positive in every cell.

    Returns
    -------
    float
        Twice the log-likelihood ratio of the numbers of photons inside and outside of these cells, with a
        free fraction and with that of the mixture. The probability of an excess of at least t in given cells
        is at most exp(-t / 2) (Chernoff 1952, Ann. Math. Stat. 23, 493).
    """
    number = np.bincount(cell, minlength=densities.shape[1]).astype(np.float64)
    total = number.sum()
    expected = mixture_fractions(densities, number, _NOTHING) @ densities
    expected *= total / expected.sum()
    largest = 0.0
    for width in _WIDTHS:
        seen, mean = (np.convolve(values, np.ones(width), "valid") for values in (number, expected))
        others, other_mean = total - seen, np.maximum(total - mean, np.finfo(np.float64).tiny)
        with np.errstate(divide="ignore", invalid="ignore"):
            inside = np.where(seen > mean, seen * np.log(seen / mean), 0.0)
            outside = np.where((seen > mean) & (others > 0.0), others * np.log(others / other_mean), 0.0)
        largest = max(largest, 2.0 * float((inside + outside).max()))
    return largest
