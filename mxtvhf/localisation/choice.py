"""Which of several sources is the burst."""

from __future__ import annotations

from collections.abc import Sequence

from mxtvhf.localisation.model import LocalisedSource

_FADES = 0.9
"""Probability from which a source is said to fade."""


def choose_burst(sources: Sequence[LocalisedSource]) -> tuple[LocalisedSource, str | None]:
    """Return the source that is taken as the burst, and why; None where there is only one.

    A source that no catalogue of bright sources knows goes before one that is known, then one in ECLAIRs'
    circle before one outside, then a point source before an extended one, then one that fades before one that
    does not, then the most significant one.

    Parameters
    ----------
    sources
        At least one.
    """
    best = max(sources, key=lambda source: (*(rank for rank, _ in _reasons(source)), source.ts))
    others = [source for source in sources if source is not best]
    if not others:
        return best, None
    for place, (rank, reason) in enumerate(_reasons(best)):
        beaten = [other.name for other in others if _reasons(other)[place][0] < rank]
        if beaten:
            verb = "does" if len(beaten) == 1 else "do"
            return best, f"{best.name} {reason}, {_joined(beaten)} {verb} not"
        others = [other for other in others if _reasons(other)[place][0] == rank]
    return best, f"{best.name} is the most significant source, and nothing else tells which one is the burst"


def _reasons(source: LocalisedSource) -> tuple[tuple[bool, str], ...]:
    return (
        (source.known_as is None, "belongs to no known bright source"),
        (bool(source.in_eclairs), "lies in the ECLAIRs circle"),
        (source.extent_arcmin is None, "looks like a point source"),
        ((source.fading or 0.0) >= _FADES, "fades"),
    )


def _joined(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
