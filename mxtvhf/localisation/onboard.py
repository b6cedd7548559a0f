"""Comparison of on-board positions with the photons on the ground.

On-board position and ours come from the same photons, so their distance is not an independent test. The
photons test the on-board position by the likelihood ratio

    T = 2 (ln L_max - ln L(x, y)),

with the strength of the source free both at the maximum and at the on-board position (x, y). If the on-board
position is right, it is a second, less efficient measurement of the same source from the same photons. The
error of an efficient estimator is not correlated with its difference from another estimator (Rao 1973, Linear
Statistical Inference, 5a.2), so the variance of this difference is the difference of the two variances. With
the ratio q of the on-board error to ours, and the additional noise n of the on-board position in units of our
error per axis, T / s has a chi-square distribution with two degrees of freedom:

    s = q^2 - 1 + n^2,        p(T) = exp(-f T / (2 s)).

ln L has a fixed shape of the PSF. With an uncertain shape, positions are less different: to second order in
the distance T is then smaller by f, the part of the variance of our position that does not come from the
shape.
q is the ratio of the published radii, with the on-board one multiplied by ``radius_factor``, and at least
``error_ratio`` (``onboard.toml``). An on-board position from the first photons only has a larger radius and
therefore a larger s.

A position outside the detector is treated in the same way: few or none of the source photons could come from
there. See section "On-board positions" of ``docs/explanation/localisation.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from math import exp, hypot, isfinite, log, sqrt
from pathlib import Path

import numpy as np
from pydantic import Field, model_validator
from scipy.optimize import brentq

from mxtvhf.instrument.constants import pixel_scale_arcsec
from mxtvhf.localisation.model import OnboardJudgement, OnboardVerdict
from mxtvhf.localisation.position import Evidence, SourceLocalisation
from mxtvhf.models.angles import angle_text
from mxtvhf.models.position import Position
from mxtvhf.models.quantities import Probability, Text
from mxtvhf.models.toml import Constants, SourcedConstants, read_toml

_SIGMA_PER_R90 = 1.0 / sqrt(2.0 * log(10.0))
"""Standard deviation per axis of a round Gaussian with a 90 % radius of 1."""
_SMALLEST_P_SHOWN = 1e-12
_LEAST_PART = 0.1
"""Lowest part of the variance of a position that does not come from the shape of the PSF."""
_MOST = 1.0 - 1e-9
"""Largest source fraction of the photons: with 1 the background would be impossible."""


class JudgementLimits(SourcedConstants):
    """Limits of the agreement of an on-board position with the photons."""

    error_ratio: float = Field(ge=1.0, le=5.0)
    """Lowest ratio of the on-board error to ours."""
    radius_factor: float = Field(ge=1.0, le=5.0)
    """Factor on the published on-board radius."""
    noise_arcsec: float = Field(ge=0.0, le=120.0)
    """Additional noise of the on-board position, 1 sigma per axis."""
    supported_from: Probability
    """Lowest p-value of a supported position."""
    contradicted_below: Probability
    """p-value below which a position is contradicted."""

    @model_validator(mode="after")
    def _in_order(self) -> JudgementLimits:
        if self.contradicted_below > self.supported_from:
            raise ValueError(
                f"contradicted_below is {self.contradicted_below}; expected at most supported_from "
                f"{self.supported_from}"
            )
        return self


class OnboardConstants(Constants):
    """Content of ``onboard.toml``."""

    version: Text
    judgement: JudgementLimits


@cache
def onboard_constants() -> OnboardConstants:
    """Return the limits of the verdict; their meaning and source are given in the file."""
    return read_toml(Path(__file__).with_name("onboard.toml"), OnboardConstants)


@dataclass(frozen=True)
class OnboardClaim:
    """An on-board position, on the detector.

    Attributes
    ----------
    x, y
        Continuous 0-based pixels, drift-corrected; may lie outside the detector. NaN: in the opposite half of
        the sky.
    position
        The same on the sky, with its error radii.
    known_source
        True if the on-board software identified it with a catalogued source.
    time
        Time of transmission, UTC; None if unknown.
    """

    x: float
    y: float
    position: Position
    known_source: bool = False
    time: datetime | None = None


def log_likelihood_at(evidence: Evidence, x: float, y: float) -> float:
    """Return ln L of a source at a position, relative to background only, for the best strength there.

    Parameters
    ----------
    evidence
        Photons with their weights, and the fitted PSF.
    x, y
        Position, continuous 0-based pixels, on the detector or outside.

    Returns
    -------
    float
        At least 0, the value for a source without photons.
    """
    counts, psf = evidence.counts, evidence.psf
    excess = counts.profile(psf, (x, y))
    if counts.weights is not None:
        excess = excess * counts.weights
    excess = excess - 1.0

    def slope(fraction: float) -> float:
        """Return the derivative of ln L with respect to the source fraction.

        Parameters
        ----------
        fraction
            Source fraction of the photons.
        """
        return float(counts.number @ (excess / (1.0 + fraction * excess)))

    if slope(0.0) <= 0.0:
        return 0.0
    # ln L is concave in the source fraction: its derivative has at most one zero.
    best = _MOST if slope(_MOST) >= 0.0 else float(brentq(slope, 0.0, _MOST, xtol=1e-6))
    return max(0.0, float(counts.number @ np.log1p(best * excess)))


def judge_onboard(
    burst: SourceLocalisation,
    claims: Iterable[OnboardClaim],
    others: Mapping[str, SourceLocalisation] | None = None,
) -> tuple[OnboardJudgement, ...]:
    """Return the verdict of the photons on each on-board position.

    The on-board software reports several sources. A position that the burst contradicts and another source
    supports is supported as a position of that source (``other_source``).

    Parameters
    ----------
    burst
        Source from ``localise`` that is taken as the burst.
    claims
        On-board positions.
    others
        Further sources of the field by name.

    Returns
    -------
    tuple of OnboardJudgement
        In the order of ``claims``.
    """
    return tuple(_of_best_source(burst, claim, others or {}) for claim in claims)


def unjudged(claims: Iterable[OnboardClaim], reason: str) -> tuple[OnboardJudgement, ...]:
    """Return on-board positions that the photons cannot test.

    Parameters
    ----------
    claims
        On-board positions.
    reason
        Why the photons give no verdict, as a clause.
    """
    return tuple(
        OnboardJudgement(
            position=claim.position,
            known_source=claim.known_source,
            verdict=OnboardVerdict.UNDECIDABLE,
            explanation=f"{claim.position.label} cannot be tested by the photons: {reason}.",
            time=claim.time,
        )
        for claim in claims
    )


def ts_drop_scale(
    r90_arcsec: float, onboard_r90_arcsec: float | None, shape_sigma_arcsec: float = 0.0
) -> float:
    """Return s / f of the module, the scale of T for a right on-board position.

    Parameters
    ----------
    r90_arcsec
        Our 90 % radius without systematic error.
    onboard_r90_arcsec
        Statistical 90 % radius of the on-board position; None if unknown.
    shape_sigma_arcsec
        Part of our error per axis that comes from the shape of the PSF, 1 sigma.
    """
    limits = onboard_constants().judgement
    ratio = max(limits.error_ratio, limits.radius_factor * (onboard_r90_arcsec or 0.0) / r90_arcsec)
    sigma = _SIGMA_PER_R90 * r90_arcsec
    statistical_part = max(_LEAST_PART, 1.0 - (shape_sigma_arcsec / sigma) ** 2)
    return (ratio**2 - 1.0 + (limits.noise_arcsec / sigma) ** 2) / statistical_part


def _of_best_source(
    burst: SourceLocalisation, claim: OnboardClaim, others: Mapping[str, SourceLocalisation]
) -> OnboardJudgement:
    of_burst = _judged(burst, claim)
    if of_burst.verdict is not OnboardVerdict.CONTRADICTED or not others:
        return of_burst
    by_name = {name: _judged(source, claim) for name, source in others.items()}
    name, best = max(by_name.items(), key=lambda entry: entry[1].p_value or 0.0)
    if best.verdict is not OnboardVerdict.SUPPORTED:
        return of_burst
    explanation = (
        f"{claim.position.label} is a position of the source {name}, {_agreement(best)}, "
        f"and not of the burst, {_agreement(of_burst)}."
    )
    return best.model_copy(update={"other_source": name, "explanation": explanation})


def _judged(found: SourceLocalisation, claim: OnboardClaim) -> OnboardJudgement:
    (open_,) = unjudged([claim], "they show no significant source")
    evidence = found.evidence
    if evidence is None or not found.detected:
        return open_
    limits = onboard_constants().judgement
    there = log_likelihood_at(evidence, claim.x, claim.y) if isfinite(claim.x) else 0.0
    highest = log_likelihood_at(evidence, evidence.fit.x, evidence.fit.y)
    drop = max(0.0, 2.0 * (highest - there))
    shape = pixel_scale_arcsec() * found.shape.extra_sigma if found.shape else 0.0
    scale = ts_drop_scale(found.r90, claim.position.r90_stat_arcsec, shape)
    p_value = exp(-0.5 * drop / scale)
    numbers = {"ts_drop": drop, "p_value": p_value}
    apart = "far outside the field"
    if isfinite(claim.x):
        numbers["separation_arcsec"] = pixel_scale_arcsec() * hypot(claim.x - found.x, claim.y - found.y)
        apart = f"{angle_text(numbers['separation_arcsec'])} from the MXT-VHF position"
    needed = -2.0 * scale * log(limits.contradicted_below)
    verdict, told = OnboardVerdict.UNDECIDABLE, "is neither supported nor contradicted"
    if 2.0 * highest < needed:
        told = f"cannot be tested (TS {2.0 * highest:.0f}, needed {needed:.0f})"
    elif p_value < limits.contradicted_below:
        verdict, told = OnboardVerdict.CONTRADICTED, "is contradicted"
    elif p_value >= limits.supported_from:
        verdict, told = OnboardVerdict.SUPPORTED, "is supported"
    explanation = (
        f"{claim.position.label}, {apart}, {told} by the photons: TS is lower by {drop:.1f} there "
        f"(p {_p_text(p_value)})."
    )
    return open_.model_copy(update={**numbers, "verdict": verdict, "explanation": explanation})


def _agreement(judged: OnboardJudgement) -> str:
    return f"{angle_text(judged.separation_arcsec or 0.0)} away (p {_p_text(judged.p_value or 0.0)})"


def _p_text(p_value: float) -> str:
    return f"< {_SMALLEST_P_SHOWN:g}" if p_value < _SMALLEST_P_SHOWN else f"= {p_value:.2g}"
