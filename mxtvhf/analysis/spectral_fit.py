"""A first fit of the spectrum: an absorbed power law, with errors by profile likelihood.

The model is N(E) = norm E^-index exp(-nH sigma(E)) (see `analysis.absorption`); minimisation and profiles
(MINOS: where twice the log-likelihood is 1 lower) are those of MINUIT by iminuit. To have errors of norm and
fluxes by the same method, each of them stands in turn for the amplitude. Numbers are means over the exposure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from mxtvhf.analysis.absorption import cross_section
from mxtvhf.analysis.constants import analysis_constants
from mxtvhf.analysis.cstat import SpectralData, expected_statistic
from mxtvhf.analysis.light_curve import net_counts, scaled
from mxtvhf.analysis.model import Measurement, SpectralFit, SpectrumBin
from mxtvhf.analysis.powerlaw import ERG_PER_KEV
from mxtvhf.instrument.response import Response, channel_edges
from mxtvhf.models.arrays import Floats

if TYPE_CHECKING:
    from iminuit import Minuit

    from mxtvhf.analysis.light_curve import RegionPhotons

Counts = npt.NDArray[np.int64]

_NH_UNIT = 1e22
"""MINUIT wants parameters of about 1."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The channels of the energy band, with what belongs to them.

    Attributes
    ----------
    data
        The counts.
    edges
        Of the channels, keV.
    response
        Of the detector, its matrix cut to the channels.
    """

    data: SpectralData
    edges: Floats
    response: Response

    @classmethod
    def of(cls, photons: RegionPhotons, source: Counts, background: Counts, response: Response) -> Spectrum:
        """Cut the spectra of the two regions to the energy band of ``analysis.toml``."""
        low, high = analysis_constants().band.energy_kev
        first, last = np.searchsorted(channel_edges(), (low - 1e-6, high - 1e-6))
        edges = channel_edges()[first : last + 1]
        pieces = np.searchsorted(edges, np.array(analysis_constants().spectrum.background_pieces_kev) - 1e-6)
        counts = np.stack([source[first:last], background[first:last]])
        data = SpectralData(counts, pieces[:-1], photons.regions, photons.exposure)
        cut = Response(response.energy_edges, response.area, response.matrix[:, first:last])
        return cls(data, edges, cut)

    def folded(self, index: float, nh_cm2: float) -> Floats:
        """Counts/s per channel on the whole detector for 1 photon/keV/cm2/s at 1 keV before absorption."""
        response, matrix = self.response, self._channels_by_energy
        density = response.energies**-index * np.exp(-nh_cm2 * self._cross_section)
        return np.asarray(matrix @ (response.area * np.diff(response.energy_edges) * density))

    @cached_property
    def _cross_section(self) -> Floats:
        return cross_section(self.response.energies)

    @cached_property
    def _channels_by_energy(self) -> csr_array:
        # Most of the matrix is zero: a line reaches but few channels.
        return csr_array(self.response.matrix.T)


def energy_flux(index: float, nh_cm2: float) -> float:
    """Energy flux (erg/cm2/s), in the band of ``analysis.toml``, of an absorbed power law of norm 1."""
    energy, width, sigma = _flux_grid()
    density = energy**-index * np.exp(-nh_cm2 * sigma)
    return float(ERG_PER_KEV * (energy * width) @ density)


@cache
def _flux_grid() -> tuple[Floats, Floats, Floats]:
    """Middles and widths of bins of the flux band, keV, and the cross-sections there, cm2."""
    low, high = analysis_constants().spectrum.flux_band_kev
    edges = np.geomspace(low, high, 501)
    energy = np.sqrt(edges[1:] * edges[:-1])
    return energy, np.diff(edges), cross_section(energy)


Amplitude = Callable[[float, float], float]
"""What a norm of 1 gives of a quantity, from photon index and nH."""
AMPLITUDES: dict[str, Amplitude] = {
    "norm": lambda index, nh: 1.0,
    "flux": energy_flux,
    "unabsorbed_flux": lambda index, nh: energy_flux(index, 0.0),
}


def fit_spectrum(
    photons: RegionPhotons, source: Counts, background: Counts, response: Response
) -> tuple[SpectralFit | None, str | None]:
    """Fit an absorbed power law to the spectra of the two regions.

    Parameters
    ----------
    photons
        Give regions and exposure.
    source, background
        Counts of the two regions per PI channel.
    response
        Of the detector.

    Returns
    -------
    tuple
        The fit and None, or None and the reason why there is none.
    """
    rules = analysis_constants().spectrum
    spectrum = Spectrum.of(photons, source, background, response)
    n_source = source_photons(spectrum.data)
    if n_source < rules.least_photons:
        return None, f"{n_source:.1f} source photons in the band are fewer than {rules.least_photons:g}"
    nh_free = n_source >= rules.free_nh_photons
    fits = {name: _minimised(spectrum, name, nh_free) for name in AMPLITUDES}
    if not all(np.isfinite(value) for fit in fits.values() for value in fit.values):
        return None, "the fit found no maximum of the likelihood"
    return _result(spectrum, fits, n_source, nh_free), None


def source_photons(data: SpectralData) -> float:
    """Estimate the source's photons in both regions, by the difference of the regions."""
    regions = data.regions
    on, off = data.counts.sum(axis=1)
    net = (on - regions.area_ratio * off) / regions.effective_fraction
    return float(net * (regions.source_fraction + regions.background_fraction))


