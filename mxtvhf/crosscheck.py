"""Compare the positions of one burst with each other and recommend one.

Errors are taken as circular Gaussians: a 90 % radius r90 is ``sigma sqrt(-2 ln 0.1)`` = 2.146 sigma, sigma
per axis, since the radius of a two-dimensional normal has the distribution ``1 - exp(-r^2 / 2 sigma^2)``
(Rayleigh). Total radii, statistical and systematic in quadrature, are compared. Two measurements of one
source are then apart by more than ``s`` with the probability ``p = exp(-s^2 / 2 (sigma1^2 + sigma2^2))``,
which is ``0.1 ** (s^2 / (r1^2 + r2^2))``.

Positions that share photons or systematics (an MXT notice and its update, the on-board and the VHF
position) are correlated: their separation is then smaller than assumed here, so that p is too large and the
verdict "inconsistent" is, if anything, given too seldom. The reference GP analyses photons that ours are
among, by our own method: its agreement with us is no independent one, and the comparison says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import hypot

from mxtvhf.angles import angle_text, separation_arcsec
from mxtvhf.claims import check_claims, crosscheck_settings
from mxtvhf.errors import InvalidInput
from mxtvhf.models import Alert, CrossCheck, GpOutcome, Origin, Position, PositionPair, Verdict

PREFERENCE = (
    Origin.VT,
    Origin.GP,
    Origin.MXT_VHF,
    Origin.MXT_ONBOARD,
    Origin.ECLAIRS,
    Origin.GRM,
    Origin.OTHER,
)
"""Which of two equally good positions is recommended: the one of the finer or later analysis."""

SMALLEST_P_SHOWN = 1e-12
"""Below this a p-value only says "impossible": no error distribution is known that far out."""

NOT_INDEPENDENT = "They are not independent: this GP uses the same method, and our photons are among its own."
"""Added to the comparison of our position with the one that the reference GP found."""

FOUND_BY_ECLAIRS = "They are not independent: the source was found with the help of ECLAIRs' circle."
"""Added to the comparison of our position with ECLAIRs', where the photons alone showed no source."""


def compare(first: Position, second: Position) -> PositionPair:
    """Tell whether two positions can be of the same source.

    Parameters
    ----------
    first, second
        The positions. One without a 90 % radius gives ``p_value`` None and the verdict "unclear".

    Returns
    -------
    PositionPair
        Separation, the 90 % radius expected for it, p-value, verdict, and one sentence with the numbers.
    """
    separation = separation_arcsec(first.ra_deg, first.dec_deg, second.ra_deg, second.dec_deg)
    apart = f"{name(first)} and {name(second)} are {angle_text(separation)} apart"
    unknown = [name(position) for position in (first, second) if not position.r90_arcsec]
    if unknown:
        combined = p_value = None
        verdict = Verdict.UNCLEAR
        explanation = f"{apart}, which says nothing: no error radius is known of {' and '.join(unknown)}."
    else:
        combined = hypot(first.r90_arcsec or 0.0, second.r90_arcsec or 0.0)
        p_value = 0.1 ** ((separation / combined) ** 2)
        verdict = verdict_of(p_value)
        explanation = (
            f"{apart}; two measurements of one source are within {angle_text(combined)} in 90 % of cases "
            f"and farther apart than this with {p_text(p_value)}: {verdict}."
        )
    return PositionPair(
        first=first.label,
        second=second.label,
        separation_arcsec=separation,
        combined_r90_arcsec=combined,
        p_value=p_value,
        verdict=verdict,
        explanation=explanation,
    )


def verdict_of(p_value: float) -> Verdict:
    """Verdict of a p-value by the limits of ``data/crosscheck.toml``."""
    limits = crosscheck_settings()["verdict"]
    if p_value >= limits["consistent_from"]:
        return Verdict.CONSISTENT
    return Verdict.INCONSISTENT if p_value < limits["inconsistent_below"] else Verdict.UNCLEAR


