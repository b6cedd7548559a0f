"""Other sources in the field, when one of them is measured: what they put into its regions is subtracted.

The optics spread every source over the whole detector. Circles around the others take out where they outshine
the background; what is left of them in the two regions is estimated by their fitted photons, and subtracted.
In time the others are taken as constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mxtvhf.analysis.constants import analysis_constants
from mxtvhf.analysis.powerlaw import PowerLaw
from mxtvhf.analysis.psf_width import WIDTH_STEP
from mxtvhf.analysis.regions import Regions, distances
from mxtvhf.instrument.pixels import ExposureMap
from mxtvhf.instrument.psf import LobsterEyePsf
from mxtvhf.instrument.response import Response, channel_edges
from mxtvhf.models.arrays import Floats


@dataclass(frozen=True)
class OtherSource:
    """A source beside the one that is measured."""

    x: float
    """Continuous 0-based drift-corrected pixels."""
    y: float
    counts: float
    """Its photons on the good pixels."""
    counts_sigma: float = 0.0
    """Their standard error."""
    spectrum: PowerLaw = field(default_factory=PowerLaw)


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


def rest_image(
    exposure: ExposureMap, others: Sequence[OtherSource], *, n_background: float, psf: LobsterEyePsf
) -> Floats:
    """Return the expected photons of a flat background and of other sources per pixel.

    Parameters
    ----------
    exposure
        The exposure map that the numbers refer to, without circles.
    others
        The other sources.
    n_background
        Background photons on the good pixels; at least one is taken.
    psf
        The point spread function.
    """
    flat = max(n_background, 1.0) * exposure / max(float(exposure.sum()), 1.0)
    return np.asarray(flat + sum(_image(other, exposure, psf) for other in others))


@dataclass(frozen=True, eq=False)
class OthersLight:
    """What other sources put into the two regions, over the whole good time.

    Attributes
    ----------
    spectra
        Expected photons per PI channel of the source and the background region, shape (2, channels).
    net_sigma
        Standard error of their part in the net counts of the source region.
    """

    spectra: Floats
    net_sigma: float

    @cached_property
    def counts(self) -> Floats:
        """Expected photons of both regions in the band of the analysis, shape (2,)."""
        low, high = analysis_constants().band.energy_kev
        middle = 0.5 * (channel_edges()[1:] + channel_edges()[:-1])
        return np.asarray(self.spectra[:, (middle >= low) & (middle < high)].sum(axis=1))


NO_OTHERS = OthersLight(np.zeros((2, channel_edges().size - 1)), 0.0)


def others_light(
    regions: Regions,
    others: Sequence[OtherSource],
    *,
    exposure: ExposureMap,
    width_sigma: float,
    response: Response,
) -> OthersLight:
    """Return what other sources put into the regions, by their fitted photons and the PSF.

    The error is that of their numbers of photons and of the PSF's width, which moves photons between core and
    wings of all sources together.

    Parameters
    ----------
    regions
        Source and background region, with the PSF.
    others
        The others.
    exposure
        The exposure map that the sources' counts refer to, without circles.
    width_sigma
        Relative error of the width of the PSF's core.
    response
        Of the detector.
    """
    spectra, net_sigmas, changes = NO_OTHERS.spectra, [0.0], [0.0]
    for other in others:
        narrow, expected, wide = (
            _in_regions(other, regions, exposure, regions.psf.scaled(factor))
            for factor in (1.0 - WIDTH_STEP, 1.0, 1.0 + WIDTH_STEP)
        )
        seen = (other.spectrum.density(response.energies) * response.area) @ response.matrix
        spectra = spectra + np.outer(expected, seen / seen.sum())
        net_sigmas.append(_net(expected, regions) * other.counts_sigma / other.counts)
        changes.append(_net(wide - narrow, regions) / (2.0 * WIDTH_STEP))
    sigma = np.hypot(np.linalg.norm(net_sigmas), width_sigma * np.sum(changes))
    return OthersLight(spectra, float(sigma))


def others_fraction(regions: Regions, light: OthersLight, source: int, background: int) -> float | None:
    """Return what part of the net counts of two regions is of other sources.

    Negative where they are more in the background region; None without other sources or net counts.
    """
    net = source - regions.area_ratio * background
    return _net(light.counts, regions) / net if light.counts.any() and net > 0.0 else None


def _net(counts: Floats, regions: Regions) -> float:
    return float(counts[0] - regions.area_ratio * counts[1])


def _in_regions(other: OtherSource, regions: Regions, exposure: ExposureMap, psf: LobsterEyePsf) -> Floats:
    image = _image(other, exposure, psf)
    return np.array([image[regions.source].sum(), image[regions.background].sum()])


def _image(other: OtherSource, exposure: ExposureMap, psf: LobsterEyePsf) -> Floats:
    """Return the expected photons of a source per pixel."""
    image = exposure * psf.image(other.x, other.y)
    total = float(image.sum())
    return np.asarray(other.counts * image / total) if total > 0.0 else np.zeros_like(image)
