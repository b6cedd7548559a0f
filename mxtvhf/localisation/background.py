"""The background: a mixture of components in energy and in place, whose parts the photons themselves tell.

Its density at a photon is a product of a spectrum, of a shape over the detector and of a course in time, each
a mixture. The spectral components are those of the calibration file ``background``; the shapes are flat or,
of what comes through the optics, vignetted, rising and falling along either axis, and brighter in the middle
or at the edges; the courses are steady, in one of several stretches of the good time, and as a source fades,
but what comes through the optics is steady. A background that is believed instead of fitted makes sources of
its own structure.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import numpy.typing as npt

from mxtvhf.analysis.absorption import transmission
from mxtvhf.instrument.calibration import (
    FWHM_PER_SIGMA,
    Background,
    Calibration,
    Continuum,
    EffectiveArea,
    Redistribution,
)
from mxtvhf.instrument.psf import detector_pixels
from mxtvhf.localisation.constants import detection_constants
from mxtvhf.localisation.spectral_density import blurred, measured_energies
from mxtvhf.models.arrays import Floats
from mxtvhf.models.intervals import elapsed

_STRETCHES = 8
"""Of the good time, of equal lengths."""


@dataclass(frozen=True, eq=False)
class BackgroundDensities:
    """Densities of the background's components at photons, over one that is flat in pulse height and time.

    Attributes
    ----------
    spectra
        Of the components in energy, shape (components, photons).
    courses
        Of those in time, the steady one first; None: times are not used.
    groups
        Of the components in energy, shape (components,), numbers from 0 on: those of a group have the same
        shape over the detector, and only those of the first vary in time; None: all are of one.
    vignetting
        How much fainter each group is in the corners of the detector than in its middle, 0..1; None: not.
    known
        How well the parts of the components in energy are known beforehand: so many photons count as seen of
        each, shape (components,); None: nothing is known.
    """

    spectra: Floats
    courses: Floats | None = None
    groups: npt.NDArray[np.intp] | None = None
    vignetting: tuple[float, ...] | None = None
    known: Floats | None = None


def background_courses(time: npt.ArrayLike, gti: Floats, fading: Floats) -> Floats:
    """Return the densities of the background's courses in time, over a steady one.

    Parameters
    ----------
    time
        MET seconds, in the good time intervals, shape (photons,).
    gti
        Good time intervals, shape (intervals, 2), MET seconds.
    fading
        Courses of a source, as ``photon_weights.time_weights`` gives them, shape (decays, photons): a
        background may fade as one.

    Returns
    -------
    numpy.ndarray
        Shape (courses, photons), the steady one first.
    """
    stretch = np.minimum((_STRETCHES * elapsed(time, gti)).astype(np.intp), _STRETCHES - 1)
    stretches = _STRETCHES * (stretch == np.arange(_STRETCHES)[:, np.newaxis])
    return np.vstack([np.ones(stretch.size), stretches, fading])


def background_spectra(pha: npt.ArrayLike, calibration: Calibration) -> Floats:
    """Return the densities of the background's spectral components at pulse heights, over a flat one.

    Parameters
    ----------
    pha
        Channels, in the band, shape (photons,).
    calibration
        Gain, effective area, resolution and the background's components.

    Returns
    -------
    numpy.ndarray
        Shape (components, photons); no component where the calibration gives none.
    """
    energy = calibration.gain.energy(np.asarray(pha))
    measured = measured_energies()
    table = _tables(calibration.background, calibration.effective_area, calibration.redistribution)
    densities = [np.interp(energy, measured, density) for density in table]
    return np.array(densities).reshape(len(table), energy.size)


def background_groups(calibration: Calibration) -> npt.NDArray[np.intp]:
    """Return 1 for each component of ``background_spectra`` that comes through the optics, else 0."""
    through = [one.through_optics for one in calibration.background.components]
    return np.array(through, dtype=np.intp)


def background_vignetting(calibration: Calibration) -> tuple[float, ...]:
    """Return ``BackgroundDensities.vignetting`` of the groups 0 and 1 of ``background_groups``."""
    return 0.0, calibration.background.vignetting


def known_background(calibration: Calibration) -> Floats | None:
    """Return ``BackgroundDensities.known`` of the components of ``background_spectra``; None: nothing."""
    background = calibration.background
    if not background.known_as_photons:
        return None
    return background.known_as_photons * np.array([one.part for one in background.components])


@lru_cache(maxsize=16)
def _tables(
    background: Background, area: EffectiveArea, redistribution: Redistribution
) -> tuple[Floats, ...]:
    """Densities over the measured energies of the band, their mean 1."""
    measured = measured_energies()
    tables = []
    for part in background.continua:
        if part.through_optics:
            tables.append(blurred(partial(_emitted, part), area, redistribution))
        else:
            density = _emitted(part, measured)
            tables.append(density / density.mean())
    for line in background.lines:
        sigma = redistribution.fwhm(line.energy_kev) / FWHM_PER_SIGMA
        density = np.exp(-0.5 * ((measured - line.energy_kev) / sigma) ** 2)
        tables.append(density / density.mean())
    return tuple(tables)


def _emitted(part: Continuum, energy: Floats) -> Floats:
    cut = 1.0 if part.kt_kev is None else np.exp(-energy / part.kt_kev)
    return np.asarray(energy**-part.index * cut * transmission(energy, part.nh_cm2))


def background_shapes(
    column: npt.ArrayLike, row: npt.ArrayLike, good: Floats, vignetting: tuple[float, ...] = (0.0,)
) -> Floats:
    """Return the densities of the background's shapes at pixels, each over its mean on the good pixels.

    Parameters
    ----------
    column, row
        0-based addresses, shape (photons,).
    good
        Part of the time in which good pixels looked, 0..1, ``[row, column]``.
    vignetting
        How much fainter each group of components is in the corners than in the middle, 0..1.

    Returns
    -------
    numpy.ndarray
        Shape (groups, shapes, photons), the expected one first, which is flat without vignetting.
    """
    size = detector_pixels()
    axis = 2.0 * (np.arange(size) + 0.5) / size - 1.0
    columns, rows = good.sum(axis=0) / good.sum(), good.sum(axis=1) / good.sum()
    x, y = axis[np.asarray(column)], axis[np.asarray(row)]
    most = detection_constants().background.largest_slope
    bowl, mean_bowl = x**2 + y**2, columns @ axis**2 + rows @ axis**2
    sloping = [
        (1.0 + sign * most * value) / (1.0 + sign * most * mean)
        for value, mean in ((x, columns @ axis), (y, rows @ axis), (1.0 - bowl, 1.0 - mean_bowl))
        for sign in (1.0, -1.0)
    ]
    expected = [(1.0 - 0.5 * part * bowl) / (1.0 - 0.5 * part * mean_bowl) for part in vignetting]
    return np.stack([np.stack([first, *sloping]) for first in expected])
