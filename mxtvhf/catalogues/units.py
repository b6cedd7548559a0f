"""Parse the unit strings of catalogue files into astropy units."""

from __future__ import annotations

import re
import warnings

from astropy import units as u
from astropy.units import UnitsWarning

FLUX_UNIT = u.erg / u.cm**2 / u.s

ANGLES = {
    spelling: unit
    for unit, spellings in {
        u.deg: ("deg", "degs", "degr", "degree", "degrees", "decimaldegree", "decimaldegrees", "°"),
        u.arcmin: ("arcmin", "arcmins", "arcminute", "arcminutes", "amin", "'"),
        u.arcsec: ("arcsec", "arcsecs", "arcsecond", "arcseconds", "asec", '"', "''"),
        u.mas: ("mas", "milliarcsec", "milliarcsecond", "milliarcseconds"),
        u.rad: ("rad", "radian", "radians"),
        u.hourangle: ("h", "hr", "hrs", "hour", "hours", "hourangle"),
    }.items()
    for spelling in spellings
}
SEXAGESIMAL = {
    u.hourangle: re.compile(r"\"?h+[: ]?m+[: ]?s+(\.s*)?\"?"),
    u.deg: re.compile(r"\"?d+[: ]?(a?m+)[: ]?(a?s+)(\.s*)?\"?"),
}
"""Unit strings of sexagesimal columns such as ``17 06 15.3``: VizieR writes ``"h:m:s"``, CDS ``hms``."""
NO_UNIT = frozenset({"", "-", "--", "---", "none", "null", "n/a", "unitless", "unknown"})
IN_A_NAME = re.compile(
    r"(?:^|[^a-z])(deg|degrees|arcsec|arcmin|mas|hours?|radians)[)\]]?$|^(?:ra|de|dec)(deg)$"
)
"""Unit at the end of a column name: ``r90_arcsec``, ``RA (deg)``, ``RAdeg``."""


def stated(text: object) -> str | None:
    """Return the unit given in a file; None if it is blank or a dash.

    Parameters
    ----------
    text
        Unit cell of the file; None: not given.
    """
    plain = str(text if text is not None else "").strip()
    return None if plain.lower() in NO_UNIT else plain


def angle_unit(text: str) -> u.UnitBase | None:
    """Return the unit of an angle, with hours as hour angle; None if it is not an angle.

    Parameters
    ----------
    text
        Unit in any usual spelling, also ``hms`` or ``dms``.
    """
    plain = text.strip().lower()
    if inner := re.fullmatch(r"angle\[(.*)\]", plain):
        plain = inner[1].strip()
    if plain in ANGLES:
        return ANGLES[plain]
    for unit, pattern in SEXAGESIMAL.items():
        if pattern.fullmatch(plain):
            return unit
    return _like(text, u.deg)


def unit_in_name(column: str) -> u.UnitBase | None:
    """Return the unit at the end of a column name; None if the name has none.

    Parameters
    ----------
    column
        Name of the column.
    """
    found = IN_A_NAME.search(column.strip().lower())
    return ANGLES[found[1] or found[2]] if found else None


def flux_unit(text: str) -> u.UnitBase | None:
    """Return the unit of an energy flux; None for another quantity.

    Parameters
    ----------
    text
        Unit in any usual spelling.
    """
    for spelling in (text, text.lower()):
        plain = re.sub(r"\bergs\b", "erg", spelling)
        plain = re.sub(r"\bsec\b", "s", plain)
        if unit := _like(plain, FLUX_UNIT):
            return unit
    return None


def _like(text: str, wanted: u.UnitBase) -> u.UnitBase | None:
    for reader in ("generic", "cds"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UnitsWarning)  # several slashes, and the like
                unit = u.Unit(text, format=reader)
        except (ValueError, TypeError):
            continue
        if unit.is_equivalent(wanted):
            return unit
    return None
