"""Fit the index of a power-law decay to the arrival times of single photons.

A photon at time t in region R (source or background, see `analysis.regions`) has a probability density

    p(R, t) = f (f_R / (f_s + f_b)) g(t) / G  +  (1 - f) (A_R / (A_s + A_b)) / T,      g = (t - T0)^-index

over the good time T, where G is the integral of g: a fraction f of the photons of both regions comes from the
fading source, the rest from a constant background. Other sources in the field are also assumed to be constant
and are treated as additional background pixels. The likelihood is evaluated for a series of indices, each
with the best f. Its maximum gives the index. The points where it is lower by 1/2 give the 68 % interval, and
those where it is lower by 1.353 the 90 % interval (profile likelihood; Wilks 1938). The photons are not
binned.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize_scalar

from mxtvhf.analysis.constants import analysis_constants
from mxtvhf.analysis.light_curve import RegionPhotons
from mxtvhf.analysis.mixture import best_part
from mxtvhf.analysis.model import DecayFit, Measurement
from mxtvhf.analysis.powerlaw import decay_integral
from mxtvhf.instrument.constants import instrument
from mxtvhf.models.arrays import Floats

DROP_90 = 1.353
"""Half the 90 % quantile of chi-squared with one degree of freedom."""


def fit_decay(photons: RegionPhotons, t0: float | None) -> tuple[DecayFit | None, str | None]:
    """Fit the index of the decay.

    Parameters
    ----------
    photons
        Photons of the two regions.
    t0
        T0 of the burst, s of MET; None if unknown.

    Returns
    -------
    tuple
        The fit and a caveat (or None), or None and the reason why there is no fit.
    """
    rules = analysis_constants().decay
    if t0 is None:
        return None, "T0 is unknown"
    if t0 >= photons.gti[0, 0]:
        return None, f"T0 is {t0 - photons.gti[0, 0]:.1f} s after the start of the first GTI"
    indices = np.arange(rules.lowest, rules.highest + 0.5 * rules.step, rules.step)
    start, stop = photons.gti[0, 0] - t0, photons.gti[-1, 1] - t0
    reference = float(np.sqrt(start * stop))
    profile, part = _profile(photons, t0, reference, indices)
    n_source = part * (photons.source_time.size + photons.background_time.size)
    best = int(np.argmax(profile))
    least = rules.least_photons
    if n_source[best] < least:
        return None, f"{n_source[best]:.1f} fading source photons, fewer than the required {least:g}"
    if best in (0, indices.size - 1):
        return None, f"the index is outside {rules.lowest:g} .. {rules.highest:g}"
    index = _interval(indices, profile, 0.5)
    fractions = photons.regions.source_fraction + photons.regions.background_fraction
    amount = float(np.interp(index.value, indices, n_source)) / fractions
    fading = float(_integral(photons.gti - t0, np.array([index.value]), reference)[0])
    fit = DecayFit(
        index=index,
        index_90=_interval(indices, profile, DROP_90),
        reference_s=reference,
        rate_at_reference=amount / fading,
    )
    open_end = index.error_low is None or index.error_high is None
    return fit, "the interval of the index extends beyond the fitted range" if open_end else None


def _profile(photons: RegionPhotons, t0: float, reference: float, indices: Floats) -> tuple[Floats, Floats]:
    """Return ln L relative to "background only" for the best f, and this f, for each index."""
    regions, half_frame = photons.regions, 0.5 * instrument().detector.frame_time_s
    fractions = np.array([regions.source_fraction, regions.background_fraction])
    areas = _areas_with_others(photons)
    weight = (fractions / fractions.sum()) / (areas / areas.sum()) * photons.exposure
    density = -np.log(_integral(photons.gti - t0, indices, reference))
    ratio, number = [], []
    for time, factor in zip((photons.source_time, photons.background_time), weight, strict=True):
        log_time, members = _grouped(np.log((time + half_frame - t0) / reference))
        ratio.append(factor * np.exp(density[:, np.newaxis] - np.outer(indices, log_time)) - 1.0)
        number.append(members)
    return best_part(np.concatenate(ratio, axis=1), np.concatenate(number))


def _areas_with_others(photons: RegionPhotons) -> Floats:
    """Return the pixels of both regions, increased by the equivalent of the photons of other sources."""
    regions, others = photons.regions, photons.others.counts
    source, background = np.array([photons.source_time.size, photons.background_time.size]) - others
    areas = np.array(regions.areas)
    burst = max(source - regions.area_ratio * background, 0.0) / regions.effective_fraction
    level = (background - burst * regions.background_fraction) / areas[1]
    return areas + others / level if level > 0.0 else areas


def _grouped(values: Floats) -> tuple[Floats, Floats]:
    """Combine ascending values in at most ``most_groups`` groups of neighbours; return means and numbers."""
    groups = min(values.size, analysis_constants().decay.most_groups)
    if groups == 0:
        return values, values
    starts = (np.arange(groups) * values.size) // groups
    members = np.diff([*starts, values.size]).astype(np.float64)
    return np.add.reduceat(values, starts) / members, members


def _integral(since: Floats, indices: Floats, reference: float) -> Floats:
    """Return the integral of (t / reference)^-index over the intervals ``since`` (s after T0) per index."""
    start, stop = (since / reference).T
    return np.asarray(reference * decay_integral(start, stop, indices[:, np.newaxis]).sum(axis=1))


def _interval(indices: Floats, profile: Floats, drop: float) -> Measurement:
    """Return the maximum of a sampled log-likelihood and the distances to a decrease by ``drop``."""
    curve = CubicSpline(indices, profile)
    best = int(np.argmax(profile))
    around = (indices[best - 1], indices[best + 1])
    peak = float(minimize_scalar(lambda index: -curve(index), bounds=around, method="bounded").x)
    ends = np.sort(curve.solve(float(curve(peak)) - drop, extrapolate=False))
    below, above = ends[ends < peak], ends[ends > peak]
    return Measurement(
        value=peak,
        error_low=float(peak - below[-1]) if below.size else None,
        error_high=float(above[0] - peak) if above.size else None,
    )
