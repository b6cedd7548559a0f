"""Which column of a catalogue holds what: guessed by names and UCDs, or said by the user."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log, sqrt
from typing import Any

from astropy import units as u
from astropy.table import Column, Table

from mxtvhf.errors import InvalidInput

ROLES = ("name", "ra", "dec", "error", "flux", "class", "identifiers")
NEEDED = ("ra", "dec")
MEASURED = ("ra", "dec", "error", "flux")
"""They have units."""

# Names in the order of preference, lower case; a column whose UCD fits comes before them.
USUAL_NAMES = {
    role: names.split()
    for role, names in {
        "name": "iauname name source_name src_name source xmm_name designation object main_id",
        "ra": "ra ra_icrs raj2000 _raj2000 ra_deg radeg ra_obj sc_ra ra_corr alpha raj",
        "dec": "dec de_icrs dej2000 decj2000 _dej2000 dec_deg decdeg dedeg dec_obj sc_dec dec_corr delta",
        "error": "r90 r90_arcsec err90 pos_err poserr sc_poserr radec_err error_radius errorradius"
        " position_error pos_error e_pos error err",
        "flux": "flux totalflux total_flux sc_ep_8_flux ml_flux_1 flux_2_10 fx mean_flux",
        "class": "class classification source_type type otype main_type cat",
        "identifiers": "identifiers id alias aliases other_names other_name alt_name counterpart",
    }.items()
}
UCDS: dict[str, tuple[str, ...]] = {
    "name": ("meta.id;meta.main", "id_main"),
    "ra": ("pos.eq.ra;meta.main", "pos_eq_ra_main"),
    "dec": ("pos.eq.dec;meta.main", "pos_eq_dec_main"),
    "error": ("stat.error;pos.eq", "stat.error;pos", "pos.errorellipse"),
    "flux": ("phot.flux;em.x-ray",),
    "class": ("src.class",),
    "identifiers": ("meta.id.cross",),
}


def _rayleigh(part: float) -> float:
    """Radius with a part of a circular Gaussian, in units of its sigma per axis."""
    return sqrt(-2.0 * log(1.0 - part))


ERROR_KINDS = {
    "sigma": _rayleigh(0.90),
    **{f"r{percent}": _rayleigh(0.90) / _rayleigh(percent / 100.0) for percent in (68, 90, 95, 99)},
}
"""What a position error may be -> its factor to the 90 % radius of a circular Gaussian: ``sigma`` is one
standard deviation per axis, ``r68`` the radius that holds 68 % of the probability."""
ASSUMED_ERROR_KIND = "sigma"
"""Assumption where neither user nor column name tells: the largest factor, so that no error is too small."""
ASSUMED_UNITS = {"ra": u.deg, "dec": u.deg, "error": u.arcsec}
"""Assumption where a column has no unit."""
FLUX_UNIT = u.erg / u.cm**2 / u.s


@dataclass(frozen=True)
class Choice:
    """What the user says of a file; the rest is guessed."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Role -> column."""
    units: Mapping[str, str] = field(default_factory=dict)
    """Role -> unit, instead of the file's."""
    error_kind: str | None = None
    default_r90_arcsec: float | None = None
    """For sources whose position error is not given."""


@dataclass(frozen=True)
class Mapped:
    """Where each role is read from."""

    columns: dict[str, str]
    units: dict[str, u.UnitBase | None]
    error_kind: str

    def described(self) -> dict[str, str]:
        """Say it for people: role -> column, unit, conversion."""
        text = {role: self.columns[role] for role in ROLES if role in self.columns}
        for role, unit in self.units.items():
            if unit is not None:
                text[role] += f" [{unit.to_string()}]"
        if "flux" in text and self.units["flux"] is None:
            text["flux"] += " (left out: no energy flux by its unit; --unit flux=...)"
        if "error" in text:
            factor = ERROR_KINDS[self.error_kind]
            text["error"] += f" as {self.error_kind}, times {factor:.3f} for 90 %"
        return text


def map_columns(table: Table, choice: Choice) -> Mapped:
    """Find out which column holds what.

    Raises
    ------
    InvalidInput
        No position, a column that is not there, or a unit that does not fit.
    """
    columns = {role: found for role in ROLES if (found := _column(table, role, choice))}
    for role in NEEDED:
        if role not in columns:
            raise InvalidInput(
                f"no column for {role} among {', '.join(table.colnames[:30])}; say --column {role}=NAME"
            )
    if "error" not in columns and choice.default_r90_arcsec is None:
        raise InvalidInput("no column for the position error; say --column error=NAME or --error ARCSEC")
    measured = [role for role in MEASURED if role in columns]
    units = {role: _unit(table[columns[role]], role, choice) for role in measured}
    return Mapped(columns, units, choice.error_kind or _error_kind(columns.get("error", "")))


def _column(table: Table, role: str, choice: Choice) -> str | None:
    if wanted := choice.columns.get(role):
        if wanted not in table.colnames:
            raise InvalidInput(f"no column {wanted} among {', '.join(table.colnames[:30])}")
        return wanted
    for ucd in UCDS[role]:
        for name in table.colnames:
            if str(table[name].info.meta and table[name].info.meta.get("ucd")).lower() == ucd:
                return str(name)
    by_name = {name.lower(): str(name) for name in reversed(table.colnames)}
    return next((by_name[name] for name in USUAL_NAMES[role] if name in by_name), None)


def _unit(column: Column, role: str, choice: Choice) -> u.UnitBase | None:
    """Return the unit of a column; None for a flux that is none."""
    said: Any = choice.units.get(role) or column.unit
    wanted = FLUX_UNIT if role == "flux" else u.deg
    if said is None:
        return None if role == "flux" else _assumed_unit(column, role)
    try:
        unit = u.Unit(said)
        if unit.is_equivalent(wanted):
            return unit
    except (ValueError, TypeError):
        unit = said
    if role == "flux" and role not in choice.units:
        return None
    if re.fullmatch(r'"?h:m:s"?', str(said)) or (role == "ra" and str(unit) == "h"):
        return u.hourangle
    if re.fullmatch(r'"?d:m:s"?', str(said)):
        return u.deg
    raise InvalidInput(f"column {column.name}: unit {said} is none for {role}; say --unit {role}=UNIT")


def _assumed_unit(column: Column, role: str) -> u.UnitBase:
    """Right ascensions written as text with blanks or colons are hours, all other angles as usual."""
    if (
        role == "ra"
        and column.dtype.kind in "SUO"
        and any(re.search(r"\d[\s:h]\d", str(v)) for v in column[:100])
    ):
        return u.hourangle
    return ASSUMED_UNITS[role]


def _error_kind(column: str) -> str:
    found = re.search(r"(?:r|err|radius|conf|e)_?(68|90|95|99)", column.lower())
    return f"r{found[1]}" if found else ASSUMED_ERROR_KIND
