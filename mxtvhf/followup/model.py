"""Data models of the line of sight to a position and of its visibility; light to import."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, Field

from mxtvhf.catalogues.model import SourceClass
from mxtvhf.models.base import Model, NonNegative
from mxtvhf.models.position import Declination, RightAscension
from mxtvhf.models.quantities import RISING
from mxtvhf.models.toml import SourcedConstants

AltitudeDeg = Annotated[float, Field(ge=0.0, le=90.0)]
AltitudeRange = Annotated[tuple[AltitudeDeg, AltitudeDeg], RISING]
"""Lowest and highest altitude that a telescope reaches, degrees."""


class Extinction(Model):
    """Galactic extinction towards a position."""

    e_b_v_mag: NonNegative
    """Reddening E(B-V), recalibrated, mag."""
    a_v_mag: NonNegative
    """Extinction in Landolt V, mag."""
    source: str
    """Map, recalibration, cell size and package."""


class NearSource(Model):
    """Catalogue source nearest to a position."""

    name: str
    catalogue: str
    classification: str | None
    separation_arcsec: NonNegative


class KnownSources(Model):
    """Known sources of one class around a position."""

    source_class: SourceClass | None
    """None: sources of mixed catalogues whose classification belongs to none of the classes."""
    radius_arcsec: NonNegative
    """Radius of the field, arcsec."""
    checked: bool
    """False if no catalogue of this class was searched; this does not mean that there is no source."""
    reason: str | None = None
    """Reason why the class, or one of its catalogues, was not checked."""
    count: int = 0
    """Number of sources whose error circle overlaps the field."""
    is_lower_limit: bool = False
    """True if there are more sources than were counted."""
    nearest: NearSource | None = None


class LineOfSight(Model):
    """What lies in the direction of a position."""

    ra_deg: RightAscension
    dec_deg: Declination
    time: AwareDatetime
    """Time of the distances of Sun and Moon, UTC."""
    galactic_longitude_deg: float
    galactic_latitude_deg: float
    ecliptic_latitude_deg: float
    """For the ecliptic of J2000."""
    sun_deg: float | None
    """Angular distance of the Sun, degrees; None outside the years of the ephemerides."""
    moon_deg: float | None
    """Angular distance of the Moon from the centre of the Earth, degrees; up to 1 degree different at a
    telescope."""
    moon_illuminated: float | None
    """Illuminated fraction of the Moon's disk, 0 to 1."""
    extinction: Extinction | None
    """Galactic extinction; None if the map is not available."""
    nh_cm2: NonNegative | None
    """Galactic column of atomic hydrogen, 1/cm2; None if the map is not available."""
    nh_source: str | None
    """Survey, cell size of its map, and package."""
    sources: tuple[KnownSources, ...]
    """Known sources by class; empty if no catalogues were given."""
    not_checked: tuple[str, ...] = ()
    """Reason for each missing quantity."""


class Limits(SourcedConstants):
    """Limits of all telescopes that have none of their own."""

    sun_altitude_deg: Annotated[float, Field(ge=-90.0, le=0.0)]
    """Highest altitude of the Sun, degrees."""
    altitude_deg: AltitudeRange
    moon_deg: Annotated[float, Field(ge=0.0, le=180.0)]
    """Smallest distance of the Moon while it is above the horizon, degrees."""


class Window(Model):
    """Time in which a telescope can observe a position."""

    start: AwareDatetime
    """UTC."""
    end: AwareDatetime
    """UTC."""
    best_airmass: NonNegative
    best_time: AwareDatetime
    """Time of the best airmass, UTC."""
    moon_deg: NonNegative
    """Smallest distance of the Moon as seen from the telescope, degrees."""


class TelescopeVisibility(Model):
    """Visibility of a position from a telescope."""

    telescope: str
    site: str
    filters: str
    of_mission: bool
    """True for the ground telescopes of SVOM."""
    is_visible_now: bool
    """True if the telescope can observe at the start of the calculation."""
    windows: tuple[Window, ...]
    reason: str | None = None
    """Reason why there is no window."""
    altitudes_deg: tuple[float, ...]
    """Geometric altitude of the position at each step from the start, degrees."""
    is_dark: tuple[bool, ...]
    """At each step: True if the Sun is below the limit."""


class Visibility(Model):
    """Visibility of a position from all telescopes of a list."""

    ra_deg: RightAscension
    dec_deg: Declination
    start: AwareDatetime
    """Start of the calculation, UTC."""
    end: AwareDatetime
    """End of the calculation, UTC."""
    step_minutes: float
    limits: Limits
    telescopes: tuple[TelescopeVisibility, ...]
    """Those of the mission first, then by the start of the first window; those without a window last."""
