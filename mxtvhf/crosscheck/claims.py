"""Recompute the claims of MXT notices.

``Within_ECLAIRs_R90`` does not follow from the published numbers in many real notices: it is False at 1.4
arcmin within a radius of 4.9 arcmin, and True at 2.54 arcmin outside the 2.44 arcmin of the notice whose
angle it gives. The rule behind it is not published, so the numbers can confirm but never contradict it.
``Mean_Flux`` is not a flux. Such claims are verified instead of being passed on.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot

from mxtvhf.catalogues.bright import known_source
from mxtvhf.crosscheck.model import NOTHING_RECOMPUTED, ClaimCheck, SourceMatch, Verdict
from mxtvhf.crosscheck.pairs import p_text, separation_p_value, verdict_of
from mxtvhf.crosscheck.settings import crosscheck_settings
from mxtvhf.models.angles import angle_text, separation_arcsec
from mxtvhf.models.position import Origin, Position
from mxtvhf.notices.alert import Alert
from mxtvhf.notices.burst import notice_positions

RULE_UNKNOWN = "the rule by which SVOM sets this flag is not published"
NOT_CHECKED = "no ECLAIRs position available"


AGREES = {Verdict.CONSISTENT: True, Verdict.UNCLEAR: None, Verdict.INCONSISTENT: False}
"""Verdict on the claim that two positions have one source, by the verdict of their comparison."""


def check_claims(alerts: Sequence[Alert], matches: Sequence[SourceMatch] = ()) -> tuple[ClaimCheck, ...]:
    """Recompute the claims of the notices of one burst.

    ``ECLAIRs_Angle`` and ``Within_ECLAIRs_R90`` are recomputed with the latest ECLAIRs notice that reproduces
    the published angle, or else with the latest ECLAIRs notice; every explanation names it. ``agrees`` is
    None for a claim that cannot be recomputed or that the numbers do not decide.

    Parameters
    ----------
    alerts
        Notices of one burst, in order of publication.
    matches
        Matches of their positions with catalogued sources, the most probable first.

    Returns
    -------
    tuple of ClaimCheck
        Checks in the order of the notices; empty if there are no claims.
    """
    eclairs = [position for position in notice_positions(alerts) if position.origin is Origin.ECLAIRS]
    checks: list[ClaimCheck] = []
    for alert in alerts:
        separations = _separations(alert, eclairs)
        if alert.eclairs_angle_arcmin is not None:
            checks.append(_check_angle(alert, alert.eclairs_angle_arcmin, separations))
        if alert.within_eclairs_r90 is not None:
            checks.append(_check_within(alert, alert.within_eclairs_r90, separations))
        if alert.source_name is not None and alert.position is not None:
            checks.append(_check_source_name(alert, alert.source_name, alert.position, matches))
        if alert.mean_flux is not None and not alert.flux_credible:
            checks.append(_check_flux(alert, alert.mean_flux))
    return tuple(checks)


def _separations(alert: Alert, eclairs: Sequence[Position]) -> list[tuple[Position, float]]:
    """Return ECLAIRs positions and their distance from the notice's position, its reference first."""
    if alert.position is None:
        return []
    here = alert.position
    found = [
        (there, separation_arcsec(here.ra_deg, here.dec_deg, there.ra_deg, there.dec_deg))
        for there in reversed(eclairs)
    ]
    return sorted(found, key=lambda one: not _reproduces(alert.eclairs_angle_arcmin, one[1]))


def _reproduces(angle_arcmin: float | None, separation: float) -> bool:
    tolerance = crosscheck_settings().claims.angle_tolerance_arcmin
    return angle_arcmin is not None and abs(angle_arcmin - separation / 60.0) <= tolerance


def _check_angle(alert: Alert, angle: float, separations: list[tuple[Position, float]]) -> ClaimCheck:
    published = f"{angle:.2f} arcmin"
    if not separations:
        return _unchecked(alert, "ECLAIRs_Angle", published)
    reference, separation = separations[0]
    others = "".join(f"; {there.label}: {angle_text(away)}" for there, away in separations[1:])
    return ClaimCheck(
        ivorn=alert.ivorn,
        claim="ECLAIRs_Angle",
        published=published,
        recomputed=f"{separation / 60.0:.2f} arcmin",
        agrees=_reproduces(angle, separation),
        explanation=f"{angle_text(separation)} from the position of {reference.label}{others}",
    )


def _check_within(alert: Alert, flag: bool, separations: list[tuple[Position, float]]) -> ClaimCheck:
    separations = [(there, away) for there, away in separations if there.r90_arcsec]
    if not separations:
        return _unchecked(alert, "Within_ECLAIRs_R90", str(flag))
    reference, separation = separations[0]
    within = separation <= (reference.r90_arcsec or 0.0)
    numbers = "; ".join(_inside_text(there, away) for there, away in separations)
    return ClaimCheck(
        ivorn=alert.ivorn,
        claim="Within_ECLAIRs_R90",
        published=str(flag),
        recomputed=str(within),
        agrees=True if within == flag else None,
        explanation=numbers if within == flag else f"{numbers}; {RULE_UNKNOWN}",
    )


def _inside_text(there: Position, separation: float) -> str:
    radius = there.r90_arcsec or 0.0
    side = "inside" if separation <= radius else "outside"
    return f"{angle_text(separation)} from {there.label}, {side} its R90 of {angle_text(radius)}"


def _check_source_name(
    alert: Alert, label: str, here: Position, matches: Sequence[SourceMatch]
) -> ClaimCheck:
    """Compare the source name given by the notice with the catalogued source at its position."""
    likeliest = next((match for match in matches if match.position == here.label), None)
    known = likeliest is not None and likeliest.probability >= 0.5
    agrees, recomputed = None, NOTHING_RECOMPUTED
    meant = known_source(label)
    if meant is None:
        explanation = f"no bright X-ray source has the name {label}"
    else:
        away = separation_arcsec(here.ra_deg, here.dec_deg, meant.ra_deg, meant.dec_deg)
        explanation = f"{meant.name} is {angle_text(away)} from the position of {here.label}"
        if here.r90_arcsec:
            recomputed = f"{angle_text(away)} away"
            p_value = separation_p_value(away, hypot(here.r90_arcsec, meant.r90_arcsec))
            agrees = AGREES[verdict_of(p_value)]
            explanation += f" ({p_text(p_value)})"
        else:
            explanation += ", which has no error radius"
    if likeliest is not None and known:
        recomputed = likeliest.source
        explanation += f"; {likeliest.source} is {angle_text(likeliest.separation_arcsec)} from it"
    return ClaimCheck(
        ivorn=alert.ivorn,
        claim="Source_Name",
        published=label,
        recomputed=recomputed,
        agrees=agrees,
        explanation=explanation,
    )


def _check_flux(alert: Alert, flux: float) -> ClaimCheck:
    error = "" if alert.flux_error is None else f" +- {alert.flux_error:g}"
    return ClaimCheck(
        ivorn=alert.ivorn,
        claim="Mean_Flux",
        published=f"{flux:g}{error} erg/cm2/s",
        recomputed="not a flux",
        agrees=False,
        explanation="the number cannot be a flux in erg/cm2/s and must not be used",
    )


def _unchecked(alert: Alert, claim: str, published: str) -> ClaimCheck:
    return ClaimCheck(
        ivorn=alert.ivorn,
        claim=claim,
        published=published,
        recomputed=NOTHING_RECOMPUTED,
        agrees=None,
        explanation=NOT_CHECKED,
    )
