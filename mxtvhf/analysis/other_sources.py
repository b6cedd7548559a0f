"""Other sources in the field, when one of them is measured: they are kept out of its background region.

The optics spread every source over the whole detector. Circles around the others take out where they outshine
the background; what is left of them in the two regions is estimated, and told with the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mxtvhf.analysis.constants import analysis_constants
from mxtvhf.analysis.regions import Regions, distances
from mxtvhf.instrument.pixels import ExposureMap
from mxtvhf.instrument.psf import LobsterEyePsf
from mxtvhf.models.arrays import Floats


@dataclass(frozen=True)
class OtherSource:
    """A source beside the one that is measured."""

    x: float
    """Continuous 0-based drift-corrected pixels."""
    y: float
    counts: float
    """Its photons on the good pixels."""


def exposure_without(
    exposure: ExposureMap,
    x: float,
    y: float,
    others: Sequence[OtherSource],
    *,
    n_background: float,
    psf: LobsterEyePsf,
) -> ExposureMap:
    """Return the exposure map without circles around the other sources.

    A circle has the area in which its source is brighter than the background. It reaches at most half the way
    to the source that is measured, and circles stop where a part of the exposed pixels is left
    (``analysis/analysis.toml``): the brightest sources go first.

    Parameters
    ----------
    exposure
        The exposure map.
    x, y
        The source that is measured.
    others
        The others; may be empty.
    n_background
        Background photons on the good pixels.
    psf
        The point spread function.
    """
    rules = analysis_constants().others
    exposed = float(exposure.sum())
    kept = np.asarray(exposure)
    for other in sorted(others, key=lambda one: -one.counts):
        bright = _image(other, exposure, psf) * exposed > n_background * (exposure > 0.0)
        radius = min(
            float(np.sqrt(np.count_nonzero(bright) / np.pi)),
            rules.largest_pixel,
            0.5 * float(np.hypot(other.x - x, other.y - y)),
        )
        smaller = np.where(distances(other.x, other.y) <= radius, 0.0, kept)
        if smaller.sum() < rules.least_left * exposed:
            break
        kept = smaller
    return ExposureMap(kept)


def others_fraction(
    regions: Regions,
    others: Sequence[OtherSource],
    source_photons: int,
    background_photons: int,
    *,
    exposure: ExposureMap,
    psf: LobsterEyePsf,
) -> float | None:
    """Estimate what part of the net counts is of other sources.

    Parameters
    ----------
    regions
        Source and background region.
    others
        The others.
    source_photons, background_photons
        Photons in the two regions.
    exposure
        The exposure map that the sources' counts refer to, without circles.
    psf
        The point spread function.

    Returns
    -------
    float or None
        Negative where they are more in the background region; None without other sources or net counts.
    """
    net = source_photons - regions.area_ratio * background_photons
    if not others or net <= 0.0:
        return None
    images = np.sum([_image(other, exposure, psf) for other in others], axis=0)
    theirs = images[regions.source].sum() - regions.area_ratio * images[regions.background].sum()
    return float(theirs / net)


def _image(other: OtherSource, exposure: ExposureMap, psf: LobsterEyePsf) -> Floats:
    """Return the expected photons of a source per pixel."""
    image = exposure * psf.image(other.x, other.y)
    total = float(image.sum())
    return np.asarray(other.counts * image / total) if total > 0.0 else np.zeros_like(image)
