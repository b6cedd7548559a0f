"""Compare the sources of two reports by position; their names only give the order of significance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import hypot
from typing import Any

from mxtvhf.models.angles import separation_arcsec
from mxtvhf.workflow.comparison.model import SourceChange, SourceOutcome, Tolerances

SAME_WITHIN_R90 = 1.5
"""Largest separation of one source in units of the combined 90 % radius, which 99.4 % do not exceed."""

Source = Mapping[str, Any]


def source_changes(
    archived: Sequence[Source], new: Sequence[Source], tolerances: Tolerances
) -> list[SourceChange]:
    """Pair the sources of two reports, the closest first, and classify the change of each.

    Parameters
    ----------
    archived, new
        ``localisation.sources`` of the two reports.
    tolerances
        Tolerance within which a position counts as unchanged.

    Returns
    -------
    list of SourceChange
        Sources of the archived report in its order, then new sources.
    """
    pairs = sorted(
        (_apart(one, other), i, j)
        for i, one in enumerate(archived)
        for j, other in enumerate(new)
        if _apart(one, other) <= SAME_WITHIN_R90 * hypot(_radius(one), _radius(other))
    )
    partner: dict[int, int] = {}
    for _, i, j in pairs:
        if i not in partner and j not in partner.values():
            partner[i] = j
    changes = [
        _moved(one, new[partner[i]], tolerances) if i in partner else _alone(one, SourceOutcome.LOST)
        for i, one in enumerate(archived)
    ]
    found = [_alone(one, SourceOutcome.FOUND) for j, one in enumerate(new) if j not in partner.values()]
    return [*changes, *found]


def _moved(archived: Source, new: Source, tolerances: Tolerances) -> SourceChange:
    apart = _apart(archived, new)
    radius = max(float(one["position"]["r90_stat_arcsec"] or 0.0) for one in (archived, new))
    part = apart / radius if radius else None
    same = apart == 0.0 or (part is not None and part <= tolerances.position)
    return SourceChange(
        outcome=SourceOutcome.SAME if same else SourceOutcome.MOVED,
        archived=archived["name"],
        new=new["name"],
        separation_arcsec=apart,
        part_of_r90=part,
    )


def _alone(source: Source, outcome: SourceOutcome) -> SourceChange:
    lost = outcome is SourceOutcome.LOST
    return SourceChange(
        outcome=outcome, archived=source["name"] if lost else None, new=None if lost else source["name"]
    )


def _apart(one: Source, other: Source) -> float:
    first, second = one["position"], other["position"]
    return separation_arcsec(first["ra_deg"], first["dec_deg"], second["ra_deg"], second["dec_deg"])


def _radius(source: Source) -> float:
    return float(source["position"]["r90_arcsec"] or 0.0)
