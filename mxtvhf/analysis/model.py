"""What the analysis of a source gives: light curve, decay, hardness and spectrum, with errors of 1 sigma."""

from __future__ import annotations

from math import floor, hypot, log10

from pydantic import AwareDatetime, Field

from mxtvhf.models.base import Model
from mxtvhf.models.product import Product
from mxtvhf.models.rounding import decimals

MOST_DECIMALS = 6
"""Of a number beside its errors, however small they are."""


class Measurement(Model):
    """A number and how far the truth may be from it, at 68 % unless its field says otherwise."""

    value: float
    error_low: float | None
    """How much lower it may be, a positive number; None: no end was found."""
    error_high: float | None
    """How much higher."""

    def scaled(self, factor: float) -> Measurement:
        """Return the same in a unit that is smaller by a factor."""
        low, high = self.error_low, self.error_high
        return Measurement(
            value=factor * self.value,
            error_low=None if low is None else factor * low,
            error_high=None if high is None else factor * high,
        )

    def with_error(self, sigma: float) -> Measurement:
        """Return the same with a further, independent error."""
        low, high = self.error_low, self.error_high
        return Measurement(
            value=self.value,
            error_low=None if low is None else hypot(low, sigma),
            error_high=None if high is None else hypot(high, sigma),
        )


class ExtractionRegions(Model):
    """Where on the detector photons of the source and of the background were taken."""

    x: float
    """Centre, continuous 0-based pixel column."""
    y: float
    radius_pixel: float
    """Of the source region, a circle."""
    inner_radius_pixel: float
    """The background region is what is farther away."""
    source_pixels: int
    """Good pixels; where the pointing moved each counts by its exposure, and the sum is rounded."""
    background_pixels: int
    source_fraction: float
    """Part of the source's photons in the source region; 1 are those that the whole detector would count,
    were the source in its middle."""
    background_fraction: float
    """Part of the source's photons in the background region: no place on the detector is free of them."""
    effective_fraction: float
    """What is left of the source when the background region is subtracted: ``source_fraction`` less
    ``background_fraction`` times the ratio of the areas."""
    effective_fraction_sigma: float
    """Its relative uncertainty, 1 sigma, by that of the fitted width of the PSF's core. The intervals of
    norm, fluxes and the mean rate contain it; the rates of bins have it in common, beside their own."""
    core_fwhm_arcmin: float | None = None
    """Width of the PSF's core that the fractions are for, arcmin: fitted for them at the source's place. None
    in results of versions before 0.3, which took the calibration's."""
    source_photons: int
    """Photons in the source region, energy band and good time intervals."""
    background_photons: int
    others_fraction: float | None = None
    """Expected part of the net counts that is of other sources of the field, which the circles around them
    leave: it is subtracted from rates, spectrum and fluxes. None: there are none, and in results of versions
    before this field."""


class RateBin(Model):
    """A time interval of the light curve."""

    start_s: float
    """Seconds since the zero of time."""
    stop_s: float
    exposure_s: float
    """Good time in it."""
    source_photons: int
    background_photons: int
    rate: Measurement | None
    """Source photons per second that the whole detector would count, were the source in its middle; None
    with less exposure than a frame of the detector."""


class DecayFit(Model):
    """A power law in time, rate(t) = rate_at_reference ((t - T0) / reference_s)^-index."""

    index: Measurement
    index_90: Measurement | None = None
    """The same with its 90 % interval; None in results of versions before this field."""
    reference_s: float
    """Seconds after T0."""
    rate_at_reference: float
    """Counts per second, as of ``RateBin``."""


class LightCurve(Model):
    """The source's rate against time."""

    zero: AwareDatetime
    """Zero of the bins' times, UTC."""
    zero_is_trigger: bool
    """True: T0 of the burst; False: the start of the good time intervals."""
    exposure_s: float
    mean: Measurement
    """Mean rate over the exposure."""
    bins: tuple[RateBin, ...]
    """Of equal width."""
    blocks: tuple[RateBin, ...]
    """Bayesian blocks: between their edges a constant rate describes the photons."""
    decay: DecayFit | None
    decay_reason: str | None = None
    """Why there is no decay index, or what is doubtful about it."""


