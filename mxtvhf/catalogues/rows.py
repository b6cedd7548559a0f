"""The rows of a catalogue file as sources of ours: units, 90 % radii, and which are no use."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import Angle
from astropy.table import Column, Table

from mxtvhf.catalogues.columns import ERROR_KINDS, FLUX_UNIT, Mapped
from mxtvhf.catalogues.healpix import cells
from mxtvhf.catalogues.model import CatalogueSource
from mxtvhf.catalogues.search import source_of
from mxtvhf.errors import Failure

LARGEST_R90_ARCSEC = 180.0 * 3600.0
ERROR_CLASS_FACTOR = 4.0
"""Within a class of errors."""

StagedRow = tuple[int, int, float, float, float, str, str, float | None, str | None]
"""Error class, cell, RA, Dec, R90, name, identifiers (JSON or empty), flux, classification."""


def usable_rows(
    table: Table, mapped: Mapped, default_r90: float | None
) -> tuple[Iterator[StagedRow], Counter[str]]:
    """Convert the rows of a part of a file.

    Parameters
    ----------
    table, mapped
        The part, and which column holds what.
    default_r90
        90 % radius, arcsec, of sources without a position error; None: they are no use.

    Returns
    -------
    tuple
        The usable rows, and why others were left out -> how many.
    """
    ra, dec = (_degrees(table, mapped, role) for role in ("ra", "dec"))
    ra = np.where(ra == 360.0, 0.0, ra)
    r90 = _r90(table, mapped, ra, dec, default_r90)
    faults = {
        "no position": np.isnan(ra) | np.isnan(dec),
        "position out of range": ~((ra >= 0.0) & (ra < 360.0) & (np.abs(dec) <= 90.0)),
        "no position error": np.isnan(r90),
        "position error out of range": ~((r90 >= 0.0) & (r90 <= LARGEST_R90_ARCSEC)),
    }
    good, left_out = np.ones(len(table), bool), Counter[str]()
    for reason, bad in faults.items():
        left_out[reason] = int((good & bad).sum())
        good &= ~bad
    return _rows(table[good], mapped, ra[good], dec[good], r90[good]), left_out


def sources_of(
    table: Table,
    mapped: Mapped,
    default_r90: float | None,
    catalogue: str,
    reference: str,
    flux_band_kev: tuple[float, float] | None,
) -> list[CatalogueSource]:
    """Convert a whole small table to sources.

    Raises
    ------
    Failure
        None of its rows is usable, though it has some.
    """
    rows, left_out = usable_rows(table, mapped, default_r90)
    if len(table) and left_out.total() == len(table):
        raise Failure(f"no usable row: {', '.join(reason for reason, count in left_out.items() if count)}")
    return [source_of(row[2:], catalogue, reference, flux_band_kev) for row in rows]


def _rows(table: Table, mapped: Mapped, ra: Any, dec: Any, r90: Any) -> Iterator[StagedRow]:
    with np.errstate(divide="ignore"):
        group = np.maximum(np.ceil(np.log(r90) / np.log(ERROR_CLASS_FACTOR)), 0.0).astype(int)
    cell = cells(ra, dec) if len(ra) else ra.astype(int)
    names = [
        name or f"unnamed at {ra[i]:.5f} {dec[i]:+.5f}"
        for i, name in enumerate(_texts(table, mapped, "name"))
    ]
    numbers = (column.tolist() for column in (group, cell, ra, dec, r90))
    identifiers = [_identifiers(text) for text in _texts(table, mapped, "identifiers")]
    classes = [text or None for text in _texts(table, mapped, "class")]
    return zip(*numbers, names, identifiers, _fluxes(table, mapped), classes, strict=True)


def _degrees(table: Table, mapped: Mapped, role: str) -> Any:
    column, unit = table[mapped.columns[role]], mapped.units[role]
    if column.dtype.kind not in "SUO":
        return _numbers(column) * u.Unit(unit).to(u.deg)
    return np.array([_angle(text, unit) for text in _strings(column)], float)


def _angle(text: str, unit: u.UnitBase | None) -> float:
    """Degrees of an angle as text, ``17 06 15.3`` or ``256.56``; NaN where it is none."""
    try:
        return float(Angle(text, unit).deg)
    except (ValueError, TypeError, u.UnitsError):
        return float("nan")


def _r90(table: Table, mapped: Mapped, ra: Any, dec: Any, default: float | None) -> Any:
    """90 % radii, arcsec; NaN where unknown. What the file's number format rounded away is part of them."""
    r90 = np.full(len(table), np.nan)
    if "error" in mapped.columns:
        scale = u.Unit(mapped.units["error"]).to(u.arcsec) * ERROR_KINDS[mapped.error_kind]
        r90 = _numbers(table[mapped.columns["error"]]) * scale
    if default is not None:
        r90 = np.where(np.isnan(r90), default, r90)
    rounding = [
        _rounding_arcsec(table[mapped.columns[role]], angle) for role, angle in (("ra", ra), ("dec", dec))
    ]
    return np.sqrt(r90 * np.abs(r90) + rounding[0] ** 2 + rounding[1] ** 2, where=r90 >= 0.0, out=r90.copy())


def _rounding_arcsec(column: Column, degrees: Any) -> Any:
    """Half a unit in the last place of single-precision coordinates: up to 0.05 arcsec; else nothing."""
    if column.dtype.kind != "f" or column.dtype.itemsize > 4:
        return np.zeros(len(degrees))
    return 0.5 * 3600.0 * np.abs(np.spacing(degrees.astype(np.float32))).astype(float)


def _fluxes(table: Table, mapped: Mapped) -> list[float | None]:
    unit = mapped.units.get("flux")
    if unit is None:
        return [None] * len(table)
    values = _numbers(table[mapped.columns["flux"]]) * unit.to(FLUX_UNIT)
    return [float(value) if 0.0 <= value < np.inf else None for value in values]


def _numbers(column: Column) -> Any:
    if column.dtype.kind in "fiu":
        return np.ma.filled(np.ma.asarray(column).astype(float), np.nan)
    return np.array([_number(text) for text in _strings(column)], float)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _texts(table: Table, mapped: Mapped, role: str) -> list[str]:
    """Texts of a role, empty where there is none."""
    if role not in mapped.columns:
        return [""] * len(table)
    return _strings(table[mapped.columns[role]])


def _strings(column: Column) -> list[str]:
    """Texts without blanks around them, empty where masked."""
    values = np.ma.asarray(column)
    hidden = np.ma.getmaskarray(values)
    data = values.data
    if data.dtype.kind == "S":
        data = np.char.decode(data, "utf-8", "replace")
    texts: list[str] = np.char.strip(data.astype(str)).tolist()
    return (
        ["" if masked else text for text, masked in zip(texts, hidden, strict=True)]
        if hidden.any()
        else texts
    )


def _identifiers(text: str) -> str:
    names = [name.strip() for name in text.split(";")] if text else []
    return json.dumps([name for name in names if name]) if names else ""
