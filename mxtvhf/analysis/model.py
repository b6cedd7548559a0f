"""Results of the source analysis: light curve, decay, hardness and spectrum, with 1 sigma errors."""

from __future__ import annotations

from math import floor, hypot, log10

from pydantic import AwareDatetime, Field

from mxtvhf.models.base import Model
from mxtvhf.models.product import Product
from mxtvhf.models.rounding import decimals

MOST_DECIMALS = 6
"""Largest number of digits of a value with errors, however small these are."""


class Measurement(Model):
    """A value with its errors, at 68 % unless the field gives another probability."""

    value: float
    error_low: float | None
    """Lower error, a positive number; None if the interval has no lower end."""
    error_high: float | None
    """Upper error; None if the interval has no upper end."""

    def scaled(self, factor: float) -> Measurement:
        """Return the value multiplied by a factor, e.g. to convert it to a smaller unit.

        Parameters
        ----------
        factor
            Positive factor.
        """
        low, high = self.error_low, self.error_high
        return Measurement(
            value=factor * self.value,
            error_low=None if low is None else factor * low,
            error_high=None if high is None else factor * high,
        )

    def with_error(self, sigma: float) -> Measurement:
        """Return the value with an additional, independent error.

        Parameters
        ----------
        sigma
            1 sigma error in the unit of the value, added in quadrature.
        """
        low, high = self.error_low, self.error_high
        return Measurement(
            value=self.value,
            error_low=None if low is None else hypot(low, sigma),
            error_high=None if high is None else hypot(high, sigma),
        )


class ExtractionRegions(Model):
    """Source and background region on the detector."""

    x: float
    """Centre, continuous 0-based pixel column."""
    y: float
    radius_pixel: float
    """Radius of the source region, a circle, pixels."""
    inner_radius_pixel: float
    """Inner radius of the background region, pixels."""
    source_pixels: int
    """Number of good pixels; if the pointing moved, the rounded sum of their exposures."""
    background_pixels: int
    source_fraction: float
    """Enclosed fraction of the source region, relative to the photons that the whole detector would count
    from a source at its centre."""
    background_fraction: float
    """Fraction of the source photons in the background region; the PSF covers the whole detector."""
    effective_fraction: float
    """Fraction of the source left after subtraction of the background region: ``source_fraction`` minus
    ``background_fraction`` times the ratio of the areas."""
    effective_fraction_sigma: float
    """Relative uncertainty of the effective fraction, 1 sigma, due to the fitted width of the PSF core. It is
    included in the intervals of norm, fluxes and mean rate, and is common to the rates of all bins, whose
    errors do not include it."""
    core_fwhm_arcmin: float | None = None
    """Width of the PSF core fitted at the position of the source and used for the fractions, arcmin. None in
    results of versions before 0.3, which used that of the calibration."""
    source_photons: int
    """Photons in the source region, energy band and GTIs."""
    background_photons: int
    others_fraction: float | None = None
    """Expected fraction of the net counts from other sources in the field, outside the circles around them;
    it is subtracted from rates, spectrum and fluxes. None if there are no other sources, and in older
    results."""


class RateBin(Model):
    """A time interval of the light curve."""

    start_s: float
    """Seconds since the time zero."""
    stop_s: float
    exposure_s: float
    """Exposure of the bin, seconds."""
    source_photons: int
    background_photons: int
    rate: Measurement | None
    """Source photons per second that the whole detector would count from the source at its centre; None if
    the exposure is shorter than a detector frame."""


class DecayFit(Model):
    """A power law in time, rate(t) = rate_at_reference ((t - T0) / reference_s)^-index."""

    index: Measurement
    index_90: Measurement | None = None
    """Decay index with its 90 % interval; None in older results."""
    reference_s: float
    """Seconds after T0."""
    rate_at_reference: float
    """Counts per second, as in ``RateBin``."""


class LightCurve(Model):
    """Source rate as a function of time."""

    zero: AwareDatetime
    """Time zero of the bins, UTC."""
    zero_is_trigger: bool
    """True if the time zero is T0 of the burst, False if it is the start of the first GTI."""
    exposure_s: float
    mean: Measurement
    """Mean rate over the exposure."""
    bins: tuple[RateBin, ...]
    """Bins of equal width."""
    blocks: tuple[RateBin, ...]
    """Bayesian blocks, within which the rate is consistent with a constant."""
    decay: DecayFit | None
    decay_reason: str | None = None
    """Reason why there is no decay index, or a caveat about it."""


class Hardness(Model):
    """Hardness ratio from the counts in two bands."""

    soft_kev: tuple[float, float]
    hard_kev: tuple[float, float]
    soft_photons: int
    """Photons of the band in the source region, including background."""
    hard_photons: int
    ratio: Measurement
    """(H - S) / (H + S) of the source counts."""


class SpectrumBin(Model):
    """A group of channels of the spectrum."""

    low_kev: float
    high_kev: float
    source_photons: int
    background_photons: int
    rate: Measurement
    """Net counts per second and keV in the source region."""
    model: float
    """Prediction of the fitted model folded through the response."""


