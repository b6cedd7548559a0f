"""Choose which of several sources is the burst."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log

from mxtvhf.localisation.model import LocalisedSource

SURE = 0.9
"""Probability from which a source counts as fading, or as steady."""
_DENSITY_RATIO = 10.0
"""Ratio of the densities of the ECLAIRs position at two sources from which it excludes the farther one."""


def choose_burst(sources: Sequence[LocalisedSource]) -> tuple[LocalisedSource, str | None]:
    """Return the source that is taken as the burst, and the reason; None as reason for a single source.

    The criteria in order: not a bright catalogued source, inside the ECLAIRs error radius, a point source,
    fading, not steady, much nearer to the ECLAIRs position than others in units of its error, highest TS. An
    on-board position is no criterion: it is computed from the same photons.

    Parameters
    ----------
    sources
        Sources of the field, at least one.
    """
    if len(sources) == 1:
        return sources[0], None
    left, first = list(sources), None
    for select, reason in _CRITERIA:
        # A criterion that no source meets says nothing.
        selected = select(left) or left
        if first is None and len(selected) < len(left):
            first = reason, [source.name for source in left if source not in selected]
        left = selected
    best = max(left, key=lambda source: source.ts)
    if first is None:
        return best, f"{best.name} is the most significant source; no other criterion separates the sources"
    reason, excluded = first
    return best, f"{best.name} {reason} {_joined(excluded)}"


def _near_eclairs(sources: Sequence[LocalisedSource]) -> list[LocalisedSource]:
    """Return the sources at whose positions the density of the ECLAIRs position is not much lower."""
    sigmas = {source.name: source.eclairs_sigmas for source in sources if source.eclairs_sigmas is not None}
    # The density of a Gaussian falls as exp(-sigmas^2 / 2).
    limit = min(sigmas.values(), default=0.0) ** 2 + 2.0 * log(_DENSITY_RATIO)
    return [source for source in sources if source.name in sigmas and sigmas[source.name] ** 2 <= limit]


_Select = Callable[[Sequence[LocalisedSource]], list[LocalisedSource]]


def _all_that(meet: Callable[[LocalisedSource], bool]) -> _Select:
    return lambda sources: [source for source in sources if meet(source)]


_CRITERIA: tuple[tuple[_Select, str], ...] = (
    (_all_that(lambda source: source.known_as is None), "matches no bright catalogued source, unlike"),
    (_all_that(lambda source: bool(source.in_eclairs)), "lies within the ECLAIRs error radius, unlike"),
    (_all_that(lambda source: source.extent_arcmin is None), "looks like a point source, unlike"),
    (_all_that(lambda source: (source.fading or 0.0) >= SURE), "fades, unlike"),
    (_all_that(lambda source: source.fading is None or source.fading > 1.0 - SURE), "may fade, unlike"),
    (_near_eclairs, "lies much nearer to the ECLAIRs position than"),
)
"""Each selects the sources that meet it; what sets them apart from the others, whose names follow."""


def _joined(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
