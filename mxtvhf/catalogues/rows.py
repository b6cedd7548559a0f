"""Convert the rows of a catalogue file to sources: units, 90 % radii, ICRS; and count unusable rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import Angle
from astropy.table import Column, Table

from mxtvhf.catalogues.columns import ERROR_KINDS, SEXAGESIMAL, Mapped, scalars
from mxtvhf.catalogues.healpix import cells
from mxtvhf.catalogues.model import CatalogueSource
from mxtvhf.catalogues.search import source_of
from mxtvhf.catalogues.units import FLUX_UNIT
from mxtvhf.errors import Failure, InvalidInput
from mxtvhf.models.text import one_line

LARGEST_R90_ARCSEC = 180.0 * 3600.0
ERROR_CLASS_FACTOR = 4.0
"""Ratio of the largest to the smallest error in an error class."""

NINES = (99.99, 99.999, 999.0, 999.9, 999.99, 999.999, 9999.0, 9999.9, 9999.99, 99999.0, 999999.0)
"""Values that catalogues use for missing data; with a minus sign, also 99 and 99.9."""
NEGATIVE_NINES = (*(-value for value in NINES), -99.0, -99.9)
NO_TEXT = frozenset(
    {"", "-", "--", "---", "n/a", "nan", "none", "null", "-99", "-999", "-9999", "-99.0", "-999.0"}
)
"""Texts for missing data, in lower case."""
MANY_OUT_OF_RANGE = 0.01
"""Fraction of positions out of range above which a wrong unit or column is suspected."""

StagedRow = tuple[int, int, float, float, float, str, str, float | None, str | None]
"""Error class, cell, RA, Dec, R90, name, identifiers (JSON or empty), flux, classification."""


@dataclass
class Evidence:
    """Statistics of the values of a file that reveal a wrong interpretation; filled part by part."""

    rows: int = 0
    unusable: Counter[str] = field(default_factory=Counter)
    """Number of ignored rows by reason."""
    negative: int = 0
    """Number of right ascensions from -180 up to 0, to which 360 deg were added."""
    above_180: int = 0
    smallest_ra: float = np.inf
    largest_ra: float = -np.inf
    largest_dec: float = 0.0
    """Largest absolute declination as read, degrees."""
    largest_error: float = 0.0
    """Largest position error in the unit of the column."""
    at_origin: int = 0
    """Number of positions that are exactly 0, 0."""
    zero_errors: int = 0
    nines: Counter[tuple[str, float]] = field(default_factory=Counter)
    """Number of occurrences by column and value."""

    def described(self) -> dict[str, str]:
        """Return a description of changed values."""
        return {"RA below 0": f"360 deg added to {self.negative}"} if self.negative else {}

    def doubts(self, mapped: Mapped) -> Iterator[str]:
        """Yield the doubts, with the option that resolves each of them.

        Parameters
        ----------
        mapped
            The columns that the values were read from.
        """
        ra, width = mapped.columns["ra"], self.largest_ra - self.smallest_ra
        is_decimal = "ra" in mapped.assumed_units and not mapped.is_sexagesimal
        if is_decimal and self.smallest_ra >= 0.0 and self.largest_ra <= 24.0 and width >= 12.0:
            yield f"{ra} is read as degrees, but all values are from 0 to 24 (--unit ra=deg or ra=hour)"
        elif (
            is_decimal
            and abs(self.smallest_ra) <= 2 * np.pi >= self.largest_ra
            and self.largest_dec <= np.pi / 2
            and width >= np.pi
        ):
            yield f"{ra} is read as degrees, but may be in radians (--unit ra=deg,dec=deg or ra=rad,dec=rad)"
        if "error" in mapped.assumed_units and 0.0 < self.largest_error < 0.1:
            yield f"{mapped.columns['error']} is read as arcsec, but all are below 0.1 (--unit error=UNIT)"
        if self.zero_errors:
            yield f"{mapped.columns['error']} is 0 in {self.zero_errors} rows (--missing 0 if unknown)"
        if self.at_origin > 1:
            yield f"{self.at_origin} positions are exactly 0, 0; remove these rows if unknown"
        if self.negative and self.above_180:
            yield f"{ra} is below 0 and above 180; 360 deg added to {self.negative} rows (--missing VALUE)"
        out_of_range = self.unusable["position out of range"]
        if out_of_range > MANY_OUT_OF_RANGE * self.rows:
            yield f"{out_of_range} of {self.rows} positions are out of range; check unit and column"
        for (column, value), count in self.nines.items():
            yield f"{column} is {value:g} in {count} rows, read as a number (--missing {value:g})"


@dataclass(frozen=True)
class ConvertedRows:
    """A converted part of a file."""

    usable: Iterator[StagedRow]
    left_out: list[tuple[int, float, float]]
    """Cell, RA and Dec of rows that are unusable for another reason than their position."""


def convert(table: Table, mapped: Mapped, default_r90: float | None, evidence: Evidence) -> ConvertedRows:
    """Convert the rows of a part of a file.

    Parameters
    ----------
    table, mapped
        Part of the file, and its column mapping.
    default_r90
        90 % radius, arcsec, of sources without a position error; None if such rows are unusable.
    evidence
        Statistics, which this function updates.

    Raises
    ------
    InvalidInput
        Right ascensions are partly decimal and partly sexagesimal, or are hours beyond 24.
    """
    table = table[list(dict.fromkeys(mapped.columns.values()))]
    ra, dec = (_degrees(table, mapped, role) for role in ("ra", "dec"))
    evidence.rows += len(table)
    ra = _wrapped(ra, dec, mapped, evidence)
    r90 = _r90(table, mapped, ra, dec, default_r90, evidence)
    good, counted = np.ones(len(table), bool), evidence.unusable
    faults = {
        "no position": np.isnan(ra) | np.isnan(dec),
        "position out of range": ~((ra >= 0.0) & (ra < 360.0) & (np.abs(dec) <= 90.0)),
        "no position error": np.isnan(r90),
        "position error out of range": ~((r90 >= 0.0) & (r90 <= LARGEST_R90_ARCSEC)),
    }
    for reason, bad in faults.items():
        counted[reason] += int((good & bad).sum())
        good &= ~bad
    is_placed = ~(faults["no position"] | faults["position out of range"])
    ra[is_placed], dec[is_placed] = mapped.frame.to_icrs(ra[is_placed], dec[is_placed])
    lost = is_placed & ~good
    fluxes = _fluxes(table[good], mapped, evidence)
    return ConvertedRows(
        _rows(table[good], mapped, ra[good], dec[good], r90[good], fluxes),
        list(zip(_cells(ra[lost], dec[lost]).tolist(), ra[lost].tolist(), dec[lost].tolist(), strict=True)),
    )


def sources_of(
    table: Table,
    mapped: Mapped,
    default_r90: float | None,
    catalogue: str,
    reference: str,
    flux_band_kev: tuple[float, float] | None,
) -> tuple[list[CatalogueSource], int]:
    """Convert a whole small table to sources; also return the number of unusable rows.

    Parameters
    ----------
    table
        Rows of the catalogue.
    mapped
        Columns by role.
    default_r90
        90 % radius of sources without a position error, arcsec; None: such rows are unusable.
    catalogue
        Name of the catalogue.
    reference
        Publication of the catalogue.
    flux_band_kev
        Energy band of the fluxes, keV; None: unknown.

    Raises
    ------
    Failure
        The table has rows, but none is usable.
    InvalidInput
        Same as for `convert`.
    """
    evidence = Evidence()
    rows = convert(table, mapped, default_r90, evidence).usable
    left_out = evidence.unusable.total()
    if len(table) and left_out == len(table):
        reasons = ", ".join(reason for reason, count in evidence.unusable.items() if count)
        raise Failure(f"no usable row: {reasons}")
    return [source_of(row[2:], catalogue, reference, flux_band_kev) for row in rows], left_out


def _wrapped(ra: Any, dec: Any, mapped: Mapped, evidence: Evidence) -> Any:
    """Wrap right ascensions from -180 to 360 deg to the range 0 to 360, and record their range."""
    placed = ~np.isnan(ra) & (np.abs(dec) <= 90.0) & (ra >= -180.0) & (ra <= 360.0)
    if placed.any():
        evidence.smallest_ra = min(evidence.smallest_ra, float(ra[placed].min()))
        evidence.largest_ra = max(evidence.largest_ra, float(ra[placed].max()))
        evidence.largest_dec = max(evidence.largest_dec, float(np.abs(dec[placed]).max()))
    _note_nines(mapped.columns["ra"], ra[placed], evidence, NEGATIVE_NINES)
    evidence.at_origin += int(((ra == 0.0) & (dec == 0.0)).sum())
    negative = placed & (ra < 0.0)
    evidence.negative += int(negative.sum())
    evidence.above_180 += int((placed & (ra > 180.0)).sum())
    whole = np.where(negative, ra + 360.0, ra)
    return np.where(whole == 360.0, 0.0, whole)


def _rows(
    table: Table, mapped: Mapped, ra: Any, dec: Any, r90: Any, fluxes: list[float | None]
) -> Iterator[StagedRow]:
    with np.errstate(divide="ignore"):
        group = np.maximum(np.ceil(np.log(r90) / np.log(ERROR_CLASS_FACTOR)), 0.0).astype(int)
    names = [
        name or f"unnamed at {ra[i]:.5f} {dec[i]:+.5f}"
        for i, name in enumerate(_texts(table, mapped, "name"))
    ]
    numbers = (column.tolist() for column in (group, _cells(ra, dec), ra, dec, r90))
    identifiers = [_identifiers(text) for text in _texts(table, mapped, "identifiers")]
    classes = [text or None for text in _texts(table, mapped, "class")]
    return zip(*numbers, names, identifiers, fluxes, classes, strict=True)


def _cells(ra: Any, dec: Any) -> Any:
    return cells(ra, dec) if len(ra) else ra.astype(int)


def _degrees(table: Table, mapped: Mapped, role: str) -> Any:
    column, unit = table[mapped.columns[role]], mapped.units[role]
    values, scale = scalars(column), u.Unit(unit).to(u.deg)
    # -99 may be a valid right ascension.
    nines = [nine for nine in NEGATIVE_NINES if role == "dec" or nine < -180.0]
    degrees = _numbers(values, mapped.missing, nines) * scale
    if values.dtype.kind in "SUO":
        texts = _strings(values, mapped.missing)
        if role == "ra":
            _refuse_mixed(texts, mapped)
        for i in np.flatnonzero(np.isnan(degrees)):
            degrees[i] = _angle(texts[i], unit)
    if (
        role == "ra"
        and unit == u.hourangle
        and (degrees > 360.0).any()
        and (degrees[degrees > 360.0] <= 5400.0).any()
    ):
        raise InvalidInput(f"column {column.info.name} has hours beyond 24; for degrees use --unit ra=deg")
    return degrees


def _refuse_mixed(texts: list[str], mapped: Mapped) -> None:
    """Refuse a mixture of decimal and sexagesimal numbers, which may be in degrees and hours.

    Raises
    ------
    InvalidInput
        They are mixed and no unit is given, or hours are beyond 24.
    """
    if "ra" in mapped.obeyed_units:
        return
    name = mapped.columns["ra"]
    for text in texts:
        found = SEXAGESIMAL.match(text)
        is_sexagesimal = found is not None
        if is_sexagesimal != mapped.is_sexagesimal and (is_sexagesimal or not np.isnan(_number(text))):
            raise InvalidInput(
                f"column {name} has both decimal and sexagesimal numbers, such as {text!r}, in degrees or "
                "hours; use one format, or give --unit ra=deg or ra=hour"
            )
        if found and int(found[1]) >= 24 and found[2] not in ("d", "°"):
            raise InvalidInput(f"column {name}: {text!r} is not a time; for degrees use --unit ra=deg")


def _angle(text: str, unit: u.UnitBase | None) -> float:
    """Return the degrees of an angle such as ``17 06 15.3``; NaN if it is invalid."""
    try:
        return float(Angle(text, unit).deg) if np.isnan(_number(text)) else float("nan")
    except (ValueError, TypeError, u.UnitsError):
        return float("nan")


def _r90(table: Table, mapped: Mapped, ra: Any, dec: Any, default: float | None, evidence: Evidence) -> Any:
    """Return 90 % radii, arcsec, including the rounding error of the file's number format; NaN if unknown."""
    r90 = np.full(len(table), np.nan)
    if "error" in mapped.columns:
        errors = _numbers(scalars(table[mapped.columns["error"]]), mapped.missing)
        _note_nines(mapped.columns["error"], errors, evidence)
        evidence.zero_errors += int((errors == 0.0).sum())
        evidence.largest_error = max(
            evidence.largest_error, float(errors[np.isfinite(errors)].max(initial=0.0))
        )
        r90 = errors * u.Unit(mapped.units["error"]).to(u.arcsec) * ERROR_KINDS[mapped.error_kind]
    if default is not None:
        r90 = np.where(np.isnan(r90), default, r90)
    rounding = [
        _rounding_arcsec(table[mapped.columns[role]], angle) for role, angle in (("ra", ra), ("dec", dec))
    ]
    return np.sqrt(r90 * np.abs(r90) + rounding[0] ** 2 + rounding[1] ** 2, where=r90 >= 0.0, out=r90.copy())


