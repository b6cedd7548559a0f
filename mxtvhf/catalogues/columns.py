"""Identify the columns of a catalogue by name and UCD, or as given by the user.

An uncertain identification is a doubt: a text with the option that resolves it, which the user confirms or
corrects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import log, sqrt
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import Column, Table

from mxtvhf.catalogues.frames import EQUATORIAL, Frame, frame_by_name
from mxtvhf.catalogues.tables import CatalogueTable
from mxtvhf.catalogues.units import angle_unit, flux_unit, stated, unit_in_name
from mxtvhf.errors import InvalidInput
from mxtvhf.models.text import one_line

ROLES = ("name", "ra", "dec", "error", "flux", "class", "identifiers")
NEEDED = ("ra", "dec")
MEASURED = ("ra", "dec", "error", "flux")
"""Roles whose columns have units."""

ANY_EQUATORIAL = "equatorial"
"""Names of right ascension and declination without an equinox."""
POSITIONS = tuple(
    (longitude, latitude, frame)
    for frame, pairs in {
        ANY_EQUATORIAL: "ra/dec ra/de ra_obj/dec_obj sc_ra/sc_dec ra_corr/dec_corr alpha/delta"
        " radeg/decdeg radeg/dedeg right_ascension/declination rightascension/declination",
        "ICRS": "ra_icrs/de_icrs ra_icrs/dec_icrs",
        "J2000": "raj2000/dej2000 raj2000/decj2000 ra_j2000/dec_j2000 ra_j2000/de_j2000 ra2000/dec2000"
        " ra2000/de2000 ra_2000/dec_2000 alpha_j2000/delta_j2000 raj/decj",
        "B1950": "rab1950/deb1950 rab1950/decb1950 ra_b1950/dec_b1950 ra_b1950/de_b1950 ra1950/dec1950"
        " ra1950/de1950 ra_1950/dec_1950",
        "galactic": "glon/glat lii/bii gal_lon/gal_lat galactic_lon/galactic_lat l/b",
        "ecliptic": "elon/elat ecl_lon/ecl_lat ecliptic_lon/ecliptic_lat lambda/beta",
        "supergalactic": "sglon/sglat sgl/sgb",
    }.items()
    for longitude, latitude in (pair.split("/") for pair in pairs.split())
)
"""Usual names of longitude and latitude in the form of `_plain`, by frame, in order of preference."""
POSITION_UCDS = (
    ("pos.eq.ra;meta.main", "pos.eq.dec;meta.main", ANY_EQUATORIAL),
    ("pos_eq_ra_main", "pos_eq_dec_main", ANY_EQUATORIAL),
    ("pos.galactic.lon;meta.main", "pos.galactic.lat;meta.main", "galactic"),
    ("pos.ecliptic.lon;meta.main", "pos.ecliptic.lat;meta.main", "ecliptic"),
    ("pos.supergalactic.lon;meta.main", "pos.supergalactic.lat;meta.main", "supergalactic"),
)
USUAL_NAMES = {
    role: names.split()
    for role, names in {
        "name": "iauname name source_name src_name source xmm_name designation object main_id",
        "error": "r90 err90 pos_err poserr sc_poserr radec_err error_radius errorradius"
        " position_error pos_error e_pos error err",
        "flux": "flux totalflux total_flux sc_ep_8_flux ml_flux_1 flux_2_10 fx mean_flux",
        "class": "class classification source_type type otype main_type cat",
        "identifiers": "identifiers id alias aliases other_names other_name alt_name counterpart",
    }.items()
}
"""Usual column names in the form of `_plain`, in order of preference; a column with a matching UCD has
priority."""
VAGUE_NAMES = ("error", "err")
"""Names that may denote the error of any quantity."""
UCDS: dict[str, tuple[str, ...]] = {
    "name": ("meta.id;meta.main", "id_main"),
    "error": ("stat.error;pos.eq", "stat.error;pos", "pos.errorellipse"),
    "flux": ("phot.flux;em.x-ray",),
    "class": ("src.class",),
    "identifiers": ("meta.id.cross",),
}


def _rayleigh(part: float) -> float:
    """Return the radius that holds a fraction of a circular Gaussian, in units of sigma per axis."""
    return sqrt(-2.0 * log(1.0 - part))


ERROR_KINDS = {
    "sigma": _rayleigh(0.90),
    **{f"r{percent}": _rayleigh(0.90) / _rayleigh(percent / 100.0) for percent in (68, 90, 95, 99)},
}
"""Factor from a kind of position error to the 90 % radius of a circular Gaussian: ``sigma`` is one standard
deviation per axis, ``r68`` the radius that holds 68 % of the probability."""
ASSUMED_ERROR_KIND = "sigma"
"""Kind assumed if neither the user nor the column name gives it; its factor is the largest, to be safe."""
ASSUMED_UNITS = {"ra": u.deg, "dec": u.deg, "error": u.arcsec}
"""Conventional units, used if neither the file nor the column name gives a unit."""
SEXAGESIMAL = re.compile(r"[+-]?(\d+)(?:\s*([:hd°])\s*|\s+)\d")
"""First number of an angle such as ``17 06 15.3`` or ``17h06m15.3s``, and the text that follows."""


@dataclass(frozen=True)
class Choice:
    """Options given by the user for a file; the rest is detected."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Column by role."""
    units: Mapping[str, str] = field(default_factory=dict)
    """Unit by role, overriding that of the file."""
    error_kind: str | None = None
    default_r90_arcsec: float | None = None
    """90 % radius of sources without a position error."""
    frame: str | None = None
    """Reference frame of the positions, overriding that of the file."""
    missing: tuple[str, ...] = ()
    """Values that stand for missing data."""
    table: str | None = None
    """Name or number of the table, for a file with several."""


