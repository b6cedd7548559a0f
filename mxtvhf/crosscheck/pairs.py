"""Compare two positions of one burst with each other.

Errors are assumed to be circular Gaussians: a 90 % radius r90 is ``sigma sqrt(-2 ln 0.1)`` = 2.146 sigma,
sigma per axis, since the radius of a two-dimensional normal has the distribution ``1 - exp(-r^2 / 2
sigma^2)`` (Rayleigh). Total radii, statistical and systematic in quadrature, are compared. The separation of
two measurements of one source then exceeds ``s`` with the probability ``p = exp(-s^2 / 2 (sigma1^2 +
sigma2^2))``, which is ``0.1 ** (s^2 / (r1^2 + r2^2))``.

Positions from the same data (see ``shared_data``) are correlated, and therefore closer to each other by an
unknown amount. Such a pair is never called consistent because of its distance, and inconsistent only if the
separation is too large even for two independent measurements. For positions from the same photons, the
likelihood of these photons at either position decides, if it is known. A position that was found with the
help of another one is compared in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot

from mxtvhf.crosscheck.bayes import Hypotheses, hypotheses, log10_bayes_factor, probability_text
from mxtvhf.crosscheck.model import GpOutcome, PhotonEvidence, PositionPair, Verdict
from mxtvhf.crosscheck.settings import crosscheck_settings
from mxtvhf.crosscheck.shared_data import data_group, is_of_mxt, share_data
from mxtvhf.models.angles import angle_text, radius_text, separation_arcsec
from mxtvhf.models.position import Origin, Position

SMALLEST_P_SHOWN = 1e-12
"""Smallest p-value that is given as a number; no error distribution is known that far out."""

NOT_INDEPENDENT = (
    "They are not independent: the reference GP uses our method on data that include these photons"
)
"""Reason why the comparison of other MXT positions with that of the reference GP tests little."""

FOUND_BY_ECLAIRS = "They are not independent: the source was found with the help of the ECLAIRs error circle"
"""Reason why the comparison of our position with ECLAIRs tests little if the photons alone show no source."""


def compare(
    first: Position,
    second: Position,
    *,
    evidence: PhotonEvidence | None = None,
    not_independent: str | None = None,
) -> PositionPair:
    """Compare two positions and decide if they can be of the same source.

    Parameters
    ----------
    first, second
        The positions. One without a 90 % radius gives ``p_value`` None and the verdict "unclear".
    evidence
        Evidence about one of them from the photons on which both are based.
    not_independent
        Clause that explains why the positions are not independent; by default that they are from the same
        data, if they are.

    Returns
    -------
    PositionPair
        Separation, its expected 90 % radius, p-value, verdict, and an explanation with the numbers.
    """
    if not_independent is None and share_data(first, second):
        not_independent = f"They are not independent: both are from the same data ({data_group(first)})"
    separation = separation_arcsec(first.ra_deg, first.dec_deg, second.ra_deg, second.dec_deg)
    apart = f"{name(first)} and {name(second)} are {angle_text(separation)} apart"
    unknown = [name(position) for position in (first, second) if not position.r90_arcsec]
    combined = p_value = factor = weighed = None
    if unknown:
        verdict = Verdict.UNCLEAR
        explanation = f"{apart}; not tested: the error radius of {' and '.join(unknown)} is unknown."
    else:
        combined = hypot(first.r90_arcsec or 0.0, second.r90_arcsec or 0.0)
        p_value = separation_p_value(separation, combined)
        apart = f"{apart} (combined 90 % radius {radius_text(combined)}"
        if not_independent:
            verdict, p_value, reason = _without_independence(p_value, evidence)
            explanation = f"{apart}): {reason}. {not_independent}."
        else:
            verdict = verdict_of(p_value)
            factor = log10_bayes_factor(separation, combined)
            weighed = _weighed(factor, first, second)
            explanation = f"{apart}, {p_text(p_value)}): {verdict}. {_hypotheses_text(weighed)}"
    return PositionPair(
        first=first.label,
        second=second.label,
        separation_arcsec=separation,
        combined_r90_arcsec=combined,
        p_value=p_value,
        log10_bayes_factor=factor,
        probability=weighed.one_source if weighed else None,
        probability_unrelated=weighed.unrelated if weighed else None,
        probability_no_source=weighed.no_source if weighed else None,
        independent=not not_independent,
        verdict=verdict,
        explanation=explanation,
    )


def _without_independence(
    p_value: float, evidence: PhotonEvidence | None
) -> tuple[Verdict, float | None, str]:
    """Compare two positions that are not independent; return verdict, p-value if known, and a clause.

    Parameters
    ----------
    p_value
        p-value for independent positions; an upper limit, since these are correlated.
    evidence
        Evidence of the photons, if available.
    """
    if evidence is not None and evidence.supported is not None:
        verdict = Verdict.CONSISTENT if evidence.supported else Verdict.INCONSISTENT
        if evidence.other_source is not None:
            return verdict, None, f"{evidence.label} is a position of another source, {evidence.other_source}"
        word = "support" if evidence.supported else "contradict"
        chance = "" if evidence.p_value is None else f" ({p_text(evidence.p_value)})"
        return verdict, evidence.p_value, f"the photons {word} {evidence.label}{chance}"
    if verdict_of(p_value) is Verdict.INCONSISTENT:
        return (
            Verdict.INCONSISTENT,
            p_value,
            f"inconsistent even if they were independent ({p_text(p_value)})",
        )
    return Verdict.NOT_INDEPENDENT, None, "their distance is not a test"


def _weighed(factor: float, first: Position, second: Position) -> Hypotheses:
    """Return the hypotheses for the more precise position; for equal radii, the less favourable result."""
    if first.r90_arcsec != second.r90_arcsec:
        finer, coarser = sorted((first, second), key=lambda position: position.r90_arcsec or 0.0)
        return hypotheses(factor, finer.origin, coarser.origin)
    both = (first.origin, second.origin), (second.origin, first.origin)
    return min((hypotheses(factor, *order) for order in both), key=lambda weighed: weighed.one_source)


def _hypotheses_text(weighed: Hypotheses) -> str:
    return (
        f"Probability of a common source: {probability_text(weighed.one_source)} "
        f"(unrelated sources {probability_text(weighed.unrelated)}, "
        f"no source {probability_text(weighed.no_source)})."
    )


def separation_p_value(separation_arcsec: float, combined_r90_arcsec: float) -> float:
    """Return the probability of a separation at least this large for one source, see the module docstring.

    Parameters
    ----------
    separation_arcsec
        Angle between the positions.
    combined_r90_arcsec
        90 % radius of the difference of the positions.
    """
    return float(0.1 ** ((separation_arcsec / combined_r90_arcsec) ** 2))


def verdict_of(p_value: float) -> Verdict:
    """Return the verdict for a p-value, with the limits of ``crosscheck.toml``.

    Parameters
    ----------
    p_value
        Probability of a separation at least as large for one source.
    """
    limits = crosscheck_settings().verdict
    if p_value >= limits.consistent_from:
        return Verdict.CONSISTENT
    return Verdict.INCONSISTENT if p_value < limits.inconsistent_below else Verdict.UNCLEAR


def compare_of_burst(
    first: Position,
    second: Position,
    *,
    gp: GpOutcome,
    uses_eclairs: bool = False,
    evidence: Sequence[PhotonEvidence] = (),
) -> PositionPair:
    """Compare two positions of a burst, taking their shared data into account.

    Parameters
    ----------
    first, second
        The positions.
    gp
        Outcome of GP, which says if it is the reference GP.
    uses_eclairs
        True if our position was found with the help of the ECLAIRs error circle.
    evidence
        Evidence of the photons about positions derived from them, relative to ours.
    """
    origins, labels = {first.origin, second.origin}, {first.label, second.label}
    not_independent = None
    if gp.is_reference and Origin.GP in origins and is_of_mxt(first) and is_of_mxt(second):
        not_independent = NOT_INDEPENDENT
    elif uses_eclairs and origins == {Origin.ECLAIRS, Origin.MXT_VHF}:
        not_independent = FOUND_BY_ECLAIRS
    judged = Origin.MXT_VHF in origins and share_data(first, second)
    said = next((one for one in evidence if judged and one.label in labels), None)
    return compare(first, second, evidence=said, not_independent=not_independent)


def name(position: Position) -> str:
    """Return the display name of a position: ``ECLAIRs (slewing)``, ``MXT (VHF photons)``.

    Parameters
    ----------
    position
        The position.
    """
    return position.name


def p_text(p_value: float) -> str:
    """Format a p-value as a clause: ``p = 0.48``.

    Parameters
    ----------
    p_value
        The p-value, 0..1.
    """
    number = p_number(p_value)
    return f"p {number}" if number[0] in "<>" else f"p = {number}"


def p_number(p_value: float) -> str:
    """Format a p-value with two digits: ``0.50``, ``0.0012``, ``> 0.99``, ``< 1e-12``.

    Parameters
    ----------
    p_value
        The p-value, 0..1.
    """
    if p_value < SMALLEST_P_SHOWN:
        return f"< {SMALLEST_P_SHOWN:g}"
    return "> 0.99" if p_value > 0.99 else f"{p_value:#.2g}"
