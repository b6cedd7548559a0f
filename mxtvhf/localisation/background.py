"""Model of the background: a mixture of components in energy, position and time.

The background density at a photon is the product of a spectrum, a shape over the detector and a light curve,
each of them a mixture with fitted fractions. The spectral components come from the calibration item
``background``. The shapes are flat (vignetted for components that come through the optics), rising or falling
along each axis, and brighter in the middle or at the edges. The light curves are constant, non-zero in one of
several equal intervals of the GTIs, and those of the source templates: a background that varies like a source
must not look like one. Components through the optics are constant in time. The fractions are fitted because a
fixed, wrong background model would produce sources from its own structure.
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
"""Number of equal intervals into which the GTIs are divided."""


@dataclass(frozen=True, eq=False)
class BackgroundDensities:
    """Densities of the background components at the photons, relative to a flat density in PHA and time.

    Attributes
    ----------
    spectra
        Densities of the spectral components, shape (components, photons).
    courses
        Densities of the light curves, the constant one first, shape (light curves, photons); None: times are
        not used.
    groups
        Group of each spectral component, shape (components,), numbered from 0: the components of a group
        share a shape over the detector, and only group 0 varies in time. None: all are in group 0.
    vignetting
        Relative loss of each group from the middle of the detector to its corners, 0..1; None: no loss.
    known
        Prior photons of each spectral component, shape (components,): the fractions are known as if these
        photons had been observed. None: the fractions are unknown.
    """

    spectra: Floats
    courses: Floats | None = None
    groups: npt.NDArray[np.intp] | None = None
    vignetting: tuple[float, ...] | None = None
    known: Floats | None = None


def background_courses(time: npt.ArrayLike, gti: Floats, of_sources: Floats) -> Floats:
    """Return the densities of the background light curves relative to a constant one.

    Parameters
    ----------
    time
        MET seconds, within the GTIs, shape (photons,).
    gti
        Good time intervals, shape (intervals, 2), MET seconds.
    of_sources
        Light curves of the source templates, shape (light curves, photons): the decays of
        ``photon_weights.time_weights`` and the interval of ``stretch.best_stretch``.

    Returns
    -------
    numpy.ndarray
        Shape (light curves, photons), the constant one first.
    """
    stretch = np.minimum((_STRETCHES * elapsed(time, gti)).astype(np.intp), _STRETCHES - 1)
    stretches = _STRETCHES * (stretch == np.arange(_STRETCHES)[:, np.newaxis])
    return np.vstack([np.ones(stretch.size), stretches, of_sources])


def background_spectra(pha: npt.ArrayLike, calibration: Calibration) -> Floats:
    """Return the densities of the spectral components of the background relative to a density flat in PHA.

    Parameters
    ----------
    pha
        PHA channels within the energy band, shape (photons,).
    calibration
        Calibration with gain, effective area, redistribution and background components.

    Returns
    -------
    numpy.ndarray
        Shape (components, photons); no rows if the calibration lists no component.
    """
    energy = calibration.gain.energy(np.asarray(pha))
    measured = measured_energies()
    table = _tables(calibration.background, calibration.effective_area, calibration.redistribution)
    densities = [np.interp(energy, measured, density) for density in table]
    return np.array(densities).reshape(len(table), energy.size)


def background_groups(calibration: Calibration) -> npt.NDArray[np.intp]:
    """Return 1 for each spectral component that comes through the optics, else 0.

    Parameters
    ----------
    calibration
        Calibration with the background components, in the order of ``background_spectra``.
    """
    through = [one.through_optics for one in calibration.background.components]
    return np.array(through, dtype=np.intp)


def background_vignetting(calibration: Calibration) -> tuple[float, ...]:
    """Return the vignetting of groups 0 and 1 of ``background_groups``.

    Parameters
    ----------
    calibration
        Calibration with the vignetting of the sky background.
    """
    return 0.0, calibration.background.vignetting


def known_background(calibration: Calibration) -> Floats | None:
    """Return the prior photons of the spectral components; None if their fractions are unknown.

    Parameters
    ----------
    calibration
        Calibration with the background components, in the order of ``background_spectra``.
    """
    background = calibration.background
    if not background.known_as_photons:
        return None
    return background.known_as_photons * np.array([one.part for one in background.components])


@lru_cache(maxsize=16)
def _tables(
    background: Background, area: EffectiveArea, redistribution: Redistribution
) -> tuple[Floats, ...]:
    """Return the density of each component at the measured energies of the band, with mean 1."""
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
    """Return the densities of the background shapes at pixels, each relative to its mean on the good pixels.

    Parameters
    ----------
    column, row
        Pixel addresses, 0-based, shape (photons,).
    good
        Exposed fraction of each pixel, 0..1, ``[row, column]``.
    vignetting
        Relative loss of each group from the middle to the corners, 0..1.

    Returns
    -------
    numpy.ndarray
        Shape (groups, shapes, photons). The first shape of a group is the expected one: flat apart from
        vignetting.
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
