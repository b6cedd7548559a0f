"""Hardness ratio of a source from few photons.

In each band the source counts s have the posterior of an on-off measurement with flat priors (Loredo 1992,
"Promise of Bayesian inference for astrophysics", eq. 5.13): a sum of Gamma distributions of i + 1, i = 0 ..
N_s, with the weights (1 + 1/a)^i (N_s + N_b - i)! / (N_s - i)!. The posterior of the ratio is sampled by
drawing from both (as in Park et al. 2006, ApJ 652, 610); its median and 68 % interval are returned.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from mxtvhf.analysis.constants import analysis_constants
from mxtvhf.analysis.light_curve import RegionPhotons
from mxtvhf.analysis.model import Hardness, Measurement
from mxtvhf.models.arrays import Floats

_QUANTILES = (0.15865525, 0.5, 0.84134475)
"""Quantiles of a normal distribution at -1, 0 and 1 sigma."""


def hardness_ratio(photons: RegionPhotons) -> Hardness:
    """Return the hardness ratio of the two bands of ``analysis.toml``.

    Without photons the median of the ratio is 0 and its interval covers nearly all of -1 .. 1.

    Parameters
    ----------
    photons
        Photons of the source and background region.
    """
    rules = analysis_constants().hardness
    bands = rules.soft_kev, rules.hard_kev
    on = [_within(photons.source_energy, band) for band in bands]
    off = [_within(photons.background_energy, band) for band in bands]
    # A fixed seed, so that the same photons give the same bytes.
    rng = np.random.default_rng(0)
    soft, hard = (
        draw_source_counts(rng, rules.draws, n_on, n_off, photons.regions.area_ratio)
        for n_on, n_off in zip(on, off, strict=True)
    )
    low, median, high = np.quantile((hard - soft) / (hard + soft), _QUANTILES)
    return Hardness(
        soft_kev=bands[0],
        hard_kev=bands[1],
        soft_photons=on[0],
        hard_photons=on[1],
        ratio=Measurement(
            value=float(median), error_low=float(median - low), error_high=float(high - median)
        ),
    )


def draw_source_counts(
    rng: np.random.Generator, draws: int, source: int, background: int, area_ratio: float
) -> Floats:
    """Draw from the posterior of the source counts in the source region, see the module docstring.

    Parameters
    ----------
    rng
        Random number generator.
    draws
        Number of draws.
    source, background
        Photons of each region in the band.
    area_ratio
        Ratio of the areas of source and background region.
    """
    i = np.arange(source + 1)
    log_weight = (
        i * np.log1p(1.0 / area_ratio) + gammaln(source + background - i + 1) - gammaln(source - i + 1)
    )
    weight = np.exp(log_weight - log_weight.max())
    return rng.gamma(1.0 + rng.choice(i, size=draws, p=weight / weight.sum()))


def _within(energy: Floats, band: tuple[float, float]) -> int:
    return int(((energy >= band[0]) & (energy < band[1])).sum())
