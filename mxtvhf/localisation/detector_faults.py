"""Faults of the detector that the photons of a run reveal, and the pixels to exclude."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mxtvhf.instrument.pixels import (
    RawLine,
    RawMask,
    blocks_mask,
    line_mask,
    pixel_mask,
    pixels_of,
)
from mxtvhf.localisation.dead_areas import dead_blocks, dead_lines, dead_pixels
from mxtvhf.localisation.flicker import flickering_lines, flickering_pixels
from mxtvhf.localisation.hot_pixels import hot_pixels
from mxtvhf.localisation.model import DetectorFaults
from mxtvhf.localisation.noisy_lines import noisy_lines
from mxtvhf.models.arrays import Floats


def find_detector_faults(
    column: npt.ArrayLike,
    row: npt.ArrayLike,
    good: npt.NDArray[np.bool_],
    time: npt.ArrayLike | None = None,
) -> DetectorFaults:
    """Return the faults that the photons of a run reveal.

    Parameters
    ----------
    column, row
        Raw coordinates of the photons, integers on the detector, shape (photons,).
    good
        Pixels to use, ``[row, column]``: bad pixels of the calibration are not searched.
    time
        Arrival times of the photons, any unit, shape (photons,); None: no search for flickering pixels and
        lines.

    Returns
    -------
    DetectorFaults
        Faults found at the false-alarm rates of ``detection.toml``.
    """
    x, y = np.asarray(column, dtype=np.intp), np.asarray(row, dtype=np.intp)
    used = good[y, x]
    if not used.any():
        return DetectorFaults(n_photons=0)
    x, y = x[used], y[used]
    pixels, lines = np.zeros_like(good), set[RawLine]()
    if time is not None:
        when = np.asarray(time)[used]
        pixels |= pixel_mask(flickering_pixels(x, y, when))
        steady = ~pixels[y, x]
        lines |= set(flickering_lines(x[steady], y[steady], when[steady]))
    image = np.bincount(y * good.shape[1] + x, minlength=good.size).reshape(good.shape)
    return faults_of_image(image, good.astype(np.float64), flickering=(pixels, lines))


def faults_of_image(
    image: npt.NDArray[np.int64],
    exposure: Floats,
    *,
    flickering: tuple[npt.NDArray[np.bool_], set[RawLine]] | None = None,
    single_dead_pixels: bool = False,
) -> DetectorFaults:
    """Return the faults that the photons per pixel reveal.

    Parameters
    ----------
    image
        Photons per pixel, ``[row, column]``, raw coordinates.
    exposure
        Exposure of each pixel in any unit, the same shape; 0 excludes the pixel.
    flickering
        Mask of the pixels, and the lines, that are already known to flicker; None: none known.
    single_dead_pixels
        True: search for dead pixels, which needs about ten photons per pixel.
    """
    pixels, lines = flickering or (np.zeros(image.shape, dtype=np.bool_), set[RawLine]())
    exposed = exposure.copy()
    exposed[pixels | line_mask(lines)] = 0.0
    # The first pass counts hit pixels, not photons: a hot pixel then does not make its line noisy, and a line
    # that is noisy everywhere is reported as a line.
    lines = lines | set(noisy_lines(np.minimum(image, 1), exposed))
    exposed[line_mask(lines)] = 0.0
    pixels = pixels | hot_pixels(image, exposed)
    exposed[pixels] = 0.0
    lines |= set(noisy_lines(image, exposed))
    noisy = line_mask(lines)
    exposed[noisy] = 0.0
    lines_without = dead_lines(image, exposed)
    exposed[line_mask(lines_without)] = 0.0
    blocks_without = dead_blocks(image, exposed)
    exposed[blocks_mask(blocks_without)] = 0.0
    return DetectorFaults(
        hot_pixels=pixels_of(RawMask(pixels & ~noisy)),
        noisy_lines=tuple(sorted(lines)),
        dead_lines=lines_without,
        dead_blocks=blocks_without,
        dead_pixels=pixels_of(RawMask(dead_pixels(image, exposed))) if single_dead_pixels else (),
        n_photons=int(image[(pixels | noisy) & (exposure > 0.0)].sum()),
    )
