"""Telescopes on the ground: places, limits and filters, from ``observatories.toml`` or an own file."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from mxtvhf.followup.model import AltitudeRange, Limits
from mxtvhf.models.files import changed_at
from mxtvhf.models.quantities import Text
from mxtvhf.models.toml import Constants, read_toml


class Telescope(Constants):
    """Telescope on the ground."""

    name: Text
    site: Text
    of_mission: bool = False
    """True for the ground telescopes of SVOM."""
    longitude_deg: Annotated[float, Field(ge=-180.0, le=360.0)]
    """Geodetic longitude, positive to the East, degrees."""
    latitude_deg: Annotated[float, Field(ge=-90.0, le=90.0)]
    """Geodetic latitude, degrees."""
    height_m: Annotated[float, Field(ge=-500.0, le=9000.0)]
    filters: Text
    altitude_deg: AltitudeRange | None = None
    """Own limits of the altitude, degrees; None for those of all telescopes."""
    source: Text
    """Source of position, filters and limits."""


class Observatories(Constants):
    """Contents of a file of observatories."""

    limits: Limits
    telescopes: Annotated[tuple[Telescope, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_are_unique(self) -> Observatories:
        names = [one.name for one in self.telescopes]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"telescopes: found {', '.join(repeated)} twice, expected unique names")
        return self


def observatories(path: Path | None = None) -> Observatories:
    """Return the telescopes of a file, which is read again only after it has changed.

    Parameters
    ----------
    path
        TOML file in the format of ``observatories.toml``; None for the file of the package.

    Raises
    ------
    InvalidInput
        The file cannot be read, or its content is invalid.
    """
    file = path or Path(__file__).with_name("observatories.toml")
    return _read(file, changed_at(file))


@lru_cache(maxsize=8)
def _read(file: Path, changed: float | None) -> Observatories:
    return read_toml(file, Observatories)