def _rounding_arcsec(column: Column, degrees: Any) -> Any:
    """Return half a unit in the last place of single-precision coordinates (up to 0.05 arcsec), else 0."""
    if column.dtype.kind != "f" or column.dtype.itemsize > 4:
        return np.zeros(len(degrees))
    return 0.5 * 3600.0 * np.abs(np.spacing(degrees.astype(np.float32))).astype(float)


def _fluxes(table: Table, mapped: Mapped, evidence: Evidence) -> list[float | None]:
    unit = mapped.units.get("flux")
    if unit is None:
        return [None] * len(table)
    values = _numbers(scalars(table[mapped.columns["flux"]]), mapped.missing)
    _note_nines(mapped.columns["flux"], values, evidence)
    return [float(value) if 0.0 < value < np.inf else None for value in values * unit.to(FLUX_UNIT)]


def _note_nines(column: str, values: Any, evidence: Evidence, nines: Sequence[float] = NINES) -> None:
    for nine in nines:
        if count := int(np.isclose(values, nine, rtol=1e-6, atol=0.0).sum()):
            evidence.nines[column, nine] += count


def _numbers(values: Any, missing: tuple[str, ...], nines: Sequence[float] = NEGATIVE_NINES) -> Any:
    """Return cells as numbers; NaN for invalid or missing values."""
    if values.dtype.kind in "fiu":
        numbers = np.ma.filled(values.astype(float), np.nan)
    else:
        numbers = np.array([_number(text) for text in _strings(values, missing)], float)
    for given in (*nines, *map(_number, missing)):
        numbers[np.isclose(numbers, given, rtol=1e-6, atol=0.0)] = np.nan
    return numbers