@dataclass(frozen=True)
class Mapped:
    """Columns from which the roles are read."""

    columns: dict[str, str]
    units: dict[str, u.UnitBase | None]
    error_kind: str
    frame: Frame
    frame_origin: str
    """How the frame was determined."""
    assumed_units: frozenset[str]
    """Roles whose unit is from `ASSUMED_UNITS`."""
    obeyed_units: frozenset[str]
    """Roles whose unit the user gave."""
    is_sexagesimal: bool
    """True if right ascensions are text such as ``17 06 15.3``."""
    left_out: dict[str, str]
    """Reason why the column of a role is not used, by role."""
    doubts: tuple[str, ...]
    """Uncertain identifications, with the options that resolve them."""
    missing: tuple[str, ...] = ()
    table: str = ""

    def described(self) -> dict[str, str]:
        """Return column, unit and conversion as text, by role."""
        text = {role: self.columns[role] for role in ROLES if role in self.columns}
        for role, unit in self.units.items():
            if unit is not None:
                assumed = ", assumed" if role in self.assumed_units else ""
                text[role] += f" [{unit.to_string()}{assumed}]"
        if "error" in text:
            factor = ERROR_KINDS[self.error_kind]
            text["error"] += f" as {self.error_kind}, times {factor:.3f} for 90 %"
        for role, why in self.left_out.items():
            text[role] = f"{self.columns.get(role, '')} (ignored: {why})".strip()
        epoch = f", epoch {self.frame.epoch}, proper motions not applied" if self.frame.epoch else ""
        text["frame"] = f"{self.frame} ({self.frame_origin}){epoch}"
        if self.table:
            text["table"] = self.table
        return text


def map_columns(table: CatalogueTable, choice: Choice) -> Mapped:
    """Determine the columns of all roles.

    Parameters
    ----------
    table
        The first rows of a file, or all of them.
    choice
        Options given by the user.

    Raises
    ------
    InvalidInput
        There is no position, a column is missing or used twice, a unit does not fit, or the frame is
        ambiguous.
    """
    rows = table.rows
    for wanted in choice.columns.values():
        if wanted not in rows.colnames:
            raise InvalidInput(f"no column {wanted} among {_names(rows)}; use one of these names")
    (ra, dec, tells), doubts = _position_columns(rows, choice)
    columns = {"ra": ra, "dec": dec}
    for role, usual in USUAL_NAMES.items():
        found = _candidates(rows, role, usual, choice)
        if found:
            columns[role] = found[0]
        if role == "error" and found and role not in choice.columns:
            doubts += _error_doubts(rows, found)
    if "error" not in columns and choice.default_r90_arcsec is None:
        raise InvalidInput(
            f"no column for the position error among {_names(rows)}; "
            "use --column error=NAME or --error ARCSEC"
        )
    left_out = _not_scalar(rows, columns, choice)
    _refuse_twice({role: name for role, name in columns.items() if role in MEASURED})
    measured = [role for role in MEASURED if role in columns and role not in left_out]
    assumed = frozenset(
        role
        for role in measured
        if role in ASSUMED_UNITS and not _said_unit(rows[columns[role]], role, choice)
    )
    is_sexagesimal = _is_text(rows[ra]) and any(SEXAGESIMAL.match(str(text).strip()) for text in rows[ra])
    units = {role: _unit(rows[columns[role]], role, choice, is_sexagesimal) for role in measured}
    if "flux" in units and units["flux"] is None:
        left_out["flux"] = "its unit is not an energy flux; use --unit flux=UNIT"
    kind = choice.error_kind or _error_kind(columns.get("error", ""))
    if kind is None:
        doubts.append(f"{columns['error']} is assumed to be {ASSUMED_ERROR_KIND} (--error-is KIND)")
    frame, origin = _frame(table, ra, dec, tells, choice)
    return Mapped(
        columns={role: name for role, name in columns.items() if role not in left_out or role == "flux"},
        units=units,
        error_kind=kind or ASSUMED_ERROR_KIND,
        frame=frame,
        frame_origin=origin,
        assumed_units=assumed,
        obeyed_units=frozenset(choice.units),
        is_sexagesimal=is_sexagesimal,
        left_out=left_out,
        doubts=tuple(doubts),
        missing=choice.missing,
        table=table.name,
    )