def _minimised(spectrum: Spectrum, quantity: str, nh_free: bool) -> Minuit:
    """Minimise, and find the errors of the amplitude; with the norm also of what else is free."""
    from iminuit import Minuit

    amplitude = AMPLITUDES[quantity]
    rules = analysis_constants().spectrum
    start = 2.0, rules.nh_cm2

    def statistic(log_amplitude: float, index: float, nh: float) -> float:
        norm = np.exp(log_amplitude) / amplitude(index, nh * _NH_UNIT)
        return spectrum.data.statistic(norm * spectrum.folded(index, nh * _NH_UNIT))

    expected = spectrum.data.source_means(spectrum.folded(*start)).sum()
    guess = float(np.log(source_photons(spectrum.data) / expected * amplitude(*start)))
    fit = Minuit(statistic, guess, start[0], start[1] / _NH_UNIT)
    fit.errordef = Minuit.LEAST_SQUARES
    fit.errors = (0.2, 0.2, 0.1)
    fit.limits["log_amplitude"] = (guess - 15.0, guess + 15.0)
    fit.limits["index"] = rules.photon_index_limits
    fit.limits["nh"] = tuple(limit / _NH_UNIT for limit in rules.nh_limits_cm2)
    fit.fixed["nh"] = not nh_free
    fit.migrad()
    if fit.valid:
        fit.minos(*([] if quantity == "norm" else ["log_amplitude"]))
    return fit


def _result(spectrum: Spectrum, fits: dict[str, Minuit], n_source: float, nh_free: bool) -> SpectralFit:
    rules, best = analysis_constants().spectrum, fits["norm"]
    _, index, nh = best.values
    folded = float(np.exp(best.values["log_amplitude"])) * spectrum.folded(index, nh * _NH_UNIT)
    expected, sigma = expected_statistic(spectrum.data.means(folded))
    doubts = _doubts(fits, n_source, (best.fval - expected) / sigma)
    amplitudes = {name: _amplitude(fit) for name, fit in fits.items()}
    return SpectralFit(
        photon_index=_parameter(best, "index"),
        norm=amplitudes["norm"],
        flux=amplitudes["flux"],
        unabsorbed_flux=amplitudes["unabsorbed_flux"],
        flux_band_kev=rules.flux_band_kev,
        nh_1e22_cm2=_parameter(best, "nh"),
        nh_free=nh_free,
        statistic=float(best.fval),
        expected_statistic=expected,
        expected_sigma=sigma,
        trusted=not doubts,
        doubts=tuple(doubts),
        bins=spectrum_bins(spectrum, folded),
    )


def _doubts(fits: dict[str, Minuit], n_source: float, excess: float) -> list[str]:
    rules, best = analysis_constants().spectrum, fits["norm"]
    found = []
    if n_source < rules.trusted_photons:
        found.append(f"only {n_source:.0f} net counts in the source region")
    if not all(fit.valid for fit in fits.values()):
        found.append("the minimum of the statistic is not certain")
    low, high = rules.photon_index_limits
    if min(best.values["index"] - low, high - best.values["index"]) < 0.05:
        found.append(f"the photon index is at its limit {best.values['index']:.2f}")
    if not all(error.is_valid for fit in fits.values() for error in fit.merrors.values()):
        found.append("an error could not be determined")
    if excess > rules.worst_fit_sigma:
        found.append(f"an absorbed power law does not describe the spectrum ({excess:.1f} sigma)")
    return found


def _parameter(fit: Minuit, name: str) -> Measurement:
    """Value and errors of a parameter; no errors where MINOS found none, 0 for a fixed one."""
    if fit.fixed[name]:
        return Measurement(value=fit.values[name], error_low=0.0, error_high=0.0)
    error = fit.merrors.get(name)
    return Measurement(
        value=fit.values[name],
        error_low=-error.lower if error and error.lower_valid else None,
        error_high=error.upper if error and error.upper_valid else None,
    )


def _amplitude(fit: Minuit) -> Measurement:
    """Turn the logarithm into the quantity."""
    log = _parameter(fit, "log_amplitude")
    value = float(np.exp(log.value))
    return Measurement(
        value=value,
        error_low=None if log.error_low is None else -value * float(np.expm1(-log.error_low)),
        error_high=None if log.error_high is None else value * float(np.expm1(log.error_high)),
    )


def spectrum_bins(spectrum: Spectrum, folded: Floats) -> tuple[SpectrumBin, ...]:
    """Join channels for a plot: net counts of the source region beside what the model makes expect."""
    data, edges = spectrum.data, spectrum.edges
    starts = _bin_starts(data.counts[0])
    stops = np.append(starts[1:], data.counts.shape[1])
    on, off = np.add.reduceat(data.counts, starts, axis=1)
    effective = np.add.reduceat(folded, starts) * data.regions.effective_fraction
    return tuple(
        SpectrumBin(
            low_kev=float(edges[first]),
            high_kev=float(edges[stop]),
            source_photons=int(on[k]),
            background_photons=int(off[k]),
            rate=scaled(
                net_counts(int(on[k]), int(off[k]), data.regions.area_ratio),
                1.0 / (data.exposure * (edges[stop] - edges[first])),
            ),
            model=float(effective[k] / (edges[stop] - edges[first])),
        )
        for k, (first, stop) in enumerate(zip(starts, stops, strict=True))
    )


def _bin_starts(counts: Counts) -> npt.NDArray[np.intp]:
    """First channels of bins with about equal numbers of photons."""
    rules = analysis_constants().spectrum
    total = int(counts.sum())
    bins = int(np.clip(total // rules.photons_per_bin, 1, rules.most_bins))
    shares = total * np.arange(bins) / bins
    return np.unique(np.searchsorted(np.cumsum(counts) - counts, shares, side="right") - 1)
