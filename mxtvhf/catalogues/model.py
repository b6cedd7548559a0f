"""Data model of catalogue sources and search results."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from mxtvhf.models.base import Model, NonNegative
from mxtvhf.models.position import Declination, Position, RightAscension


class SourceClass(StrEnum):
    """What a catalogue contains, by its meaning for a burst."""

    X_RAY = "x-ray"
    """Bright X-ray sources, which may be the detected source itself."""
    AGN_AND_STARS = "agn-and-stars"
    """Active galactic nuclei and stars, which may flare."""
    GALAXIES = "galaxies"
    """Galaxies, which may be the host."""


class CatalogueSource(Model):
    """A source of a catalogue."""

    catalogue: str
    """Name of the catalogue in the local store or at the remote service."""
    name: str
    """Name in the catalogue."""
    identifiers: tuple[str, ...] = ()
    """Other names of the same source."""
    ra_deg: RightAscension
    dec_deg: Declination
    r90_arcsec: NonNegative
    """90 % radius of the position including the systematic error, arcsec."""
    flux: NonNegative | None = None
    """Flux, erg/cm2/s in the catalogue's band; None if unknown or in another unit."""
    flux_band_kev: tuple[float, float] | None = None
    brighter_per_deg2: NonNegative | None = None
    """Local density of catalogue sources that are at least as bright, per square degree; None if not
    counted."""
    classification: str | None = None
    """Classification in the catalogue: ``LMXB``, ``Seyfert_1``, ..."""
    reference: str
    """Publication of the catalogue."""


class CatalogueAnswer(Model):
    """Result of one catalogue for a cone, or the reason why it could not be searched."""

    catalogue: str
    version: str | None = None
    """Version of the ingested catalogue; None for a remote service."""
    checked: bool
    """False if the catalogue was not searched or gave no valid answer; this does not mean that there is no
    match."""
    reason: str | None = None
    """Reason why the catalogue was not checked."""
    ra_deg: RightAscension
    dec_deg: Declination
    radius_arcsec: NonNegative
    """Cone that was searched."""
    density_per_deg2: NonNegative | None = None
    """Density of catalogue sources around the position, per square degree, which gives the rate of chance
    coincidences; the larger of the local and the mean density. None if not checked."""
    sources: tuple[CatalogueSource, ...] = ()
    """Sources whose error circle overlaps the cone, nearest first."""
    omitted: int = 0
    """Number of farther sources omitted from a crowded cone."""
    unusable_here: int = 0
    """Number of catalogue rows inside the cone that are unusable because their position error is unknown."""
    unusable_anywhere: int = 0
    """Number of unusable catalogue rows whose position is unknown."""

    @property
    def is_complete(self) -> bool:
        """Return True if all catalogue rows with a position here were checked."""
        return self.checked and not self.unusable_here

    @property
    def gap(self) -> str | None:
        """Return which rows of the catalogue were not checked; None if all were."""
        here, anywhere = self.unusable_here, self.unusable_anywhere
        parts = [
            f"{here} row{'s' if here != 1 else ''} here without a usable position error" if here else "",
            f"{anywhere} row{'s' if anywhere != 1 else ''} of unknown position" if anywhere else "",
        ]
        return " and ".join(filter(None, parts)) or None

    def is_around(self, position: Position) -> bool:
        """Return True if a position is the centre of the searched cone.

        Parameters
        ----------
        position
            A position, ICRS.
        """
        return (self.ra_deg, self.dec_deg) == (position.ra_deg, position.dec_deg)


class Catalogues(Protocol):
    """Interface of a set of catalogues that can be searched."""

    def cone(self, ra_deg: float, dec_deg: float, radius_arcsec: float) -> tuple[CatalogueAnswer, ...]:
        """Return one answer per catalogue, also for an unreadable one.

        Parameters
        ----------
        ra_deg, dec_deg
            Centre of the cone, ICRS degrees.
        radius_arcsec
            Radius of the cone, arcsec.
        """
        ...
