"""Compare two positions of one burst with each other.

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

from math import hypot

from mxtvhf.crosscheck.bayes import log10_bayes_factor, probability, probability_text, unrelated
from mxtvhf.crosscheck.model import GpOutcome, PositionPair, Verdict
from mxtvhf.crosscheck.settings import crosscheck_settings
from mxtvhf.models.angles import angle_text, radius_text, separation_arcsec
from mxtvhf.models.position import Origin, Position

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
        combined = p_value = factor = same = None
        verdict = Verdict.UNCLEAR
        explanation = f"{apart}, which says nothing: no error radius is known of {' and '.join(unknown)}."
    else:
        combined = hypot(first.r90_arcsec or 0.0, second.r90_arcsec or 0.0)
        p_value = separation_p_value(separation, combined)
        verdict = verdict_of(p_value)
        factor = log10_bayes_factor(separation, combined)
        finer = min(first, second, key=lambda position: position.r90_arcsec or 0.0)
        same = probability(factor, *unrelated(finer.origin))
        explanation = (
            f"{apart}; two measurements of one source are within {radius_text(combined)} in 90 % of cases "
            f"and farther apart than this with {p_text(p_value)}: {verdict}. "
            f"That they are one source and not two has a probability of {probability_text(same)}."
        )
    return PositionPair(
        first=first.label,
        second=second.label,
        separation_arcsec=separation,
        combined_r90_arcsec=combined,
        p_value=p_value,
        log10_bayes_factor=factor,
        probability=same,
        verdict=verdict,
        explanation=explanation,
    )


def separation_p_value(separation_arcsec: float, combined_r90_arcsec: float) -> float:
    """Probability of a separation at least this large, were both of one source; see the module."""
    return float(0.1 ** ((separation_arcsec / combined_r90_arcsec) ** 2))


def verdict_of(p_value: float) -> Verdict:
    """Verdict of a p-value by the limits of ``crosscheck.toml``."""
    limits = crosscheck_settings().verdict
    if p_value >= limits.consistent_from:
        return Verdict.CONSISTENT
    return Verdict.INCONSISTENT if p_value < limits.inconsistent_below else Verdict.UNCLEAR


def compare_of_burst(first: Position, second: Position, gp: GpOutcome, uses_eclairs: bool) -> PositionPair:
    """Compare two positions; say so where they share photons and method.

    Parameters
    ----------
    first, second
        The positions.
    gp
        What GP gave; the reference service's position is not independent of ours.
    uses_eclairs
        True when our position was found with the help of ECLAIRs' circle.
    """
    pair = compare(first, second)
    origins = {first.origin, second.origin}
    if gp.is_reference and origins == {Origin.GP, Origin.MXT_VHF}:
        return pair.model_copy(update={"explanation": f"{pair.explanation} {NOT_INDEPENDENT}"})
    if uses_eclairs and origins == {Origin.ECLAIRS, Origin.MXT_VHF}:
        return pair.model_copy(update={"explanation": f"{pair.explanation} {FOUND_BY_ECLAIRS}"})
    return pair


def name(position: Position) -> str:
    """Name of a position for people: ``ECLAIRs slewing``, ``MXT-VHF photons``."""
    return f"{position.origin} {position.label}"


def p_text(p_value: float) -> str:
    """Write a p-value as a clause: ``p = 0.48``."""
    number = p_number(p_value)
    return f"p {number}" if number[0] in "<>" else f"p = {number}"


def p_number(p_value: float) -> str:
    """Write a p-value with two digits: ``0.50``, ``0.0012``, ``> 0.99``, ``< 1e-12``."""
    if p_value < SMALLEST_P_SHOWN:
        return f"< {SMALLEST_P_SHOWN:g}"
    return "> 0.99" if p_value > 0.99 else f"{p_value:#.2g}"
