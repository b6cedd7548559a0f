"""What the desk calls positions: the instrument first, then the notice where there is one."""

from __future__ import annotations

from collections.abc import Iterable

from mxtvhf.models.position import Origin, Position, current_positions

INSTRUMENTS = {Origin.MXT_VHF: "MXT (VHF)", Origin.MXT_ONBOARD: "MXT on board", Origin.GP: "GP"}
"""Those whose origin is no name that a Burst Advocate would use."""
OWN = (Origin.MXT_VHF, Origin.GP)
"""Origins whose positions come from an analysis, and have no notice."""


def instrument_name(origin: Origin) -> str:
    """Return who measured a position: ``ECLAIRs``, ``MXT (VHF)``, ``MXT on board``, ``GP``."""
    return INSTRUMENTS.get(origin, str(origin))


def position_name(position: Position) -> str:
    """Return who measured a position, and in which notice: ``MXT on board, mxt-initial_qf2``."""
    instrument = instrument_name(position.origin)
    return instrument if position.origin in OWN else f"{instrument}, {position.label}"


def superseded(positions: Iterable[Position]) -> frozenset[str]:
    """Return the labels of the positions that a later one of their origin replaced.

    Parameters
    ----------
    positions
        In order of publication.
    """
    every = list(positions)
    current = {position.label for position in current_positions(every).values()}
    return frozenset(position.label for position in every) - current
