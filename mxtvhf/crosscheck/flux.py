"""Weigh a catalogued source by whether it can be as bright as what was measured.

A match is weighed by the likelihood ratio of Sutherland & Saunders (1992, MNRAS 259, 413),
``q(F) N(psi) / n(F)``: q is the distribution of the catalogued flux F of a true counterpart, n(F) the density
of the catalogue's sources of that flux, both per decade, and N(psi) the density of the separation (see
``bayes``). q is a lognormal about the measured flux: sources vary. A small part of them has a much wider one:
outbursts. With N(>F) the number of sources at least as bright and its slope s, n(F) is ``s ln 10 N(>F)``.

So a bright source is hardly ever there by chance, however many faint ones the catalogue has, and a faint one
is hardly ever what was measured, however near it is.
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
"""Fluxes of bands that begin lower are not compared: neither spectrum nor absorption is known there."""


class FluxMatch(Model):
    """A catalogued source's flux against the measured one."""

    ratio: float
    """Measured over catalogued flux, in the band of the measurement."""
    log10_weight: float
    """By which the odds of the match are multiplied, as a decimal logarithm."""
    per_deg2: float
    """Sources per square degree that are at least as bright, or all of them where that was not counted."""
    is_counted: bool


def flux_match(
    measured: MeasuredFlux | None, source: CatalogueSource, density_per_deg2: float
) -> FluxMatch | None:
    """Compare the flux of a catalogued source with the measured one.

    Parameters
    ----------
    measured
        At the position that is compared with the source; None: not measured.
    source
        The source.
    density_per_deg2
        All sources of its catalogue per square degree.

    Returns
    -------
    FluxMatch or None
        The weight is against odds of the position alone, ``N(psi)`` over all sources. None where a flux or
        its band is not known, or the band is not one of X-rays.
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
        # How rare so bright a source is was not counted: its flux can only speak against it.
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
    """Density per decade of a source's distance from its catalogued flux.

    Parameters
    ----------
    dex
        Decimal logarithm of measured over catalogued flux.
    known_dex
        1 sigma that measurement and conversion add.
    """
    priors = crosscheck_settings().flux
    parts = (
        (1.0 - priors.outburst_part, hypot(priors.variability_dex, known_dex)),
        (priors.outburst_part, hypot(priors.outburst_dex, known_dex)),
    )
    return sum(part * exp(-0.5 * (dex / sigma) ** 2) / (sigma * sqrt(2.0 * pi)) for part, sigma in parts)


@cache
def band_factor(band_kev: tuple[float, float], wanted_kev: tuple[float, float]) -> float:
    """Return the flux in one band over that in another, of the spectrum that sources are expected to have.

    Parameters
    ----------
    band_kev
        Band of the known flux.
    wanted_kev
        Band to which it is converted.
    """
    known, wanted = (_energy_flux(*band) for band in (band_kev, wanted_kev))
    return wanted / known


def _energy_flux(low: float, high: float) -> float:
    energy = np.geomspace(low, high, 1001)
    return float(np.trapezoid(energy * PowerLaw().density(energy), energy))


def _middle(band: tuple[float, float]) -> float:
    return sqrt(band[0] * band[1])
