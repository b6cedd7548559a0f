"""Choose the position that is recommended to observers."""

from __future__ import annotations

from collections.abc import Sequence

from mxtvhf.crosscheck.model import PositionPair, Verdict
from mxtvhf.crosscheck.pairs import compare, name
from mxtvhf.models.angles import radius_text
from mxtvhf.models.position import Origin, Position, current_positions

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
    latest = [one for one in latest_of_origins(positions, gp_is_reference=gp_is_reference) if one.r90_arcsec]
    if not latest:
        return None, "No position with an error radius is at hand."
    eclairs = next((position for position in latest if position.origin is Origin.ECLAIRS), None)
    refused = [
        pair
        for position in latest
        if eclairs and (pair := compare(position, eclairs)).verdict is Verdict.INCONSISTENT
    ]
    refused_labels = {pair.first for pair in refused}
    credible = [position for position in latest if position.label not in refused_labels]
    best = min(credible, key=lambda position: (position.r90_arcsec, PREFERENCE.index(position.origin)))
    return best, " ".join(_reasons(best, credible, refused))


def latest_of_origins(positions: Sequence[Position], *, gp_is_reference: bool = False) -> list[Position]:
    """Return the last position of each origin, one with an error radius before one without.

    The reference GP's position does not count beside our own.
    """
    latest = current_positions(positions)
    if gp_is_reference and Origin.MXT_VHF in latest:
        latest.pop(Origin.GP, None)
    return list(latest.values())


def _reasons(best: Position, credible: Sequence[Position], refused: Sequence[PositionPair]) -> list[str]:
    radius = radius_text(best.r90_arcsec or 0.0)
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