class SpectralFit(Model):
    """Absorbed power law fitted to the spectrum, averaged over the exposure."""

    photon_index: Measurement
    norm: Measurement
    """Photons / keV / cm2 / s at 1 keV before absorption."""
    flux: Measurement
    """Observed (absorbed) flux, erg/cm2/s in ``flux_band_kev``."""
    unabsorbed_flux: Measurement
    """Unabsorbed flux, erg/cm2/s in the same band."""
    photon_index_90: Measurement | None = None
    """Photon index with its 90 % interval; None in older results."""
    flux_90: Measurement | None = None
    """``flux`` with its 90 % interval; None in older results."""
    nh_90_1e22_cm2: Measurement | None = None
    """Hydrogen column density with its 90 % interval; None in older results."""
    flux_band_kev: tuple[float, float]
    nh_1e22_cm2: Measurement
    """Hydrogen column density, 1e22/cm2; its errors are 0 if it was fixed."""
    nh_free: bool
    """True if the column was fitted with the Galactic column as a prior; the intervals of index and fluxes
    then include its uncertainty. False in results of versions before 0.3."""
    nh_galactic_1e22_cm2: float | None = None
    """Galactic column towards the position, 1e22/cm2; None if the position was unknown."""
    nh_galactic_source: str | None = None
    """Survey, resolution and package of the Galactic column."""
    nh_determined: bool | None = None
    """False if the photons hardly constrain the column, so that the prior dominates and the unabsorbed flux
    is as uncertain as its interval."""
    statistic: float
    """C statistic of the channels of both regions (Cash 1979, ApJ 228, 939)."""
    expected_statistic: float
    """Expected C statistic for a true model."""
    expected_sigma: float
    trusted: bool
    doubts: tuple[str, ...]
    """Reason why the fit is unreliable."""
    bins: tuple[SpectrumBin, ...]


class SourceAnalysis(Model):
    """Results of the analysis of the source beyond its position."""

    analysed: bool
    """False if there is no analysis; ``reason`` gives the reason."""
    reason: str | None = None
    regions: ExtractionRegions | None = None
    light_curve: LightCurve | None = None
    hardness: Hardness | None = None
    spectrum: SpectralFit | None = None
    spectrum_reason: str | None = None
    """Reason why there is no fit."""
    products: dict[str, Product] = Field(default_factory=dict)
    """File relative to the run's product folder, by name."""
    calibration: dict[str, str] = Field(default_factory=dict)
    """Version used, by calibration item."""


def measurement_text(measured: Measurement, unit: str = "") -> str:
    """Format a measurement with its errors: ``2.03 -0.34 +0.37``; the smaller error determines the digits.

    Very small and very large numbers are written with a common power of ten: ``(7.2 -2.4 +3.7)e-12
    erg/cm2/s``.

    Parameters
    ----------
    measured
        The measurement; an error of None is written as ``?``.
    unit
        Unit to append.
    """
    errors = [error for error in (measured.error_low, measured.error_high) if error]
    power = floor(log10(abs(measured.value))) if measured.value else 0
    power = power if abs(power) > 2 else 0
    scale = 10.0**power
    digits = max(0, min(decimals(min(errors) / scale), MOST_DECIMALS)) if errors else 1
    low, high = (
        "?" if error is None else f"{error / scale:.{digits}f}"
        for error in (measured.error_low, measured.error_high)
    )
    text = f"{measured.value / scale:.{digits}f}"
    if (measured.error_low, measured.error_high) != (0.0, 0.0):
        text += f" -{low} +{high}"
    return f"({text})e{power:+03d} {unit}".rstrip() if power else f"{text} {unit}".rstrip()


def column_text(fit: SpectralFit) -> str:
    """Describe the origin of the hydrogen column of a fit.

    Parameters
    ----------
    fit
        The spectral fit.
    """
    if not fit.nh_free:
        return "fixed"
    determined = "dominated by the prior" if fit.nh_determined is False else "fitted"
    if fit.nh_galactic_1e22_cm2 is None:
        return determined
    return f"{determined}; Galactic {fit.nh_galactic_1e22_cm2:.2g}e22 from {fit.nh_galactic_source}"


def analysis_text(found: SourceAnalysis) -> list[str]:
    """Summarise the results in a few lines of plain text.

    Parameters
    ----------
    found
        Results of the source analysis.
    """
    if found.light_curve is None or found.hardness is None:
        return [f"not analysed: {found.reason}"]
    curve, fit = found.light_curve, found.spectrum
    lines = [
        f"mean rate {measurement_text(curve.mean, 'counts/s')} over {curve.exposure_s:.0f} s",
        f"decay index {measurement_text(curve.decay.index)}"
        if curve.decay
        else f"no decay index: {curve.decay_reason}",
        f"hardness {measurement_text(found.hardness.ratio)}",
    ]
    if fit is None:
        return [*lines, f"no spectral fit: {found.spectrum_reason}"]
    band = "-".join(f"{edge:g}" for edge in fit.flux_band_kev)
    return [
        *lines,
        f"photon index {measurement_text(fit.photon_index)}",
        f"nH {measurement_text(fit.nh_1e22_cm2, '1e22/cm2')} ({column_text(fit)})",
        f"flux {band} keV {measurement_text(fit.flux, 'erg/cm2/s')}",
        f"unabsorbed {measurement_text(fit.unabsorbed_flux, 'erg/cm2/s')}",
        *(f"doubtful: {doubt}" for doubt in fit.doubts),
    ]
