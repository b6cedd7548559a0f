"""A position on the sky, in ICRS degrees, with its 90 % error radius in arcseconds."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field

from mxtvhf.models.base import Model, NonNegative

RightAscension = Annotated[float, Field(ge=0.0, lt=360.0, allow_inf_nan=False)]

Declination = Annotated[float, Field(ge=-90.0, le=90.0, allow_inf_nan=False)]


class Origin(StrEnum):
    """Who measured a position."""

    ECLAIRS = "ECLAIRs"
    MXT_ONBOARD = "MXT on-board"
    MXT_VHF = "MXT-VHF"
    GP = "MXT GP"
    VT = "VT"
    GRM = "GRM"
    OTHER = "other"
    """An instrument that no published notice type names today."""


class Position(Model):
    """A measured sky position with its 90 % error radius."""

    origin: Origin
    label: str
    """What a person calls it, e.g. ``mxt-initial_qf1`` or ``photons``."""
    ra_deg: RightAscension
    dec_deg: Declination
    r90_stat_arcsec: NonNegative | None
    """Statistical 90 % radius, arcsec; None where the source gives only a total."""
    r90_sys_arcsec: NonNegative
    """Systematic 90 % radius, arcsec."""
    r90_arcsec: NonNegative | None
    """Total 90 % radius (statistical and systematic in quadrature), arcsec; None when unknown."""
    time: AwareDatetime | None = None
    """When the measurement was made or published, UTC."""
    reference: str | None = None
    """Where it was read: an ivorn or a product name."""


def current_positions(positions: Iterable[Position]) -> dict[Origin, Position]:
    """Return the position of each origin that holds now: the last one, with an error radius if any has one.

    Parameters
    ----------
    positions
        In order of publication, retractions left out.
    """
    current: dict[Origin, Position] = {}
    for position in positions:
        if position.r90_arcsec or position.origin not in current:
            current[position.origin] = position
    return current
