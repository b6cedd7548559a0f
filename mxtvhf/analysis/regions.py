"""Source and background regions on the detector.

The image of a source fills the whole detector, so a background region also contains source photons. A source
of S photons and a background of b photons per pixel give

    N_s = S f_s + b A_s,      N_b = S f_b + b A_b

photons in the source and the background region, which have A_s and A_b good pixels. With a = A_s / A_b the
difference N_s - a N_b has the mean S (f_s - a f_b); f_s - a f_b is the effective fraction, which corrects
rates and effective area. Like the effective area, S refers to the photons that the whole detector would count
from the source at its centre, so the fractions include the loss at the detector's edges. If the pointing
moved, positions are drift-corrected, and areas and fractions weight each pixel by its exposure, 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mxtvhf.analysis.constants import analysis_constants
from mxtvhf.errors import InvalidInput
from mxtvhf.instrument.pixels import ExposureMap
from mxtvhf.instrument.psf import LobsterEyePsf, detector_pixels
from mxtvhf.models.arrays import Floats

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Regions:
    """A circle about the source, and the background beyond a gap around it.

    Attributes
    ----------
    x, y
        Centre, continuous 0-based drift-corrected pixels.
    radius, inner_radius
        Radius of the circle and inner radius of the background region, pixels.
    psf
        Point spread function used for the fractions.
    exposure
        The exposure map.
    source, background
        Masks of the exposed pixels of each region, ``[row, column]`` in drift-corrected pixels.
    source_fraction, background_fraction
        Enclosed fractions f_s and f_b, see the module.
    """

    x: float
    y: float
    radius: float
    inner_radius: float
    psf: LobsterEyePsf
    exposure: ExposureMap
    source: Mask
    background: Mask
    source_fraction: float
    background_fraction: float

    @property
    def areas(self) -> tuple[float, float]:
        """Sum of the exposure of the pixels in the source and the background region."""
        return float(self.exposure[self.source].sum()), float(self.exposure[self.background].sum())

    @property
    def area_ratio(self) -> float:
        """Ratio a of the areas of source and background region."""
        source, background = self.areas
        return source / background

    @property
    def effective_fraction(self) -> float:
        """Effective fraction f_s - a f_b, see the module."""
        return self.source_fraction - self.area_ratio * self.background_fraction


def choose_regions(
    x: float, y: float, *, n_source: float, n_background: float, psf: LobsterEyePsf, exposure: ExposureMap
) -> Regions:
    """Choose the circle with the best expected signal-to-noise ratio.

    The noise is that of the difference, N_s + a^2 N_b.

    Parameters
    ----------
    x, y
        Position of the source, continuous 0-based drift-corrected pixels.
    n_source, n_background
        Expected numbers of photons on the good pixels; ``n_source`` is positive.
    psf
        The point spread function.
    exposure
        Exposure map; pixels with 0 are not used.

    Raises
    ------
    InvalidInput
        The position is off the detector, there are no source photons, a number is not finite, or there are
        too few good pixels for a source and a background region.
    """
    edge = detector_pixels() - 0.5
    if not (-0.5 <= x <= edge and -0.5 <= y <= edge):
        raise InvalidInput(f"source region: position ({x}, {y}) is outside the detector")
    if not (0.0 < n_source < np.inf and 0.0 <= n_background < np.inf):
        raise InvalidInput(
            f"source region: invalid numbers of source ({n_source}) and background photons ({n_background})"
        )
    rules = analysis_constants().region
    radii = np.arange(rules.smallest_pixel, rules.largest_pixel + 1.0)
    signal_to_noise = _expected(x, y, radii, n_source, n_background, psf, exposure)
    if not (signal_to_noise > 0.0).any():
        raise InvalidInput(
            f"source region at ({x:.1f}, {y:.1f}): too few good detector pixels for a source "
            f"and a background region ({np.count_nonzero(exposure)})"
        )
    return regions_at(x, y, float(radii[np.argmax(signal_to_noise)]), psf=psf, exposure=exposure)


def regions_at(x: float, y: float, radius: float, *, psf: LobsterEyePsf, exposure: ExposureMap) -> Regions:
    """Return the regions for a source region of given radius.

    Parameters
    ----------
    x, y
        Centre, continuous 0-based pixels.
    radius
        Radius of the source region, pixels.
    psf
        PSF of the source.
    exposure
        Exposure map; pixels without exposure are left out.
    """
    distance, image = distances(x, y), exposure * psf.image(x, y) / _reference(psf)
    used = exposure > 0.0
    inner = radius + analysis_constants().region.gap_pixel
    source, background = used & (distance <= radius), used & (distance > inner)
    return Regions(
        x=x,
        y=y,
        radius=radius,
        inner_radius=inner,
        psf=psf,
        exposure=exposure,
        source=source,
        background=background,
        source_fraction=float(image[source].sum()),
        background_fraction=float(image[background].sum()),
    )


def distances(x: float, y: float) -> Floats:
    """Return the distance (pixels) of every pixel centre from a position, ``[row, column]``.

    Parameters
    ----------
    x, y
        Position, continuous 0-based pixels.
    """
    pixel = np.arange(detector_pixels())
    return np.asarray(np.hypot((pixel - y)[:, np.newaxis], pixel - x))


def _reference(psf: LobsterEyePsf) -> float:
    """Return the enclosed fraction of the whole detector for a source at its centre."""
    middle = 0.5 * (detector_pixels() - 1)
    return psf.enclosed(middle, middle)


def _expected(
    x: float,
    y: float,
    radii: Floats,
    n_source: float,
    n_background: float,
    psf: LobsterEyePsf,
    exposure: ExposureMap,
) -> Floats:
    """Return the signal-to-noise ratio per radius; 0 without source or sufficient background region."""
    rules, used = analysis_constants().region, exposure > 0.0
    weight = exposure[used]
    distance, image = distances(x, y)[used], weight * psf.image(x, y)[used]
    if not distance.size:
        return np.zeros_like(radii)
    order = np.argsort(distance)
    distance = distance[order]
    within, area = (np.concatenate([[0.0], np.cumsum(each[order])]) for each in (image, weight))
    inside = np.searchsorted(distance, radii, side="right")
    outside = np.searchsorted(distance, radii + rules.gap_pixel, side="right")
    source_pixels, background_pixels = area[inside], area[-1] - area[outside]
    usable = (inside > 0) & (background_pixels >= rules.least_background_pixels)
    ratio = np.where(usable, source_pixels / np.maximum(background_pixels, 1.0), 0.0)
    source, background = n_source / within[-1], n_background / area[-1]
    in_source, in_background = source * within[inside], source * (within[-1] - within[outside])
    noise = (
        in_source + background * source_pixels + ratio**2 * (in_background + background * background_pixels)
    )
    signal = in_source - ratio * in_background
    return np.asarray(np.where(usable, signal / np.sqrt(np.maximum(noise, 1e-300)), 0.0))
