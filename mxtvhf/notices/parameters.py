"""Read the ``Param`` elements of a notice as validated numbers, times and texts.

An invalid value raises `InvalidInput`, which names the field and shows the value, escaped and shortened.
Optional values are read through `OddValues`, which turns the error into a warning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from math import inf, isfinite, pi
from typing import ParamSpec, TypeVar

from mxtvhf.errors import InvalidInput
from mxtvhf.models.text import one_line

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:)(\d\d)(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NOT_AVAILABLE = {"", "none", "null", "nan", "n/a", "na", "unknown"}
_FLAGS = {"true": True, "1": True, "false": False, "0": False}

_UNITS: Mapping[str, tuple[str, float]] = {
    "deg": ("angle", 1.0),
    "degree": ("angle", 1.0),
    "degrees": ("angle", 1.0),
    "arcmin": ("angle", 1 / 60),
    "arcsec": ("angle", 1 / 3600),
    "rad": ("angle", 180 / pi),
    "s": ("time", 1.0),
    "sec": ("time", 1.0),
    "ms": ("time", 1e-3),
    "keV": ("energy", 1.0),
    "eV": ("energy", 1e-3),
    "MeV": ("energy", 1e3),
    "km": ("length", 1.0),
    "m": ("length", 1e-3),
}
"""Quantity and size in the first unit of that quantity, by unit."""


LONGEST_TEXT = 100
"""Largest number of characters of a name or a word in a notice; the longest in public notices has 21."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


class OddValues:
    """Reads optional values of a notice: an invalid value is ignored with a warning."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def left_out(self, read: Callable[_P, _T], *arguments: _P.args, **options: _P.kwargs) -> _T | None:
        """Return the result of ``read``; if it rejects the value, add a warning and return None."""
        try:
            return read(*arguments, **options)
        except InvalidInput as error:
            self.warnings.append(f"{error}; value ignored")
            return None


class Parameters:
    """The parameters of a notice by name, whatever their group.

    Parameters
    ----------
    params
        XML attributes of each ``Param``: ``name``, ``value``, ``unit``.
    older_names
        Name used in older notices, by current name.
    """

    def __init__(self, params: Iterable[Mapping[str, str]], older_names: Mapping[str, str]) -> None:
        self._older_names = older_names
        self._params: dict[str, list[Mapping[str, str]]] = {}
        for param in params:
            self._params.setdefault(param.get("name", ""), []).append(param)

    def _one(self, name: str) -> Mapping[str, str]:
        found = self._params.get(name) or self._params.get(self._older_names.get(name, name), [])
        if len({param.get("value", "").strip() for param in found}) > 1:
            raise InvalidInput(
                f"{name} is given {len(found)} times with different values; expected one value"
            )
        return found[0] if found else {}

    def text(self, name: str) -> str | None:
        """Return the value; None if it is absent, empty or a word for "not available"."""
        value = self._one(name).get("value", "").strip()
        return None if value.lower() in _NOT_AVAILABLE else word(value, name)

    def link(self, name: str) -> str | None:
        """Return the value unchecked, which may be longer than other texts; None if it is absent."""
        return self._one(name).get("value", "").strip() or None

    def has(self, name: str) -> bool:
        """Return True if the notice has a parameter of this name with a value."""
        found = self._params.get(name) or self._params.get(self._older_names.get(name, name), [])
        return any(param.get("value", "").strip().lower() not in _NOT_AVAILABLE for param in found)

    def unit(self, name: str) -> str:
        """Return the unit as written; empty if there is none."""
        return self._one(name).get("unit", "").strip()

    def number(
        self, name: str, unit: str | None = None, *, low: float = -inf, high: float = inf
    ) -> float | None:
        """Return a finite number in ``unit``; a parameter without a unit is assumed to have that unit.

        Parameters
        ----------
        name
            Name of the parameter.
        unit
            Unit of the result; None if the number is dimensionless.
        low, high
            Smallest and largest possible value, in ``unit``.
        """
        value = self.text(name)
        if value is None:
            return None
        scale = factor(self.unit(name) or unit, unit, name) if unit else 1.0
        number = finite(value, name) * scale
        if not low <= number <= high:
            limits = f"from {low:g}" if high == inf else f"from {low:g} to {high:g}"
            raise InvalidInput(
                f"{name} {shown(value)} is impossible; expected {limits} {unit or ''}".rstrip()
            )
        return number

    def whole_number(self, name: str) -> int | None:
        """Return a non-negative integer of at most nine digits."""
        value = self.text(name)
        if value is not None and not re.fullmatch(r"[0-9]{1,9}", value):
            raise InvalidInput(f"{name} {shown(value)} is not an integer")
        return None if value is None else int(value)

    def flag(self, name: str) -> bool | None:
        """Return a boolean."""
        value = self.text(name)
        if value is not None and value.lower() not in _FLAGS:
            raise InvalidInput(f"{name} {shown(value)} is neither True nor False")
        return None if value is None else _FLAGS[value.lower()]

    def time(self, name: str) -> datetime | None:
        """Return a date and time in UTC."""
        value = self.text(name)
        return None if value is None else utc(value, name)


def utc(text: str, field: str) -> datetime:
    """Parse an ISO 8601 date and time; without a time zone it is UTC.

    A leap second 23:59:60 becomes the first second of the next day, as in POSIX time: a datetime cannot
    represent it, and the error stays below 1 s. Digits beyond the microsecond are truncated.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise InvalidInput(f"{field} {shown(text)} is not a date and time like 2026-05-11T11:03:32.000")
    day, minutes, seconds, fraction, zone = match.groups(default="")
    leap = minutes == "23:59:" and seconds == "60" and zone in ("", "Z", "+00:00", "+0000")
    try:
        moment = datetime.fromisoformat(
            f"{day}T{minutes}{'59' if leap else seconds}{fraction[:7]}{zone or 'Z'}"
        )
        return (moment + timedelta(seconds=leap)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"{field} {shown(text)}: {one_line(error, 200)}") from None


def word(text: str, field: str) -> str:
    """Return the text if a report can show it unchanged: printable, and not too long.

    Raises
    ------
    InvalidInput
        The text has control characters or more than `LONGEST_TEXT` characters.
    """
    if not text.isprintable() or len(text) > LONGEST_TEXT:
        raise InvalidInput(
            f"{field} {shown(text)} is not a text of at most {LONGEST_TEXT} printable characters"
        )
    return text


def finite(text: str, field: str) -> float:
    """Parse a plain decimal number; reject NaN, infinity and numbers that overflow."""
    value = float(text) if _NUMBER.fullmatch(text) else float("nan")
    if not isfinite(value):
        raise InvalidInput(f"{field} {shown(text)} is not a finite number")
    return value


def factor(given: str, wanted: str, field: str) -> float:
    """Return the conversion factor between two units of the same quantity."""
    kind, size = _UNITS.get(given, ("", 0.0))
    wanted_kind, wanted_size = _UNITS[wanted]
    if kind != wanted_kind:
        raise InvalidInput(f"{field} has the unit {shown(given)}, which cannot be converted to {wanted}")
    return size / wanted_size


def shown(text: str) -> str:
    """Quote untrusted text for a message: escaped, at most 80 characters."""
    return ascii(text if len(text) <= 80 else text[:77] + "...")
