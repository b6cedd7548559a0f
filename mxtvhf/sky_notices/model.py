"""Data model of a notice of another mission."""

from __future__ import annotations

from collections.abc import Iterable
from math import log1p, sqrt
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from mxtvhf.models.base import Model
from mxtvhf.models.position import Declination, RightAscension
from mxtvhf.models.quantities import Probability, RadiusDeg


def web_links(texts: Iterable[str | None]) -> tuple[str, ...]:
    """Return the web addresses among texts of a notice; others, such as ``javascript:``, are left out.

    Parameters
    ----------
    texts
        Values of fields that should be addresses; None if a field is absent.
    """
    every = (text for text in texts if text is not None and text.startswith(("http://", "https://")))
    return tuple(text for text in every if text.isprintable() and len(text) <= LONGEST_LINK)[:5]


LONGEST_LINK = 500
"""Largest number of characters of an address."""

Kind = Literal["initial", "update", "retraction", "other"]
"""``other``: a notice that reports no detection, such as a pointing direction."""


Name = Annotated[str, Field(max_length=60)]
"""Name of a mission or an instrument."""


class ErrorEllipse(Model):
    """An error ellipse on the sky, ICRS; a circle has two equal axes."""

    ra_deg: RightAscension
    dec_deg: Declination
    semi_major_deg: RadiusDeg
    semi_minor_deg: RadiusDeg
    angle_deg: float = 0.0
    """Position angle of the major axis, from North through East, degrees."""
    containment: Probability = 0.9
    """Probability inside the ellipse."""

    @property
    def sigma_deg(self) -> tuple[float, float]:
        """Standard deviations along both axes for a Gaussian error, degrees."""
        scale = sqrt(-2.0 * log1p(-self.containment))
        return self.semi_major_deg / scale, self.semi_minor_deg / scale

    @property
    def is_circle(self) -> bool:
        """True if both axes are equal."""
        return self.semi_major_deg == self.semi_minor_deg


class Significance(Model):
    """Significance of a detection as published."""

    value: float
    unit: Literal["SNR", "FAR Hz", "probability of an astrophysical origin"]


class SkyNotice(Model):
    """A notice of another mission, or one object of a notice about several."""

    mission: Annotated[Name, Field(min_length=1)]
    instrument: Name
    """Empty if the notice names none."""
    event_id: Annotated[str, Field(min_length=1, max_length=120)]
    """Identifier of the event at the mission; equal in all its notices."""
    names: tuple[str, ...] = ()
    """Further names, such as ``GRB 260402A``."""
    kind: Kind
    time: AwareDatetime
    """Time of the trigger, or the start of the observation, UTC."""
    published: AwareDatetime | None = None
    received: AwareDatetime
    area: ErrorEllipse | None = None
    """Position with its error; None if the notice gives none."""
    has_map: bool = False
    """True if the notice contains a usable sky map."""
    map_problem: str = ""
    """Reason why a sky map of the notice cannot be used; empty without a problem."""
    systematic_included: bool = True
    """False if the published error excludes the systematic error."""
    significance: Significance | None = None
    is_test: bool = False
    is_burst: bool | None = None
    """False if the mission classified the event as something else; None without a classification."""
    classified_as: str = ""
    """Class of an event that is not a burst, such as ``SOLAR_FLARE``; empty for others."""
    cites: tuple[str, ...] = ()
    """Identifiers of the notices that a retraction retracts."""
    links: tuple[str, ...] = ()
    schema_name: str = ""
    """Schema or ivorn of the notice."""
    is_newer_schema: bool = False
    """True if the schema is newer than this software, which then reads the fields that it knows."""
    digest: str
    """SHA-256 of the notice as received."""
    part: int = 0
    """Number of the object in a notice about several."""
    warnings: tuple[str, ...] = ()

    @property
    def is_retraction(self) -> bool:
        """True for a retraction."""
        return self.kind == "retraction"

    @property
    def detector(self) -> str:
        """Name of mission and instrument for people: ``Fermi GBM``."""
        return f"{self.mission} {self.instrument}".strip()
