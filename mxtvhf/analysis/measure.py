"""Measure light curve, hardness and spectrum of a source in one call, without files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mxtvhf.analysis.constants import analysis_constants
from mxtvhf.analysis.decay import fit_decay
from mxtvhf.analysis.galactic_column import GalacticColumn
from mxtvhf.analysis.hardness import hardness_ratio
from mxtvhf.analysis.light_curve import RegionPhotons, block_edges, fixed_edges, net_counts, rate_bins
from mxtvhf.analysis.model import (
    ExtractionRegions,
    Hardness,
    LightCurve,
    SpectralFit,
)
from mxtvhf.analysis.other_sources import (
    OtherSource,
    exposure_without,
    others_fraction,
    others_light,
    rest_image,
)
from mxtvhf.analysis.psf_width import SourcePsf
from mxtvhf.analysis.regions import choose_regions
from mxtvhf.analysis.spectral_fit import fit_spectrum
from mxtvhf.analysis.spectrum import spectrum_counts
from mxtvhf.errors import InvalidInput
from mxtvhf.events.drift_corrected import DriftCorrectedPhotons
from mxtvhf.events.event_file import pi_channels
from mxtvhf.instrument.calibration import Calibration
from mxtvhf.instrument.psf import LobsterEyePsf
from mxtvhf.instrument.response import Response, response_of
from mxtvhf.instrument.time import utc_from_met
from mxtvhf.models.arrays import Floats


@dataclass(frozen=True, eq=False)
class SourceMeasurements:
    """Results of the measurement, and the data from which the products are made.

    Attributes
    ----------
    photons
        Of the source and the background region.
    fraction_sigma
        Relative error of the effective fraction of the regions.
    others_fraction
        See `mxtvhf.analysis.model.ExtractionRegions`.
    counts
        Counts of the two regions per PI channel, shape (2, channels).
    response
        Response of the detector.
    light_curve, hardness, spectrum, spectrum_reason
        Same as in `mxtvhf.analysis.model.SourceAnalysis`.
    """

    photons: RegionPhotons
    fraction_sigma: float
    others_fraction: float | None
    counts: npt.NDArray[np.int64]
    response: Response
    light_curve: LightCurve
    hardness: Hardness
    spectrum: SpectralFit | None
    spectrum_reason: str | None


def measure_source(
    photons: DriftCorrectedPhotons,
    gti: Floats,
    x: float,
    y: float,
    n_source: float,
    n_background: float,
    *,
    t0: float | None,
    calibration: Calibration,
    galactic: GalacticColumn | None = None,
    others: Sequence[OtherSource] = (),
) -> SourceMeasurements:
    """Measure light curve, hardness and spectrum of a source.

    Parameters
    ----------
    photons
        Photons of all usable pixels; those outside the GTIs or the energy band are ignored. Their exposure
        map determines the areas and enclosed fractions of the regions.
    gti
        Good time intervals, s of MET, shape (intervals, 2).
    x, y
        Position on the detector, continuous 0-based drift-corrected pixels.
    n_source, n_background
        Approximate numbers of source and background photons on the detector, which determine the size of the
        source region.
    t0
        T0 of the burst, s of MET; None if unknown.
    calibration
        PSF, gain and response.
    galactic
        Galactic column towards the source; None if unknown.
    others
        Other sources in the field.

    Raises
    ------
    InvalidInput
        There is no GTI, the GTIs are not sorted or not finite, or no regions can be chosen (see
        `mxtvhf.analysis.regions.choose_regions`).
    """
    check_good_time(gti)
    energy = calibration.gain.energy(photons.pha)
    low, high = analysis_constants().band.energy_kev
    in_time = _in_good_time(photons.time, gti)
    in_band = in_time & (energy >= low) & (energy < high)
    usual = LobsterEyePsf.of(calibration.psf)
    alone = exposure_without(photons.exposure, x, y, others, n_background=n_background, psf=usual)
    rest = rest_image(photons.exposure, others, n_background=n_background, psf=usual)
    source = SourcePsf.fitted(calibration.psf, replace(photons.selected(in_band), exposure=alone), x, y, rest)
    regions = choose_regions(
        x, y, n_source=n_source, n_background=n_background, psf=source.psf, exposure=alone
    )
    fraction_sigma = source.fraction_sigma(regions)
    response = response_of(calibration.effective_area, calibration.redistribution)
    light = others_light(
        regions, others, exposure=photons.exposure, width_sigma=source.width_sigma, response=response
    )
    masks = [region[photons.y, photons.x] for region in (regions.source, regions.background)]
    on_source, on_background = (np.flatnonzero(mask & in_band) for mask in masks)
    chosen = RegionPhotons(
        regions, gti, photons.time[on_source], photons.time[on_background],
        energy[on_source], energy[on_background], light,
    )  # fmt: skip
    channels = pi_channels(photons.pha, calibration.gain)
    counts = np.stack([spectrum_counts(channels[mask & in_time]) for mask in masks])
    on, off = chosen.source_time.size, chosen.background_time.size
    net = net_counts(on, off, regions.area_ratio, light.counts).value
    scale_sigma = float(np.hypot(fraction_sigma, light.net_sigma / max(net, 1.0)))
    spectrum, reason = fit_spectrum(
        chosen,
        counts[0],
        counts[1],
        response,
        calibration.background,
        galactic=galactic,
        scale_sigma=scale_sigma,
    )
    return SourceMeasurements(
        photons=chosen,
        fraction_sigma=fraction_sigma,
        others_fraction=others_fraction(regions, light, on, off),
        counts=counts,
        response=response,
        light_curve=light_curve(chosen, t0, scale_sigma),
        hardness=hardness_ratio(chosen),
        spectrum=spectrum,
        spectrum_reason=reason,
    )


def check_good_time(gti: Floats) -> None:
    """Raise an error if the GTIs are invalid.

    Parameters
    ----------
    gti
        Good time intervals, s of MET, shape (intervals, 2).

    Raises
    ------
    InvalidInput
        The GTIs are empty, not finite, reversed or overlapping.
    """
    if not len(gti) or not np.isfinite(gti).all() or not (gti[:, 1] > gti[:, 0]).any():
        raise InvalidInput("good time intervals: empty or not finite; expected at least one")
    if (np.diff(gti.ravel()) < 0.0).any():
        raise InvalidInput(
            "good time intervals: reversed or overlapping; expected sorted, disjoint intervals"
        )


def _in_good_time(time: Floats, gti: Floats) -> npt.NDArray[np.bool_]:
    interval = np.searchsorted(gti[:, 0], time, side="right") - 1
    return np.asarray((interval >= 0) & (time < gti[interval, 1]))


def light_curve(photons: RegionPhotons, t0: float | None, scale_sigma: float = 0.0) -> LightCurve:
    """Return the light curve, with times relative to T0 or to the start of the first GTI.

    Parameters
    ----------
    photons
        Photons of the two regions.
    t0
        T0 of the burst, s of MET; None if unknown.
    scale_sigma
        Relative error common to all rates; it is included in the error of the mean rate.
    """
    zero = photons.gti[0, 0] if t0 is None else t0
    decay, reason = fit_decay(photons, t0)
    mean = photons.net_rate(photons.source_time.size, photons.background_time.size, photons.exposure)
    return LightCurve(
        zero=utc_from_met(zero),
        zero_is_trigger=t0 is not None,
        exposure_s=photons.exposure,
        mean=mean.with_error(scale_sigma * abs(mean.value)),
        bins=rate_bins(photons, fixed_edges(photons), zero),
        blocks=rate_bins(photons, block_edges(photons), zero),
        decay=decay,
        decay_reason=reason,
    )


def region_summary(found: SourceMeasurements) -> ExtractionRegions:
    """Return the description of the regions for the report.

    Parameters
    ----------
    found
        Measurements of the source.
    """
    photons, regions = found.photons, found.photons.regions
    pixels = regions.areas
    return ExtractionRegions(
        x=regions.x,
        y=regions.y,
        radius_pixel=regions.radius,
        inner_radius_pixel=regions.inner_radius,
        source_pixels=round(pixels[0]),
        background_pixels=round(pixels[1]),
        source_fraction=regions.source_fraction,
        background_fraction=regions.background_fraction,
        effective_fraction=regions.effective_fraction,
        effective_fraction_sigma=found.fraction_sigma,
        core_fwhm_arcmin=regions.psf.core_fwhm_arcmin,
        source_photons=photons.source_time.size,
        background_photons=photons.background_time.size,
        others_fraction=found.others_fraction,
    )
