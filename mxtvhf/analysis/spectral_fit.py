"""Fit an absorbed power law to the spectrum, with intervals that include all uncertainties.

The model is N(E) = norm E^-index exp(-nH sigma(E)) (see `analysis.absorption`). Values are medians, and
intervals contain 68 % of the posterior (see `analysis.spectral_posterior`). All values are means over the
exposure.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

from mxtvhf.analysis.absorption import cross_section
from mxtvhf.analysis.background_spectrum import background_pieces, background_shape, component_spectra
from mxtvhf.analysis.constants import analysis_constants
from mxtvhf.analysis.cstat import BestFits, SpectralData, expected_statistic
from mxtvhf.analysis.galactic_column import GalacticColumn
from mxtvhf.analysis.light_curve import RegionPhotons, net_counts
from mxtvhf.analysis.model import SpectralFit, SpectrumBin
from mxtvhf.analysis.powerlaw import ERG_PER_KEV
from mxtvhf.analysis.spectral_posterior import SpectralPosterior, spectral_posterior
from mxtvhf.instrument.calibration import Background
from mxtvhf.instrument.response import Response, channel_edges
from mxtvhf.models.arrays import Floats

Counts = npt.NDArray[np.int64]

_NH_UNIT = 1e22
_SOURCE_KINDS = np.array([1.0, 2.0, 3.0]), np.array([3e20, 3e21, 2e22])
"""Photon indices and columns (1/cm2) of the spectra that represent the source in the background fit."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Binned data of the fit, with the response.

    Attributes
    ----------
    data
        Counts and smooth background spectrum.
    edges
        Edges of the bins, keV.
    response
        Response of the detector, with the matrix summed over the channels of each bin.
    """

    data: SpectralData
    edges: Floats
    response: Response

    @classmethod
    def of(
        cls,
        photons: RegionPhotons,
        source: Counts,
        background: Counts,
        response: Response,
        components: Background,
    ) -> Spectrum:
        """Bin the spectra of the two regions as defined in ``analysis.toml``.

        Parameters
        ----------
        photons
            Photons of the regions, which provide regions, exposure and the contribution of other sources.
        source, background
            Counts of the two regions per PI channel.
        response
            Response of the detector.
        components
            Components of the background spectrum.
        """
        starts = _fit_bin_starts()
        inside = slice(starts[0], starts[-1])
        first = starts[:-1] - starts[0]
        counts, others = (
            np.add.reduceat(each[:, inside], first, axis=1)
            for each in (np.stack([source, background]), photons.others.spectra)
        )
        matrix = np.add.reduceat(response.matrix[:, inside], first, axis=1)
        binned = Response(response.energy_edges, response.area, matrix)
        edges = channel_edges()[starts]
        kinds = _folded(binned, *_SOURCE_KINDS).reshape(-1, first.size)
        mixed = component_spectra(components, binned, edges)
        shape = background_shape(counts, photons.regions, kinds, mixed, others)
        pieces = background_pieces(shape, int(counts[1].sum()))
        data = SpectralData(counts, shape, pieces, photons.regions, photons.exposure, others)
        return cls(data, edges, binned)

    def folded(self, index: Floats, nh_cm2: Floats) -> Floats:
        """Return counts/s per bin on the whole detector for 1 photon/keV/cm2/s at 1 keV before absorption.

        Parameters
        ----------
        index, nh_cm2
            Photon indices and columns (1/cm2).

        Returns
        -------
        ndarray
            Rates for each combination of index and column, shape (indices, columns, bins).
        """
        return _folded(self.response, index, nh_cm2)

    @cached_property
    def source_photons(self) -> float:
        """Estimate the source photons in both regions from the difference of the regions."""
        regions = self.data.regions
        on, off = (self.data.counts - self.data.others).sum(axis=1)
        net = (on - regions.area_ratio * off) / regions.effective_fraction
        return float(net * (regions.source_fraction + regions.background_fraction))


@cache
def _fit_bin_starts() -> npt.NDArray[np.intp]:
    """Return the first channels of the fit bins, and the channel after the last."""
    rules, edges = analysis_constants().spectrum, channel_edges()
    width = edges[1] - edges[0]
    ends = np.rint(np.array(rules.bin_ranges_kev) / width).astype(np.intp)
    starts = [
        np.arange(low, high, round(step / width))
        for low, high, step in zip(ends, ends[1:], rules.bin_widths_kev, strict=False)
    ]
    return np.append(np.concatenate(starts), ends[-1])


def _folded(response: Response, index: Floats, nh_cm2: Floats) -> Floats:
    """Fold power laws through a response; see ``Spectrum.folded``."""
    energy = response.energies
    counted = response.matrix * (response.area * np.diff(response.energy_edges))[:, np.newaxis]
    unabsorbed = energy ** -index[:, np.newaxis]
    transmitted = np.exp(-np.outer(nh_cm2, cross_section(energy)))
    return np.asarray((unabsorbed[:, np.newaxis] * transmitted) @ counted)


def log_energy_flux(index: Floats, nh_cm2: Floats) -> Floats:
    """Return the log of the energy flux (erg/cm2/s) in the flux band for unit norm, shape (indices, columns).

    Parameters
    ----------
    index
        Photon indices, shape (indices,).
    nh_cm2
        Hydrogen columns, 1/cm2, shape (columns,).
    """
    energy, width, sigma = _flux_grid()
    unabsorbed = energy ** (1.0 - index[:, np.newaxis]) * width
    return np.asarray(np.log(ERG_PER_KEV * unabsorbed @ np.exp(-np.outer(sigma, nh_cm2))))


@cache
def _flux_grid() -> tuple[Floats, Floats, Floats]:
    """Return centres and widths of bins of the flux band, keV, and their cross-sections, cm2."""
    low, high = analysis_constants().spectrum.flux_band_kev
    edges = np.geomspace(low, high, 501)
    energy = np.sqrt(edges[1:] * edges[:-1])
    return energy, np.diff(edges), cross_section(energy)


def fit_spectrum(
    photons: RegionPhotons,
    source: Counts,
    background: Counts,
    response: Response,
    components: Background,
    *,
    galactic: GalacticColumn | None = None,
    scale_sigma: float = 0.0,
) -> tuple[SpectralFit | None, str | None]:
    """Fit an absorbed power law to the spectra of the two regions.

    Parameters
    ----------
    photons
        Photons of the regions, which provide regions, exposure and the contribution of other sources.
    source, background
        Counts of the two regions per PI channel.
    response
        Response of the detector.
    components
        Components of the background spectrum.
    galactic
        Galactic column towards the source; None if unknown.
    scale_sigma
        Relative error of the effective fraction, which is included in the intervals of norm and fluxes.

    Returns
    -------
    tuple
        The fit and None, or None and the reason why there is no fit.
    """
    rules = analysis_constants().spectrum
    spectrum = Spectrum.of(photons, source, background, response, components)
    n_source = spectrum.source_photons
    if n_source < rules.least_photons:
        return None, f"{n_source:.1f} source photons, fewer than the required {rules.least_photons:g}"
    column = None if galactic is None else galactic.nh_cm2
    found = spectral_posterior(spectrum.data, spectrum.folded, column, scale_sigma)
    return _result(spectrum, found, n_source, galactic), None


def _result(
    spectrum: Spectrum, found: SpectralPosterior, n_source: float, galactic: GalacticColumn | None
) -> SpectralFit:
    i, j = found.best
    folded = spectrum.folded(found.index[i : i + 1], found.column[j : j + 1])[0, 0]
    best = BestFits(*(each[i, j] for each in (
        found.fits.amplitude, found.fits.levels, found.fits.statistic, found.fits.information
    )))  # fmt: skip
    expected, sigma = expected_statistic(spectrum.data.means(folded, best), best.levels.size + 1)
    excess = (float(best.statistic) - expected) / sigma
    doubts = _doubts(found, n_source, excess)
    log_flux = log_energy_flux(found.index, found.column)
    return SpectralFit(
        photon_index=found.index_measured(),
        norm=found.amplitude_measured(np.zeros(1)),
        flux=found.amplitude_measured(log_flux),
        unabsorbed_flux=found.amplitude_measured(log_energy_flux(found.index, np.zeros(1))),
        photon_index_90=found.index_measured(0.9),
        flux_90=found.amplitude_measured(log_flux, 0.9),
        nh_90_1e22_cm2=found.column_measured(_NH_UNIT, 0.9),
        flux_band_kev=analysis_constants().spectrum.flux_band_kev,
        nh_1e22_cm2=found.column_measured(_NH_UNIT),
        nh_free=True,
        nh_galactic_1e22_cm2=None if galactic is None else galactic.nh_cm2 / _NH_UNIT,
        nh_galactic_source=None if galactic is None else galactic.source,
        nh_determined=not found.is_cut
        and found.column_width < analysis_constants().column.undetermined_width,
        statistic=float(best.statistic),
        expected_statistic=expected,
        expected_sigma=sigma,
        trusted=not doubts,
        doubts=tuple(doubts),
        bins=spectrum_bins(spectrum, float(best.amplitude) * folded),
    )


def _doubts(found: SpectralPosterior, n_source: float, excess: float) -> list[str]:
    rules = analysis_constants().spectrum
    doubts = []
    if n_source < rules.trusted_photons:
        doubts.append(f"only {n_source:.0f} net counts in the source region")
    if found.is_cut:
        low, high = rules.photon_index_limits
        doubts.append(
            f"the photon index {found.index_measured().value:.1f} is at its limit of {low:g} or {high:g}"
        )
    if excess > rules.worst_fit_sigma:
        doubts.append(f"an absorbed power law does not describe the spectrum ({excess:.1f} sigma)")
    return doubts


def spectrum_bins(spectrum: Spectrum, folded: Floats) -> tuple[SpectrumBin, ...]:
    """Group channels for a plot, with net rates of the source region and prediction of the model.

    Parameters
    ----------
    spectrum
        Spectrum to fit, with its channels.
    folded
        Count rates of the model per channel on the whole detector, counts/s.
    """
    data, edges = spectrum.data, spectrum.edges
    starts = _bin_starts(data.counts[0])
    stops = np.append(starts[1:], data.counts.shape[1])
    on, off = np.add.reduceat(data.counts, starts, axis=1)
    others = np.add.reduceat(np.broadcast_to(data.others, data.counts.shape), starts, axis=1)
    effective = np.add.reduceat(folded, starts) * data.regions.effective_fraction
    return tuple(
        SpectrumBin(
            low_kev=float(edges[first]),
            high_kev=float(edges[stop]),
            source_photons=int(on[k]),
            background_photons=int(off[k]),
            rate=net_counts(int(on[k]), int(off[k]), data.regions.area_ratio, others[:, k]).scaled(
                1.0 / (data.exposure * (edges[stop] - edges[first]))
            ),
            model=float(effective[k] / (edges[stop] - edges[first])),
        )
        for k, (first, stop) in enumerate(zip(starts, stops, strict=True))
    )


def _bin_starts(counts: Counts) -> npt.NDArray[np.intp]:
    """Return the first channels of bins with about equal numbers of photons."""
    rules = analysis_constants().spectrum
    total = int(counts.sum())
    bins = int(np.clip(total // rules.photons_per_bin, 1, rules.most_bins))
    shares = total * np.arange(bins) / bins
    return np.unique(np.searchsorted(np.cumsum(counts) - counts, shares, side="right") - 1)