class Hardness(Model):
    """Counts in two bands, compared."""

    soft_kev: tuple[float, float]
    hard_kev: tuple[float, float]
    soft_photons: int
    """Photons of the band in the source region, background included."""
    hard_photons: int
    ratio: Measurement
    """(H - S) / (H + S) of the source's counts."""


class SpectrumBin(Model):
    """Some channels of the spectrum together."""

    low_kev: float
    high_kev: float
    source_photons: int
    background_photons: int
    rate: Measurement
    """Net counts per second and keV in the source region."""
    model: float
    """What the fitted model, folded through the response, gives for it."""


class SpectralFit(Model):
    """An absorbed power law that was fitted to the spectrum, averaged over the exposure."""

    photon_index: Measurement
    norm: Measurement
    """Photons / keV / cm2 / s at 1 keV before absorption."""
    flux: Measurement
    """As it arrives (absorbed), erg/cm2/s in ``flux_band_kev``."""
    unabsorbed_flux: Measurement
    """The same before absorption."""
    photon_index_90: Measurement | None = None
    """The photon index with its 90 % interval; None in results of versions before this field."""
    flux_90: Measurement | None = None
    """``flux`` with its 90 % interval; None in results of versions before this field."""
    nh_90_1e22_cm2: Measurement | None = None
    """The column with its 90 % interval; None in results of versions before this field."""
    flux_band_kev: tuple[float, float]
    nh_1e22_cm2: Measurement
    """Column of absorbing hydrogen, 1e22/cm2; errors are 0 when it was fixed. In this unit because 1e21 comes
    back from Airflow's XCom as an integer of more than 64 bits, which Airflow cannot pass on."""
    nh_free: bool
    """True: fitted, with the Galactic column as a prior; the intervals of index and fluxes contain its
    uncertainty. False in results of versions before 0.3."""
    nh_galactic_1e22_cm2: float | None = None
    """The Galactic column towards the position, 1e22/cm2; None: the position was not known."""
    nh_galactic_source: str | None = None
    """Survey, resolution and package that it is from."""
    nh_determined: bool | None = None
    """False: the photons say little about the column; it is mostly what was expected, and the flux before
    absorption as uncertain as its interval says."""
    statistic: float
    """C statistic of both regions' channels (Cash 1979, ApJ 228, 939)."""
    expected_statistic: float
    """What it would be on the average, were the model true."""
    expected_sigma: float
    trusted: bool
    doubts: tuple[str, ...]
    """Why not to trust it."""
    bins: tuple[SpectrumBin, ...]


class SourceAnalysis(Model):
    """What the photons say about the source beyond its position."""

    analysed: bool
    """False: nothing was made, ``reason`` says why."""
    reason: str | None = None
    regions: ExtractionRegions | None = None
    light_curve: LightCurve | None = None
    hardness: Hardness | None = None
    spectrum: SpectralFit | None = None
    spectrum_reason: str | None = None
    """Why there is no fit."""
    products: dict[str, Product] = Field(default_factory=dict)
    """Name -> file, relative to the run's product folder."""
    calibration: dict[str, str] = Field(default_factory=dict)
    """Calibration item -> version used."""


def measurement_text(measured: Measurement, unit: str = "") -> str:
    """Write a measurement with its errors: ``2.03 -0.34 +0.37``; the smaller error decides about the digits.

    Very small and very large numbers have a common power of ten: ``(7.2 -2.4 +3.7)e-12 erg/cm2/s``.
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
    """Say in a few words where the hydrogen column of a fit is from."""
    if not fit.nh_free:
        return "fixed"
    determined = "mostly the prior, not determined by the photons" if fit.nh_determined is False else "fitted"
    if fit.nh_galactic_1e22_cm2 is None:
        return determined
    return f"{determined}; Galactic {fit.nh_galactic_1e22_cm2:.2g}e22 by {fit.nh_galactic_source}"


def analysis_text(found: SourceAnalysis) -> list[str]:
    """Say in a few lines of plain text what was found."""
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
