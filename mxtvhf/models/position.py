"""Sky position in ICRS degrees, with its 90 % error radius in arcsec."""

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
"""Label that stands for the recommended position of a report; no position itself has this label."""


class Origin(StrEnum):
    """Instrument or analysis that measured a position."""

    ECLAIRS = "ECLAIRs"
    MXT_ONBOARD = "MXT on-board"
    MXT_VHF = "MXT-VHF"
    GP = "MXT GP"
    VT = "VT"
    GRM = "GRM"
    OTHER = "other"
    """An instrument that has no published notice type."""


INSTRUMENTS = {Origin.MXT_VHF: "MXT (VHF photons)", Origin.MXT_ONBOARD: "MXT on board", Origin.GP: "GP"}
"""Names for people of the origins whose value is not one."""


class Position(Model):
    """A measured sky position with its 90 % error radius."""

    origin: Origin
    label: str
    """Name for people, e.g. ``mxt-initial_qf1`` or ``photons``."""
    ra_deg: RightAscension
    dec_deg: Declination
    r90_stat_arcsec: NonNegative | None
    """Statistical 90 % radius, arcsec; None if only a total is given."""
    r90_sys_arcsec: NonNegative
    """Systematic 90 % radius, arcsec."""
    r90_arcsec: NonNegative | None
    """Total 90 % radius (statistical and systematic in quadrature), arcsec; None if unknown."""
    time: AwareDatetime | None = None
    """Time of the measurement or publication, UTC."""
    reference: str | None = None
    """Source of the position: an ivorn or a product name."""
    data_stream: str | None = None
    """Downlink of the data behind GP's position, ``VHF`` or ``XBand``; None if unknown."""

    @property
    def instrument(self) -> str:
        """Name for people of what measured the position: ``ECLAIRs``, ``MXT (VHF photons)``, ``GP``."""
        return INSTRUMENTS.get(self.origin, str(self.origin))

    @property
    def name(self) -> str:
        """Name for people, with the notice if it is from one: ``MXT on board (mxt-initial_qf2)``."""
        is_from_analysis = self.origin in (Origin.MXT_VHF, Origin.GP)
        return self.instrument if is_from_analysis else f"{self.instrument} ({self.label})"

    @property
    def degrees(self) -> tuple[float, float]:
        """Return right ascension and declination with the digits that the error radius allows, degrees.

        Four decimals (0.36 arcsec), more for radii below 10 arcsec. A value that rounds to 360 becomes 0, and
        -0 becomes 0.
        """
        digits = self._degree_decimals
        return round(self.ra_deg, digits) % 360.0, round(self.dec_deg, digits) + 0.0

    @property
    def degrees_text(self) -> tuple[str, str]:
        """Return `degrees` as text: ``212.5000``, ``-12.7300``."""
        (ra, dec), digits = self.degrees, self._degree_decimals
        return f"{ra:.{digits}f}", f"{dec:+.{digits}f}"

    @property
    def sexagesimal_text(self) -> tuple[str, str]:
        """Return right ascension and declination as text: ``14:10:00.0``, ``-12:43:48``.

        Whole arcsec and tenths of a second of time (15 arcsec); more digits for radii below 10 arcsec.
        """
        digits = arcsec_decimals(self.r90_arcsec)
        return right_ascension_text(self.ra_deg, 1 + digits), declination_text(self.dec_deg, digits)

    @property
    def r90_deg(self) -> float | None:
        """Total 90 % radius in degrees, rounded to its own precision; None if unknown."""
        return None if self.r90_arcsec is None else round(self.r90_arcsec / 3600.0, self._degree_decimals)

    @property
    def _degree_decimals(self) -> int:
        return 4 + arcsec_decimals(self.r90_arcsec)


def current_positions(positions: Iterable[Position]) -> dict[Origin, Position]:
    """Return the current position of each origin: the last one, preferably with an error radius.

    Parameters
    ----------
    positions
        Positions in order of publication, retractions excluded.
    """
    current: dict[Origin, Position] = {}
    for position in positions:
        if position.r90_arcsec or position.origin not in current:
            current[position.origin] = position
    return current


def superseded(positions: Iterable[Position]) -> frozenset[str]:
    """Return the labels of the positions that a later one of the same origin replaces.

    Parameters
    ----------
    positions
        Positions in order of publication.
    """
    every = list(positions)
    current = {position.label for position in current_positions(every).values()}
    return frozenset(position.label for position in every) - current
