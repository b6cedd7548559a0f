"""Faults of the detector that the photons of a run show by themselves: what is left out, and why."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mxtvhf.instrument.pixels import (
    RawBlock,
    RawLine,
    RawMask,
    RawPixel,
    blocks_mask,
    blocks_text,
    line_mask,
    lines_text,
    pixel_mask,
    pixels_of,
)
from mxtvhf.localisation.dead_areas import dead_blocks, dead_lines, dead_pixels
from mxtvhf.localisation.flicker import flickering_lines, flickering_pixels
from mxtvhf.localisation.hot_pixels import hot_pixels
from mxtvhf.localisation.noisy_lines import noisy_lines
from mxtvhf.models.arrays import Floats
from mxtvhf.models.base import Model

_MOST_NAMED = 5
"""Hot pixels that a text names one by one."""


class DetectorFaults(Model):
    """Pixels to leave out beside the bad ones of the calibration, at their raw addresses."""

    hot_pixels: tuple[RawPixel, ...] = ()
    """Alone or in clusters; no source can be so narrow, or so short."""
    noisy_lines: tuple[RawLine, ...] = ()
    """Rows and columns with too many photons, all the time or in a moment."""
    dead_lines: tuple[RawLine, ...] = ()
    """Rows and columns with too few."""
    dead_blocks: tuple[RawBlock, ...] = ()
    dead_pixels: tuple[RawPixel, ...] = ()
    """Looked for over many runs only."""
    n_photons: int | None = None
    """Photons of hot pixels and noisy lines, left out; None in records older than this field."""

    def mask(self) -> RawMask:
        """Return the mask of the detector, ``[row, column]``, True where pixels are left out."""
        lines = line_mask((*self.noisy_lines, *self.dead_lines))
        pixels = pixel_mask((*self.hot_pixels, *self.dead_pixels))
        return RawMask(lines | pixels | blocks_mask(self.dead_blocks))

    def text(self) -> str:
        """Say what was left out, beginning with a semicolon; empty without faults."""
        found = []
        if self.hot_pixels:
            listed = ", ".join(f"({column}, {row})" for column, row in self.hot_pixels[:_MOST_NAMED])
            found.append(f"left out {len(self.hot_pixels)} hot pixels (column, row): {listed}")
        if self.noisy_lines:
            found.append(f"left out the noisy {lines_text(self.noisy_lines)}")
        if self.dead_lines:
            found.append(f"left out the dead {lines_text(self.dead_lines)}")
        if self.dead_blocks:
            found.append(f"left out the dead {blocks_text(self.dead_blocks)}")
        if self.dead_pixels:
            found.append(f"left out {len(self.dead_pixels)} dead pixels")
        if self.n_photons:
            found.append(f"{self.n_photons} photons of the detector's noise were left out")
        return "".join(f"; {one}" for one in found)


def find_detector_faults(
    column: npt.ArrayLike,
    row: npt.ArrayLike,
    good: npt.NDArray[np.bool_],
    time: npt.ArrayLike | None = None,
) -> DetectorFaults:
    """Find the faults that the photons of a run show.

    Parameters
    ----------
    column, row
        Raw addresses of the photons, whole numbers on the detector.
    good
        Pixels to use, ``[row, column]`` of raw addresses: what the calibration lists as bad is no fault to
        find.
    time
        Times of the photons, for what flickers; None: not looked for.

    Returns
    -------
    DetectorFaults
        All pixels and lines in it are found at a false-alarm rate of ``detection.toml``.
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
    """Find the faults that the photons per pixel show.

    Parameters
    ----------
    image
        Photons per pixel, ``[row, column]``, raw addresses.
    exposure
        How long each pixel was exposed, in any unit, the same shape; 0: not to be used.
    flickering
        Mask of the pixels, and the lines, that are known to be noisy already.
    single_dead_pixels
        Whether to look for dead pixels; only images with some ten photons per pixel show any.
    """
    pixels, lines = flickering or (np.zeros(image.shape, dtype=np.bool_), set[RawLine]())
    exposed = exposure.copy()
    exposed[pixels | line_mask(lines)] = 0.0
    # First by the pixels that were hit: a hot pixel makes no line noisy, and the pixels of a line that is
    # noisy all over are not told one by one.
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
