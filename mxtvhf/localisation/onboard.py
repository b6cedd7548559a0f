"""Judge positions measured on board by the photons that came to the ground.

The on-board position and ours are made of the same photons, so their distance compares nothing that is
independent. What the photons themselves say of the on-board position is the likelihood ratio

    T = 2 (ln L_max - ln L(x, y)),

with the source's strength free both at the maximum and at the on-board position (x, y). Were the on-board
position right, it would be a second, less efficient measurement of the same source by the same photons. The
error of an efficient estimator is not correlated with the difference to another one (Rao 1973, Linear
Statistical Inference, 5a.2), so this difference has the variance of the one error minus that of the other.
With the ratio q of the on-board error to ours and the own noise n of the on-board position, in units of our
error per axis, T is then distributed as s times a chi-square of two degrees of freedom:

    s = q^2 - 1 + n^2,        p(T) = exp(-T / 2 s).

q is that of the published radii, the on-board one multiplied by ``radius_factor``, and at least
``error_ratio`` (``onboard.toml``). An on-board position of the first photons only has a larger radius and,
rightly, a larger s.

A position beside the detector is judged alike: little or none of the source's photons could come from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
"""Standard error per axis of a round Gaussian whose 90 % radius is 1."""
_SMALLEST_P_SHOWN = 1e-12
_MOST = 1.0 - 1e-9
"""Largest fraction of the photons that a source is given: with one the background would be impossible."""


class JudgementLimits(SourcedConstants):
    """How far the on-board position may be from what the photons say."""

    error_ratio: float = Field(ge=1.0, le=5.0)
    """Least error of the on-board position over ours."""
    radius_factor: float = Field(ge=1.0, le=5.0)
    """By which the published on-board radius is multiplied."""
    noise_arcsec: float = Field(ge=0.0, le=120.0)
    """Its own noise, 1 sigma per axis."""
    supported_from: Probability
    """Least p-value of a position that the photons support."""
    contradicted_below: Probability
    """p-value below which they contradict it."""

    @model_validator(mode="after")
    def _in_order(self) -> JudgementLimits:
        if self.contradicted_below > self.supported_from:
            raise ValueError(
                f"contradicted_below {self.contradicted_below} is above supported_from {self.supported_from}"
            )
        return self


class OnboardConstants(Constants):
    """``onboard.toml``."""

    version: Text
    judgement: JudgementLimits


@cache
def onboard_constants() -> OnboardConstants:
    """Return the limits of a judgement; see the file for meaning and source."""
    return read_toml(Path(__file__).with_name("onboard.toml"), OnboardConstants)


@dataclass(frozen=True)
class OnboardClaim:
    """A position measured on board, on the detector.

    Attributes
    ----------
    x, y
        Continuous 0-based pixels, drift-corrected; may be off the detector. NaN: in the far half of the sky.
    position
        The same on the sky, with its radii.
    known_source
        True when the on-board software took it for a catalogued source.
    time
        When it was sent, UTC.
    """

    x: float
    y: float
    position: Position
    known_source: bool = False
    time: datetime | None = None


def log_likelihood_at(evidence: Evidence, x: float, y: float) -> float:
    """Return ln L of a source at a position, against "background only", for the best strength there.

    Parameters
    ----------
    evidence
        The photons with their weights, and the PSF as it was fitted.
    x, y
        Continuous 0-based pixels, on the detector or beside it.

    Returns
    -------
    float
        At least 0, which is a source without photons.
    """
    counts, psf = evidence.counts, evidence.psf
    excess = counts.profile(psf, (x, y))
    if counts.weights is not None:
        excess = excess * counts.weights
    excess = excess - 1.0

    def slope(fraction: float) -> float:
        return float(counts.number @ (excess / (1.0 + fraction * excess)))

    if slope(0.0) <= 0.0:
        return 0.0
    # ln L is concave in the source's fraction of the photons: its slope has one zero, if any.
    best = _MOST if slope(_MOST) >= 0.0 else float(brentq(slope, 0.0, _MOST, xtol=1e-6))
    return max(0.0, float(counts.number @ np.log1p(best * excess)))


def judge_onboard(
    found: SourceLocalisation, claims: Iterable[OnboardClaim], others: Sequence[SourceLocalisation] = ()
) -> tuple[OnboardJudgement, ...]:
    """Judge on-board positions by the source that the photons show.

    Parameters
    ----------
    found
        The source, as of ``localise``.
    claims
        The on-board positions.
    others
        Further sources of the field. A position is judged by the source that agrees with it best, since the
        on-board software reports several.

    Returns
    -------
    tuple of OnboardJudgement
        In the order of ``claims``.
    """
    return tuple(
        max((_judged(source, claim) for source in (found, *others)), key=lambda judged: judged.p_value or 0.0)
        for claim in claims
    )


def unjudged(claims: Iterable[OnboardClaim], reason: str) -> tuple[OnboardJudgement, ...]:
    """Return on-board positions that cannot be judged, with the reason."""
    return tuple(
        OnboardJudgement(
            position=claim.position,
            known_source=claim.known_source,
            verdict=OnboardVerdict.UNDECIDABLE,
            explanation=f"{claim.position.label} cannot be judged by the photons: {reason}.",
            time=claim.time,
        )
        for claim in claims
    )


def ts_drop_scale(r90_arcsec: float, onboard_r90_arcsec: float | None) -> float:
    """Return s of the module: T of a right on-board position is s times a chi-square of two.

    Parameters
    ----------
    r90_arcsec
        Our statistical 90 % radius.
    onboard_r90_arcsec
        The on-board one; None: unknown.
    """
    limits = onboard_constants().judgement
    ratio = max(limits.error_ratio, limits.radius_factor * (onboard_r90_arcsec or 0.0) / r90_arcsec)
    noise = limits.noise_arcsec / (_SIGMA_PER_R90 * r90_arcsec)
    return ratio**2 - 1.0 + noise**2


def _judged(found: SourceLocalisation, claim: OnboardClaim) -> OnboardJudgement:
    (open_,) = unjudged([claim], "they show no significant source")
    evidence = found.evidence
    if evidence is None or not found.detected:
        return open_
    limits = onboard_constants().judgement
    there = log_likelihood_at(evidence, claim.x, claim.y) if isfinite(claim.x) else 0.0
    highest = log_likelihood_at(evidence, evidence.fit.x, evidence.fit.y)
    drop = max(0.0, 2.0 * (highest - there))
    scale = ts_drop_scale(found.r90, claim.position.r90_stat_arcsec)
    p_value = exp(-0.5 * drop / scale)
    numbers = {"ts_drop": drop, "p_value": p_value}
    apart = "far outside of the field"
    if isfinite(claim.x):
        numbers["separation_arcsec"] = pixel_scale_arcsec() * hypot(claim.x - found.x, claim.y - found.y)
        apart = f"{angle_text(numbers['separation_arcsec'])} from the MXT-VHF position"
    needed = -2.0 * scale * log(limits.contradicted_below)
    verdict, told = OnboardVerdict.UNDECIDABLE, "is neither supported nor contradicted"
    if 2.0 * highest < needed:
        told = f"cannot be judged (TS {2.0 * highest:.0f}, needed {needed:.0f})"
    elif p_value < limits.contradicted_below:
        verdict, told = OnboardVerdict.CONTRADICTED, "is contradicted"
    elif p_value >= limits.supported_from:
        verdict, told = OnboardVerdict.SUPPORTED, "is supported"
    explanation = (
        f"{claim.position.label}, {apart}, {told} by the photons: TS is lower by {drop:.1f} there "
        f"(p {_p_text(p_value)})."
    )
    return open_.model_copy(update={**numbers, "verdict": verdict, "explanation": explanation})


def _p_text(p_value: float) -> str:
    return f"< {_SMALLEST_P_SHOWN:g}" if p_value < _SMALLEST_P_SHOWN else f"= {p_value:.2g}"