def crosscheck(
    positions: Sequence[Position], alerts: Sequence[Alert], gp: GpOutcome, *, uses_eclairs: bool = False
) -> CrossCheck:
    """Compare all positions of a burst, check the notices' claims, and recommend a position.

    Parameters
    ----------
    positions
        All positions, in order of publication (of one origin, the last supersedes the others). May be empty.
    alerts
        The notices of the burst, in order of publication.
    gp
        What GP gave, or why it gave nothing; its position must be among ``positions``.
    uses_eclairs
        True when our position was found with the help of ECLAIRs' circle.

    Returns
    -------
    CrossCheck
        Complete also without GP, without our own position, and without any position.

    Raises
    ------
    InvalidInput
        Two positions have the same label, so that a pair could not be told.
    """
    labels = [position.label for position in positions]
    repeated = sorted({label for label in labels if labels.count(label) > 1})
    if repeated:
        raise InvalidInput(f"cross-check: more than one position is called {', '.join(repeated)}")
    best, reason = recommend(positions, gp_is_reference=gp.is_reference)
    if any(alert.is_retraction for alert in alerts):
        reason = f"The burst was retracted. {reason}"
    return CrossCheck(
        positions=tuple(positions),
        pairs=tuple(_pair(first, second, gp, uses_eclairs) for first, second in combinations(positions, 2)),
        claims=check_claims(alerts),
        gp=gp,
        best=best,
        best_reason=reason,
    )


def _pair(first: Position, second: Position, gp: GpOutcome, uses_eclairs: bool) -> PositionPair:
    """Compare two positions; say so where they share photons and method."""
    pair = compare(first, second)
    origins = {first.origin, second.origin}
    if gp.is_reference and origins == {Origin.GP, Origin.MXT_VHF}:
        return pair.model_copy(update={"explanation": f"{pair.explanation} {NOT_INDEPENDENT}"})
    if uses_eclairs and origins == {Origin.ECLAIRS, Origin.MXT_VHF}:
        return pair.model_copy(update={"explanation": f"{pair.explanation} {FOUND_BY_ECLAIRS}"})
    return pair


def recommend(positions: Sequence[Position], *, gp_is_reference: bool = False) -> tuple[Position | None, str]:
    """Choose the position for observers.

    Of each origin only the last position counts. The burst was found by ECLAIRs, so an X-ray or optical
    position that is inconsistent with the ECLAIRs one is not known to be of the burst and is left out. Of
    the rest, the one with the smallest total 90 % radius is taken; ties are broken by ``PREFERENCE``.

    Parameters
    ----------
    positions
        All positions, in order of publication.
    gp_is_reference
        True when GP's position is the reference service's: not independent of ours, it does not count
        beside it.

    Returns
    -------
    position, reason
        None when no position has an error radius; the reason in plain sentences.
    """
    latest = {position.origin: position for position in positions if position.r90_arcsec}
    if not latest:
        return None, "No position with an error radius is at hand."
    if gp_is_reference and Origin.MXT_VHF in latest:
        latest.pop(Origin.GP, None)
    eclairs = latest.get(Origin.ECLAIRS)
    refused = [
        pair
        for position in latest.values()
        if eclairs and (pair := compare(position, eclairs)).verdict is Verdict.INCONSISTENT
    ]
    refused_labels = {pair.first for pair in refused}
    credible = [position for position in latest.values() if position.label not in refused_labels]
    best = min(credible, key=lambda position: (position.r90_arcsec, PREFERENCE.index(position.origin)))
    return best, " ".join(_reasons(best, credible, refused))


def _reasons(best: Position, credible: Sequence[Position], refused: Sequence[PositionPair]) -> list[str]:
    radius = angle_text(best.r90_arcsec or 0.0)
    if len(credible) > 1:
        sentences = [f"{name(best)} has the smallest 90 % radius, {radius}, of {len(credible)} positions."]
    else:
        sentences = [f"{name(best)} is the only credible position, with a 90 % radius of {radius}."]
    for other in credible:
        pair = compare(best, other)
        if pair.verdict is not Verdict.CONSISTENT:
            sentences.append(f"But {pair.explanation}")
    sentences.extend(
        f"Not taken, since it may be another source than the burst: {pair.explanation}" for pair in refused
    )
    return sentences


def name(position: Position) -> str:
    """Name of a position for people: ``ECLAIRs slewing``, ``MXT-VHF photons``."""
    return f"{position.origin} {position.label}"


def p_text(p_value: float) -> str:
    """Write a p-value with two digits."""
    return f"p < {SMALLEST_P_SHOWN:g}" if p_value < SMALLEST_P_SHOWN else f"p = {p_value:.2g}"
