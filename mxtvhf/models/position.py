"""A position on the sky, in ICRS degrees, with its 90 % error radius in arcseconds."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field

from mxtvhf.models.angles import arcsec_decimals, declination_text, right_ascension_text
from mxtvhf.models.base import Model, NonNegative

RightAscension = Annotated[float, Field(ge=0.0, lt=360.0, allow_inf_nan=False)]

Declination = Annotated[float, Field(ge=-90.0, le=90.0, allow_inf_nan=False)]


BEST = "best"
"""How a report's recommended position is called where a position is chosen; no position has this label."""


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
    data_stream: str | None = None
    """``VHF`` or ``XBand``: how the data of GP's position came to the ground; None where it is not known."""

    @property
    def degrees(self) -> tuple[float, float]:
        """Right ascension and declination with the digits that the error radius allows, degrees.

        Four decimals (0.36 arcsec), more for radii below 10 arcsec. What rounds to 360 is 0, and -0 is 0.
        """
        digits = self._degree_decimals
        return round(self.ra_deg, digits) % 360.0, round(self.dec_deg, digits) + 0.0

    @property
    def degrees_text(self) -> tuple[str, str]:
        """The same as text: ``212.5000``, ``-12.7300``."""
        (ra, dec), digits = self.degrees, self._degree_decimals
        return f"{ra:.{digits}f}", f"{dec:+.{digits}f}"

    @property
    def sexagesimal_text(self) -> tuple[str, str]:
        """Right ascension and declination as text: ``14:10:00.0``, ``-12:43:48``.

        Whole arcsec and tenths of a second of time (15 arcsec); more digits for radii below 10 arcsec.
        """
        digits = arcsec_decimals(self.r90_arcsec)
        return right_ascension_text(self.ra_deg, 1 + digits), declination_text(self.dec_deg, digits)

    @property
    def r90_deg(self) -> float | None:
        """Total 90 % radius with the digits that it has itself, degrees; None when unknown."""
        return None if self.r90_arcsec is None else round(self.r90_arcsec / 3600.0, self._degree_decimals)

    @property
    def _degree_decimals(self) -> int:
        return 4 + arcsec_decimals(self.r90_arcsec)


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
