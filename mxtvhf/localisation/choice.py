"""Choose which of several sources is the burst."""

from __future__ import annotations

from collections.abc import Sequence

from mxtvhf.localisation.model import LocalisedSource

SURE = 0.9
"""Probability from which a source counts as fading, or as steady."""


def choose_burst(sources: Sequence[LocalisedSource]) -> tuple[LocalisedSource, str | None]:
    """Return the source that is taken as the burst, and the reason; None as reason for a single source.

    The criteria in order: not a bright catalogued source, inside the ECLAIRs error radius, a point source,
    fading, not steady, highest TS.

    Parameters
    ----------
    sources
        Sources of the field, at least one.
    """
    best = max(sources, key=lambda source: (*(rank for rank, _ in _reasons(source)), source.ts))
    others = [source for source in sources if source is not best]
    if not others:
        return best, None
    for place, (rank, reason) in enumerate(_reasons(best)):
        beaten = [other.name for other in others if _reasons(other)[place][0] < rank]
        if beaten:
            return best, f"{best.name} {reason}, unlike {_joined(beaten)}"
        others = [other for other in others if _reasons(other)[place][0] == rank]
    return best, f"{best.name} is the most significant source; no other criterion separates the sources"


def _reasons(source: LocalisedSource) -> tuple[tuple[bool, str], ...]:
    return (
        (source.known_as is None, "matches no bright catalogued source"),
        (bool(source.in_eclairs), "lies within the ECLAIRs error radius"),
        (source.extent_arcmin is None, "looks like a point source"),
        ((source.fading or 0.0) >= SURE, "fades"),
        (source.fading is None or source.fading > 1.0 - SURE, "may fade"),
    )


def _joined(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
