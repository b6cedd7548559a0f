"""Weigh a catalogued source by comparing its flux with the measured one.

The weight of a match is the likelihood ratio of Sutherland & Saunders (1992, MNRAS 259, 413), ``q(F) N(psi) /
n(F)``: q is the distribution of the catalogued flux F of a true counterpart, n(F) the density of the
catalogue's sources of that flux, both per decade, and N(psi) the density of the separation (see ``bayes``). q
is a lognormal about the measured flux, because sources vary; a small fraction of sources (outbursts) has a
much wider one. With N(>F) the number of sources at least as bright and its slope s, n(F) is ``s ln 10
N(>F)``.

A bright source is therefore rarely a chance coincidence, however many faint sources the catalogue has, and a
faint one is rarely the measured source, however near it is.
"""

from __future__ import annotations

from functools import cache
from math import exp, hypot, log, log10, pi, sqrt
from typing import TypeGuard

import numpy as np

from mxtvhf.analysis.powerlaw import PowerLaw
from mxtvhf.catalogues.model import CatalogueSource
from mxtvhf.crosscheck.model import MeasuredFlux
from mxtvhf.crosscheck.settings import crosscheck_settings
from mxtvhf.models.base import Model

LOWEST_KEV = 0.05
"""Fluxes in bands that begin below this energy, keV, are not compared: spectrum and absorption are
unknown."""


class FluxMatch(Model):
    """Comparison of a catalogued flux with the measured one."""

    ratio: float
    """Ratio of measured to catalogued flux, in the band of the measurement."""
    log10_weight: float
    """Decimal logarithm of the factor on the odds of the match."""
    per_deg2: float
    """Sources per square degree that are at least as bright; all sources if this is unknown."""
    is_counted: bool


def flux_match(
    measured: MeasuredFlux | None, source: CatalogueSource, density_per_deg2: float
) -> FluxMatch | None:
    """Compare the flux of a catalogued source with the measured one.

    Parameters
    ----------
    measured
        Flux at the position that is compared with the source; None if not measured.
    source
        The catalogued source.
    density_per_deg2
        Number of all sources of its catalogue per square degree.

    Returns
    -------
    FluxMatch or None
        The weight applies to the odds by position alone, ``N(psi)`` over the density of all sources. None if
        a flux or its band is unknown, or the band is not in X-rays.
    """
    if measured is None or not source.flux or not _is_xray(source.flux_band_kev):
        return None
    priors = crosscheck_settings().flux
    ratio = measured.flux / (source.flux * band_factor(source.flux_band_kev, measured.band_kev))
    spectral = priors.photon_index_sigma * abs(
        log10(_middle(source.flux_band_kev) / _middle(measured.band_kev))
    )
    known = hypot(spectral, measured.relative_error / log(10.0))
    expected = _likelihood(log10(ratio), known)
    is_counted = source.brighter_per_deg2 is not None and density_per_deg2 > 0.0
    if source.brighter_per_deg2 is None or not is_counted:
        # The density of sources this bright is unknown, so the flux can only count against the match.
        weight, per_deg2 = expected / _likelihood(0.0, known), density_per_deg2
    else:
        per_deg2 = source.brighter_per_deg2
        weight = expected * density_per_deg2 / (priors.counts_slope * log(10.0) * per_deg2)
    return FluxMatch(
        ratio=ratio, log10_weight=log10(max(weight, 1e-300)), per_deg2=per_deg2, is_counted=is_counted
    )


def _is_xray(band_kev: tuple[float, float] | None) -> TypeGuard[tuple[float, float]]:
    return band_kev is not None and LOWEST_KEV <= band_kev[0] < band_kev[1]


def _likelihood(dex: float, known_dex: float) -> float:
    """Return the probability density per decade of a flux ratio.

    Parameters
    ----------
    dex
        Decimal logarithm of the ratio of measured to catalogued flux.
    known_dex
        Additional 1 sigma uncertainty from measurement and conversion.
    """
    priors = crosscheck_settings().flux
    parts = (
        (1.0 - priors.outburst_part, hypot(priors.variability_dex, known_dex)),
        (priors.outburst_part, hypot(priors.outburst_dex, known_dex)),
    )
    return sum(part * exp(-0.5 * (dex / sigma) ** 2) / (sigma * sqrt(2.0 * pi)) for part, sigma in parts)


@cache
def band_factor(band_kev: tuple[float, float], wanted_kev: tuple[float, float]) -> float:
    """Return the ratio of the fluxes in two bands for the spectrum expected of sources.

    Parameters
    ----------
    band_kev
        Band of the known flux.
    wanted_kev
        Band to which the flux is converted.
    """
    known, wanted = (_energy_flux(*band) for band in (band_kev, wanted_kev))
    return wanted / known


def _energy_flux(low: float, high: float) -> float:
    energy = np.geomspace(low, high, 1001)
    return float(np.trapezoid(energy * PowerLaw().density(energy), energy))


def _middle(band: tuple[float, float]) -> float:
    return sqrt(band[0] * band[1])
