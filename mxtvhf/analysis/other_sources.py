"""Subtract the contribution of other sources in the field from the measured source.

The optics spread every source over the whole detector. Circles around the other sources exclude the area
where they are brighter than the background; their remaining contribution to the two regions is estimated from
their fitted photons and subtracted. Other sources are assumed to be constant in time.
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
    """A source other than the measured one."""

    x: float
    """Continuous 0-based drift-corrected pixels."""
    y: float
    counts: float
    """Number of its photons on the good pixels."""
    counts_sigma: float = 0.0
    """Standard error of this number."""
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

    A circle covers the area in which its source is brighter than the background, but reaches at most half way
    to the measured source. Circles are drawn from the brightest source on, until only a certain fraction of
    the exposed pixels is left (``analysis/analysis.toml``).

    Parameters
    ----------
    exposure
        The exposure map.
    x, y
        Position of the measured source.
    others
        Other sources; may be empty.
    n_background
        Background photons on the good pixels.
    psf
        Point spread function.
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
        Exposure map to which the numbers refer, without circles.
    others
        Other sources.
    n_background
        Background photons on the good pixels; at least one is assumed.
    psf
        Point spread function.
    """
    flat = max(n_background, 1.0) * exposure / max(float(exposure.sum()), 1.0)
    return np.asarray(flat + sum(_image(other, exposure, psf) for other in others))


@dataclass(frozen=True, eq=False)
class OthersLight:
    """Expected counts of other sources in the two regions over the whole exposure.

    Attributes
    ----------
    spectra
        Expected photons per PI channel of the source and the background region, shape (2, channels).
    net_sigma
        Standard error of their contribution to the net counts of the source region.
    """

    spectra: Floats
    net_sigma: float

    @cached_property
    def counts(self) -> Floats:
        """Return the expected photons of both regions in the energy band of the analysis, shape (2,)."""
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
    """Return the contribution of other sources to the regions, from their fitted photons and the PSF.

    The error includes that of their numbers of photons and that of the PSF width, which moves photons between
    core and wings of all sources.

    Parameters
    ----------
    regions
        Source and background region, with the PSF.
    others
        Other sources.
    exposure
        Exposure map to which the source counts refer, without circles.
    width_sigma
        Relative error of the width of the PSF core.
    response
        Response of the detector.
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
    """Return the fraction of the net counts of two regions that comes from other sources.

    It is negative if they contribute more to the background region; None without other sources or net counts.

    Parameters
    ----------
    regions
        Source and background region.
    light
        Expected counts of the other sources in the regions.
    source, background
        Photons of each region.
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