def scalars(column: Any) -> Any:
    """Return the cells of a column as a masked array; None if the cells have several values.

    Parameters
    ----------
    column
        Column of an astropy table, masked or not.
    """
    if not hasattr(column, "dtype"):
        return None
    # ECSV can also contain quantities and angles; their numbers are used.
    data = getattr(column, "value", column)
    values = np.ma.MaskedArray(
        np.asarray(getattr(data, "unmasked", data)), mask=getattr(column, "mask", np.ma.nomask)
    )
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        return None
    if values.dtype.kind == "O" and any(np.ndim(value) for value in values.data):
        return None
    return values


def _plain(name: str) -> str:
    """Normalise a column name so that different spellings are equal: ``RA (deg)`` -> ``ra``."""
    text = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return re.sub(r"_(deg|degrees|arcsec|arcmin|mas|hours?)$", "", text)


def _by_plain_name(rows: Table) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in rows.colnames:
        found.setdefault(_plain(name), []).append(str(name))
    return found


def _names(rows: Table) -> str:
    return one_line(", ".join(rows.colnames[:30]), 300)


def _ucd(rows: Table, name: str) -> str:
    meta = getattr(rows[name].info, "meta", None)
    return str(meta.get("ucd")).lower() if meta else ""


def _position_columns(rows: Table, choice: Choice) -> tuple[tuple[str, str, str | None], list[str]]:
    """Return longitude and latitude columns, the frame given by their names, and any doubts."""
    pairs = list(dict.fromkeys(_pairs(rows)))
    ra, dec = (choice.columns.get(role) for role in NEEDED)
    if ra or dec:
        fitting = [pair for pair in pairs if ra in (None, pair[0]) and dec in (None, pair[1])]
        guess = next(iter(fitting or pairs), ("", "", None))
        said = ra or guess[0], dec or guess[1]
        pairs = [pair for pair in pairs if pair[:2] == said] or [(*said, None)]
    for i, role in enumerate(NEEDED):
        if not pairs or not pairs[0][i]:
            raise InvalidInput(f"no column for {role} among {_names(rows)}; use --column {role}=NAME")
    # Galactic coordinates in addition to equatorial ones are the same positions.
    rivals = [
        pair for pair in pairs[1:] if pair[2] == pairs[0][2] or pair[2] in (ANY_EQUATORIAL, "ICRS", "J2000")
    ]
    if not rivals or _is_main(rows, pairs[0]):
        return pairs[0], []
    others = ", ".join(f"{ra} and {dec}" for ra, dec, _ in rivals)
    (ra, dec, _) = pairs[0]
    return pairs[0], [
        f"positions are read from {ra} and {dec}, but there are also {others} (--column ra=NAME,dec=NAME)"
    ]


def _is_main(rows: Table, pair: tuple[str, str, str | None]) -> bool:
    return any((_ucd(rows, pair[0]), _ucd(rows, pair[1])) == ucds[:2] for ucds in POSITION_UCDS)


def _pairs(rows: Table) -> Iterator[tuple[str, str, str | None]]:
    """Yield all pairs of columns that may be a position, the most likely first."""
    names = _by_plain_name(rows)
    usual = [
        (ra, dec, frame)
        for longitude, latitude, frame in POSITIONS
        for ra, dec in zip(names.get(longitude, ()), names.get(latitude, ()), strict=False)
    ]
    told = {(ra, dec): frame for ra, dec, frame in usual}
    for main in (True, False):
        for *ucds, frame in POSITION_UCDS:
            wanted = ucds if main else [ucd.removesuffix(";meta.main") for ucd in ucds]
            ra, dec = ([str(name) for name in rows.colnames if _ucd(rows, name) == ucd] for ucd in wanted)
            if len(ra) == len(dec) == 1:
                yield ra[0], dec[0], told.get((ra[0], dec[0]), frame)
        if main:
            yield from usual


def _candidates(rows: Table, role: str, usual: list[str], choice: Choice) -> list[str]:
    """Return the columns that may have a role, the most likely first."""
    if role in choice.columns:
        return [choice.columns[role]]
    by_ucd = [str(name) for ucd in UCDS[role] for name in rows.colnames if _ucd(rows, name) == ucd]
    names = _by_plain_name(rows)
    return list(dict.fromkeys([*by_ucd, *(column for name in usual for column in names.get(name, ()))]))


