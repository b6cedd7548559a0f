"""Celestial reference frames of catalogues: parse common names and convert to ICRS with astropy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from astropy import units as u
from astropy.coordinates import (
    FK4,
    FK5,
    ICRS,
    BarycentricMeanEcliptic,
    FK4NoETerms,
    Galactic,
    Supergalactic,
    UnitSphericalRepresentation,
)
from astropy.time import Time

from mxtvhf.errors import InvalidInput

SYSTEMS = {
    "icrs": "ICRS", "icrf": "ICRS",
    "fk5": "FK5", "eqfk5": "FK5", "j2000": "FK5",
    "fk4": "FK4", "eqfk4": "FK4", "b1950": "FK4",
    "fk4noe": "FK4-NO-E",
    "galactic": "galactic", "gal": "galactic",
    "supergalactic": "supergalactic",
    "ecliptic": "ecliptic", "eclfk5": "ecliptic",
}  # fmt: skip
"""System by its name in lower case without blanks and signs: FITS 4.0 (table 24), the vocabularies of
VOTable's COOSYS up to 1.2 and since 1.5 (IVOA refframe), and common names. ``ecl_FK4`` is missing because
astropy does not support it."""
DEFAULT_EQUINOX = {"FK5": "J2000", "FK4": "B1950", "FK4-NO-E": "B1950", "ecliptic": "J2000"}
EQUATORIAL = ("ICRS", "FK5", "FK4", "FK4-NO-E")
FIRST_FK5_YEAR = 1984.0
"""FITS 4.0, section 8.3: an earlier equinox is Besselian and FK4, a later one Julian and FK5."""
KNOWN = "ICRS, FK5, FK4, galactic, supergalactic or ecliptic, with an equinox where needed: 'FK4 B1950'"


@dataclass(frozen=True)
class Frame:
    """A reference frame.

    Attributes
    ----------
    system
        A value of `SYSTEMS`.
    equinox
        ``J2000``, ``B1950``, ...; None for the usual one, or if none is needed.
    epoch
        Epoch of observation of FK4 positions; None for the equinox.
    """

    system: str
    equinox: str | None = None
    epoch: str | None = None

    def __str__(self) -> str:
        return f"{self.system} {equinox}" if (equinox := self._equinox()) else self.system

    def _equinox(self) -> str | None:
        return self.equinox or DEFAULT_EQUINOX.get(self.system)

    def is_like(self, other: Frame) -> bool:
        """Return True if positions in both frames agree within 0.1 arcsec.

        Parameters
        ----------
        other
            The frame to compare with.
        """
        return self._kind() == other._kind()

    def _kind(self) -> str:
        return "ICRS" if str(self) == "FK5 J2000" else str(self)

    def to_icrs(self, longitude_deg: Any, latitude_deg: Any) -> tuple[Any, Any]:
        """Convert directions.

        Parameters
        ----------
        longitude_deg, latitude_deg
            Arrays, degrees in this frame.

        Returns
        -------
        tuple of array
            RA and Dec, degrees ICRS, RA from 0 up to 360.
        """
        if self.system == "ICRS":
            return longitude_deg, latitude_deg
        directions = UnitSphericalRepresentation(longitude_deg * u.deg, latitude_deg * u.deg)
        found = self._astropy().realize_frame(directions).transform_to(ICRS())
        ra = found.ra.deg
        ra[ra >= 360.0] = 0.0  # due to rounding
        return ra, found.dec.deg

    def _astropy(self) -> Any:
        equinox = Time(self._equinox()) if self._equinox() else None
        if self.system in ("FK4", "FK4-NO-E"):
            kind = FK4 if self.system == "FK4" else FK4NoETerms
            return kind(equinox=equinox, obstime=Time(self.epoch) if self.epoch else equinox)
        if self.system == "FK5":
            return FK5(equinox=equinox)
        if self.system == "ecliptic":
            return BarycentricMeanEcliptic(equinox=equinox)
        return {"galactic": Galactic, "supergalactic": Supergalactic}[self.system]()


def frame(system: str, equinox: object = None, epoch: object = None) -> Frame:
    """Return a frame by its name.

    Parameters
    ----------
    system
        Name in any common spelling.
    equinox, epoch
        ``J2000``, ``1950.0``, ...; a year before 1984 without a letter is Besselian. None or empty if not
        given.

    Raises
    ------
    InvalidInput
        The frame is unknown, or the equinox or epoch is invalid.
    """
    plain = re.sub(r"[^a-z0-9]", "", system.lower())
    if plain not in SYSTEMS:
        raise InvalidInput(f"unknown reference frame {system!r}; expected {KNOWN}")
    found, named = SYSTEMS[plain], {"j2000": "J2000", "b1950": "B1950"}.get(plain)
    year = _year(equinox) or named
    if year and year != _year(equinox, "B" if found.startswith("FK4") else "J") and not named:
        raise InvalidInput(f"{system} with equinox {equinox} is contradictory; expected J2000 or FK4 B1950")
    return Frame(found, year if found in DEFAULT_EQUINOX else None, _epoch(found, epoch))


def frame_by_name(text: str) -> Frame:
    """Return a frame by its name with or without an equinox: ``galactic``, ``FK4``, ``FK4 B1975``, ``J2000``.

    Parameters
    ----------
    text
        Name, and an equinox after a blank.

    Raises
    ------
    InvalidInput
        Same as for `frame`.
    """
    system, _, equinox = text.strip().partition(" ")
    return frame(system, equinox)


def fits_frame(headers: tuple[Mapping[str, Any], ...]) -> Frame | None:
    """Return the frame given in a FITS file (FITS 4.0, section 8.3).

    Parameters
    ----------
    headers
        Headers of the table and of those it inherits from; the first one that gives a frame is used.

    Returns
    -------
    Frame or None
        None if no header gives a frame.

    Raises
    ------
    InvalidInput
        The frame is unknown.
    """
    for header in headers:
        system = str(header.get("RADESYS") or header.get("RADECSYS") or "").strip()
        equinox = header.get("EQUINOX", _old_equinox(header.get("EPOCH")))
        if system:
            return frame(system, equinox)
        if equinox is not None:
            return frame("FK4" if (_year(equinox) or "").startswith("B") else "FK5", equinox)
    return None


def _old_equinox(epoch: object) -> object:
    """Return ``EPOCH`` in its old meaning, the equinox; a recent year is the time of observation."""
    year = _year(epoch) if epoch is not None else None
    return epoch if year and (year.startswith("B") or year == "J2000") else None


def _epoch(system: str, epoch: object) -> str | None:
    """Return an epoch; for a frame that does not depend on it, it is only displayed."""
    return _year(epoch) if system.startswith("FK4") else str(epoch or "").strip() or None


def _year(text: object, letter: str = "") -> str | None:
    """Return an equinox or epoch as ``J2000`` or ``B1950``; ``letter`` is used for a bare year."""
    if text is None or not str(text).strip():
        return None
    found = re.fullmatch(r"([JB]?)((?:1[89]|2[01])\d\d(?:\.\d*)?)", str(text).strip().upper())
    if not found:
        raise InvalidInput(f"invalid equinox or epoch {text!r}; expected a year such as J2000 or B1950")
    year = float(found[2])
    return f"{found[1] or letter or ('B' if year < FIRST_FK5_YEAR else 'J')}{year:g}"
