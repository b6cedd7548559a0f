"""What a catalogue says of a place on the sky."""

from __future__ import annotations

from typing import Protocol

from mxtvhf.models.base import Model, NonNegative
from mxtvhf.models.position import Declination, Position, RightAscension


class CatalogueSource(Model):
    """A source of a catalogue."""

    catalogue: str
    """The catalogue's name, in the local store or at the remote service."""
    name: str
    """What the catalogue calls it."""
    identifiers: tuple[str, ...] = ()
    """Other names of the same source."""
    ra_deg: RightAscension
    dec_deg: Declination
    r90_arcsec: NonNegative
    """90 % radius of its position, systematic error included, arcsec."""
    flux: NonNegative | None = None
    """erg/cm2/s in the catalogue's band; None where unknown or in another unit."""
    flux_band_kev: tuple[float, float] | None = None
    brighter_per_deg2: NonNegative | None = None
    """Sources of the catalogue per square degree, as dense as it is here, that are at least as bright; None
    where that was not counted."""
    classification: str | None = None
    """The catalogue's own word: ``LMXB``, ``Seyfert_1``, ..."""
    reference: str
    """Where it was published."""


class CatalogueAnswer(Model):
    """What one catalogue gave for a cone, or why it could not be asked."""

    catalogue: str
    version: str | None = None
    """Of the catalogue as ingested; None for a remote service."""
    checked: bool
    """False: not asked, or no sound answer. Then nothing is known, least of all that there is no match."""
    reason: str | None = None
    """Why it was not checked."""
    ra_deg: RightAscension
    dec_deg: Declination
    radius_arcsec: NonNegative
    """The cone that was asked for."""
    density_per_deg2: NonNegative | None = None
    """Sources of the catalogue per square degree around here: how often an unrelated one lies here by chance.
    The larger of the local and the mean density; None when not checked."""
    sources: tuple[CatalogueSource, ...] = ()
    """All whose error circle reaches into the cone, nearest first."""
    omitted: int = 0
    """How many farther ones were left out of a very full cone."""
    unusable_here: int = 0
    """Rows of the catalogue inside the cone that are not among its sources, since their error is not known:
    the catalogue is not checked for them."""
    unusable_anywhere: int = 0
    """Rows of the catalogue that are not among its sources and whose place is not known."""

    @property
    def is_complete(self) -> bool:
        """Tell whether all of the catalogue was checked here, as far as it has positions."""
        return self.checked and not self.unusable_here

    @property
    def gap(self) -> str | None:
        """Say what of the catalogue was not checked; None where all of it was."""
        here, anywhere = self.unusable_here, self.unusable_anywhere
        parts = [
            f"{here} row{'s' if here != 1 else ''} here without a usable position error" if here else "",
            f"{anywhere} row{'s' if anywhere != 1 else ''} of unknown position" if anywhere else "",
        ]
        return " and ".join(filter(None, parts)) or None

    def is_around(self, position: Position) -> bool:
        """Tell whether a position is the centre of the cone that was asked for."""
        return (self.ra_deg, self.dec_deg) == (position.ra_deg, position.dec_deg)


class Catalogues(Protocol):
    """What can be asked for the sources around a place."""

    def cone(self, ra_deg: float, dec_deg: float, radius_arcsec: float) -> tuple[CatalogueAnswer, ...]:
        """Return one answer of each catalogue, also of one that could not be read."""
        ...
