"""Whether the energies and times of all photons are of a mixture of what the localisation knows.

A background that is unlike its components in energy or in time, such as a line that the calibration does not
list, would hide a source or make one: the photons of one energy have the weights of another. So the photons
are counted in cells of energy, and of good time, and compared with the mixture of all components, of the
background and of sources alike, that fits them best. An excess in any stretch of adjacent cells that
this cannot explain says that energies, or times, tell nothing; the places then decide alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mxtvhf.instrument.calibration import Calibration
from mxtvhf.localisation.background import background_courses, background_spectra
from mxtvhf.localisation.constants import detection_constants
from mxtvhf.localisation.mixture import mixture_parts
from mxtvhf.localisation.photon_weights import energy_weights, time_weights
from mxtvhf.localisation.spectral_density import measured_energies
from mxtvhf.localisation.stretch import Stretch
from mxtvhf.models.arrays import Floats
from mxtvhf.models.intervals import elapsed, length

_ENERGY_CELLS = 70
"""Over the band, of 0.14 keV: about as wide as the resolution."""
_TIME_CELLS = 128
"""Of the good time: half as long as the slices of ``stretch``."""
_WIDTHS = (1, 2, 4, 8)
"""Of an excess, in cells."""
_NOTHING: Floats = np.zeros(0)


def energies_are_expected(pha: npt.ArrayLike, calibration: Calibration) -> bool:
    """Tell whether pulse heights (channels in the band) are of a mixture of all known spectra."""
    measured = measured_energies()
    channel = calibration.gain.channel(measured)
    densities = np.vstack([background_spectra(channel, calibration), energy_weights(channel, calibration)])
    densities = densities.reshape(len(densities), _ENERGY_CELLS, -1).mean(axis=-1)
    edges = np.append(measured[:: measured.size // _ENERGY_CELLS], np.inf)
    energy = calibration.gain.energy(np.asarray(pha))
    cell = np.searchsorted(edges, energy, side="right") - 1
    return _is_expected(np.maximum(cell, 0), densities)


def times_are_expected(time: npt.ArrayLike, gti: Floats, burst_time: float, stretch: Stretch) -> bool:
    """Tell whether arrival times are of a mixture of all known courses.

    Parameters
    ----------
    time
        MET seconds, in the good time intervals, shape (photons,).
    gti
        Good time intervals, shape (intervals, 2), MET seconds.
    burst_time
        T0, MET seconds, from which sources fade.
    stretch
        In which one may be seen.
    """
    part = (np.arange(_TIME_CELLS) + 0.5) / _TIME_CELLS
    passed = np.concatenate([[0.0], np.cumsum(gti[:, 1] - gti[:, 0])])
    interval = np.searchsorted(passed[1:-1], part * length(gti), side="right")
    middle = gti[interval, 0] + part * length(gti) - passed[interval]
    courses = background_courses(middle, gti, time_weights(middle, gti, burst_time))
    cell = np.minimum((_TIME_CELLS * elapsed(time, gti)).astype(np.intp), _TIME_CELLS - 1)
    return _is_expected(cell, np.vstack([courses, stretch.density(part)]))


def _is_expected(cell: npt.NDArray[np.intp], densities: Floats) -> bool:
    return largest_excess(cell, densities) < detection_constants().misfit.ts_threshold


def largest_excess(cell: npt.NDArray[np.intp], densities: Floats) -> float:
    """Return how far the largest excess of photons in adjacent cells is above the best mixture.

    Parameters
    ----------
    cell
        Of each photon, shape (photons,).
    densities
        Of the components, one of them nowhere 0, over a flat one, shape (components, cells).

    Returns
    -------
    float
        2 ln of the likelihood ratio of the photons inside and outside of these cells, with their own part
        and with that of the mixture. The probability of an excess of at least t in given cells is at most
        exp(-t / 2) (Chernoff 1952, Ann. Math. Stat. 23, 493).
    """
    number = np.bincount(cell, minlength=densities.shape[1]).astype(np.float64)
    total = number.sum()
    expected = mixture_parts(densities, number, _NOTHING) @ densities
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