def _error_doubts(rows: Table, found: list[str]) -> list[str]:
    column = rows[found[0]]
    if len(found) > 1:
        return [
            f"the error is read from {found[0]}, there is also {', '.join(found[1:])} (--column error=NAME)"
        ]
    if _plain(found[0]) in VAGUE_NAMES and not stated(column.unit) and unit_in_name(found[0]) is None:
        return [f"{found[0]} is assumed to be the error in arcsec (--column error=NAME --unit error=UNIT)"]
    return []


def _not_scalar(rows: Table, columns: dict[str, str], choice: Choice) -> dict[str, str]:
    """Return the optional roles whose columns have several values per cell.

    Raises
    ------
    InvalidInput
        A required column, or one given by the user, has several values per cell.
    """
    left_out = {}
    for role, name in columns.items():
        if scalars(rows[name]) is not None:
            continue
        if role in (*NEEDED, "error") or role in choice.columns:
            raise InvalidInput(
                f"column {name} has several values in each row; expected one, use --column {role}=NAME"
            )
        left_out[role] = "several values in each row"
    return left_out


def _refuse_twice(columns: Mapping[str, str]) -> None:
    for role, name in columns.items():
        others = [other for other, column in columns.items() if column == name and other != role]
        if others:
            raise InvalidInput(f"column {name} is both {role} and {others[0]}; use --column {role}=NAME")


def _is_text(column: Column) -> bool:
    return column.dtype.kind in "SUO"


def _said_unit(column: Column, role: str, choice: Choice) -> Any:
    """Return the unit given by the user, the file or the column name; None if there is none."""
    return choice.units.get(role) or stated(column.unit) or unit_in_name(str(column.info.name))


def _unit(column: Column, role: str, choice: Choice, is_sexagesimal: bool) -> u.UnitBase | None:
    """Return the unit of a column; None for a flux column that is not an energy flux."""
    said = _said_unit(column, role, choice)
    if role == "flux":
        unit = flux_unit(str(said)) if said else None
        if unit is None and role in choice.units:
            raise InvalidInput(
                f"--unit flux={said}: not an energy flux; expected a unit such as 'erg/(s cm2)'"
            )
        return unit
    if said is None:
        # Right ascensions written with blanks or colons are in hours; other angles follow the usual rules.
        return u.hourangle if role == "ra" and is_sexagesimal else ASSUMED_UNITS[role]
    unit = said if isinstance(said, u.UnitBase) else angle_unit(str(said))
    if unit is None or (unit == u.hourangle and role != "ra"):
        raise InvalidInput(f"column {column.info.name}: unit {said} does not fit; use --unit {role}=UNIT")
    if role == "ra" and is_sexagesimal and unit != u.hourangle and role not in choice.units:
        raise InvalidInput(
            f"column {column.info.name} is written as h:m:s or d:m:s, but its unit is {said}; "
            "use --unit ra=hour or --unit ra=deg"
        )
    return unit


def _frame(table: CatalogueTable, ra: str, dec: str, tells: str | None, choice: Choice) -> tuple[Frame, str]:
    """Return the frame of the positions, and how it was determined.

    Raises
    ------
    InvalidInput
        The file and the column names contradict each other, or the frame in the file is ambiguous.
    """
    if choice.frame:
        return frame_by_name(choice.frame), "given by the user"
    of_file = table.frames.get(ra)
    unclear = f"; use --frame, e.g. --frame ICRS, for columns {ra} and {dec}"
    if tells not in (None, ANY_EQUATORIAL) and (told := frame_by_name(tells)).system not in EQUATORIAL:
        return told, f"from the names {ra} and {dec}"
    if of_file != table.frames.get(dec):
        raise InvalidInput(f"{ra} and {dec} are in different reference frames{unclear}")
    if isinstance(of_file, str):
        raise InvalidInput(f"the reference frame is ambiguous: {of_file}{unclear}")
    if tells not in (None, ANY_EQUATORIAL):
        told = frame_by_name(tells)
        if of_file is not None and not of_file.is_like(told):
            raise InvalidInput(
                f"the file gives the reference frame {of_file}, but the name {ra} implies {tells}{unclear}"
            )
        return of_file or told, f"from the names {ra} and {dec}"
    if of_file is None:
        return Frame("ICRS"), "assumed; the file gives none"
    if tells and of_file.system not in EQUATORIAL:
        raise InvalidInput(f"the file gives the reference frame {of_file} for a right ascension{unclear}")
    return of_file, "given by the file"


def _error_kind(column: str) -> str | None:
    """Return the kind of error given by a column name; the assumed kind if there is no column."""
    if not column:
        return ASSUMED_ERROR_KIND
    if "sigma" in column.lower():
        return "sigma"
    found = re.search(r"(?:r|err|radius|conf|e)_?(68|90|95|99)", column.lower())
    return f"r{found[1]}" if found else None