def _number(text: str) -> float:
    """Parse a number, also with a Fortran exponent, ``1.5D+02``; NaN if it is invalid."""
    for spelling in (text, text.upper().replace("D", "E")):
        try:
            return float("nan") if "_" in text else float(spelling)
        except ValueError:
            continue
    return float("nan")


def _texts(table: Table, mapped: Mapped, role: str) -> list[str]:
    """Return the texts of a role, empty if there are none."""
    if role not in mapped.columns:
        return [""] * len(table)
    texts = _strings(scalars(table[mapped.columns[role]]), mapped.missing)
    lines = (text if text.isprintable() else one_line(text) for text in texts)
    return ["" if line.lower() in NO_TEXT else line for line in lines]


def _strings(values: Any, missing: tuple[str, ...]) -> list[str]:
    """Return stripped texts, empty if masked or missing."""
    hidden = np.ma.getmaskarray(values)
    data = values.data
    if data.dtype.kind == "S":
        data = np.char.decode(data, "utf-8", "replace")
    texts: list[str] = np.char.strip(data.astype(str)).tolist()
    if not hidden.any() and not missing:
        return texts
    return ["" if masked or text in missing else text for text, masked in zip(texts, hidden, strict=True)]


def _identifiers(text: str) -> str:
    names = [name.strip() for name in text.split(";")] if text else []
    return json.dumps([name for name in names if name]) if names else ""
