"""Parsers of arguments that several commands share: files, folders, angles and times.

An invalid file raises `InvalidInput`. Any other invalid value raises ``ValueError``, which Typer turns into a
usage error that names the argument. Both end the command with one line and exit status 2 before any work.
"""

from __future__ import annotations

import math
import os
import stat
import warnings
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mxtvhf.errors import InvalidInput, NewerVersion
from mxtvhf.models.text import is_utf8

if TYPE_CHECKING:
    from mxtvhf.reporting.report.model import Report

FIRST_YEAR, LAST_YEAR = 2000, 2099
"""Range of valid years. SVOM was launched in 2024, so other years are mistakes."""
ARCSEC_OF_SKY = 180 * 3600.0
LONGEST_WAIT_S = 1e6
"""Longest waiting time of a command, seconds (eleven days)."""


def input_file(value: Any) -> Path:
    """Return the absolute path of a readable file, so that later errors show the whole path.

    Raises
    ------
    InvalidInput
        The file is missing or cannot be read.
    """
    path = Path(value).absolute()
    try:
        mode = path.stat().st_mode
    except OSError as error:
        cause = "no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise InvalidInput(f"{path}: {cause}") from None
    if stat.S_ISDIR(mode):
        raise InvalidInput(f"{path}: is a folder; expected a file")
    if not os.access(path, os.R_OK):
        raise InvalidInput(f"{path}: permission denied; expected a readable file")
    return path


def output_folder(value: Any) -> Path:
    """Return the path of a writable folder or of a missing folder that can be created.

    Raises
    ------
    InvalidInput
        The path is a file or below one, is not writable, or its name is not UTF-8 (records need UTF-8).
    """
    path = Path(value)
    if not is_utf8(path.absolute()):
        raise InvalidInput(f"{path.absolute()}: the folder name is not UTF-8; choose another folder")
    existing = path.absolute()
    while not os.path.lexists(existing):
        existing = existing.parent
    if not existing.is_dir():
        raise InvalidInput(f"{existing}: is a file; expected a folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InvalidInput(f"{existing}: not writable; choose another folder")
    return path


def output_file(value: Any) -> Path:
    """Return the path of a file that can be written.

    Raises
    ------
    InvalidInput
        The path is a folder or not a regular file, or its folder is not writable.
    """
    path = Path(value)
    if path.exists() and not path.is_file():
        # Writing would replace a device by the file, for all users of this machine.
        kind = "a folder" if path.is_dir() else "not a regular file"
        raise InvalidInput(f"{path.absolute()}: is {kind}; expected the name of a file")
    output_folder(path.parent)
    return path


def input_folder(value: Any) -> Path:
    """Return the path of an existing folder.

    Raises
    ------
    InvalidInput
        The folder is missing.
    """
    path = Path(value)
    if not path.is_dir():
        raise InvalidInput(f"{path.absolute()}: no such folder")
    return path


def checkout(value: Any) -> Path:
    """Return the path of a checkout of this project.

    Raises
    ------
    InvalidInput
        The folder contains no ``dags`` and ``plugins``.
    """
    path = input_folder(value)
    if missing := [name for name in ("dags", "plugins") if not (path / name).is_dir()]:
        raise InvalidInput(
            f"{path.absolute()}: the folder {missing[0]} is missing; expected a checkout of MXT-VHF"
        )
    return path


def check_order(notice: Path, packets: Path) -> None:
    """Check that the notice and the packets are not swapped.

    Raises
    ------
    InvalidInput
        The file of packets is a notice.
    """
    if not _is_xml(packets):
        return
    if not _is_xml(notice):
        raise InvalidInput(
            f"{packets}: is a notice, but {notice.name} is not; give the notice first, then the packets"
        )
    raise InvalidInput(f"{packets}: is a notice (XML); expected VHF packets")


def _is_xml(path: Path) -> bool:
    if not path.is_file():  # a pipe can only be read once
        return False
    with path.open("rb") as file:
        return file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def right_ascension(text: Any) -> float:
    """Return a right ascension in degrees.

    Parameters
    ----------
    text
        Decimal degrees, sexagesimal hours (``14:00:25.2``, ``14 00 25.2``), or with units (``14h00m25.2s``,
        ``210.105d``).

    Raises
    ------
    ValueError
        The text has another form, or the value is not within 0 to 360 degrees.
    """
    value = _angle(str(text), "deg", sexagesimal="hourangle")
    if not 0.0 <= value <= 360.0:
        raise ValueError(f"found {text}, expected a right ascension of 0 to 360 degrees or 0h to 24h")
    return value % 360.0


def declination(text: Any) -> float:
    """Return a declination in degrees.

    Parameters
    ----------
    text
        Decimal degrees, sexagesimal degrees (``+54:35:47``, ``-0 30 0``), or with units (``+54d35m47s``).

    Raises
    ------
    ValueError
        The text has another form, or the value is not within -90 to +90 degrees.
    """
    value = _angle(str(text), "deg", sexagesimal="deg")
    if "h" in str(text) or not -90.0 <= value <= 90.0:
        raise ValueError(f"found {text}, expected a declination of -90 to +90 degrees")
    return value


def field_source(text: str) -> dict[str, float]:
    """Return a simulated source from ``RA,DEC,COUNTS``.

    Raises
    ------
    InvalidInput
        The text does not have three parts, or one of them is invalid.
    """
    parts = text.split(",")
    if len(parts) != 3:
        raise InvalidInput(f"--source {text!r}: expected RA,DEC,COUNTS, e.g. 155.6,-21.1,150")
    try:
        return {
            "ra_deg": right_ascension(parts[0]),
            "dec_deg": declination(parts[1]),
            "counts": float(parts[2]),
        }
    except ValueError as error:
        raise InvalidInput(f"--source {text!r}: {error}") from None


def radius_arcsec(text: Any) -> float:
    """Return a radius in arcsec.

    Parameters
    ----------
    text
        Arcsec, or with a unit: ``300``, ``5arcmin``, ``5'``, ``0.1deg``.

    Raises
    ------
    ValueError
        The text has another form, or the value is not above 0 and at most 180 degrees.
    """
    value = _angle(str(text), "arcsec", sexagesimal=None)
    if "h" in str(text) or not 0.0 < value <= ARCSEC_OF_SKY:
        raise ValueError(f"found {text}, expected a radius above 0, in arcsec or with a unit, e.g. 5arcmin")
    return value


def _angle(text: str, unit: str, *, sexagesimal: str | None) -> float:
    """Return an angle in ``unit`` from a number in ``unit`` or a sexagesimal text in ``sexagesimal``."""
    try:
        return float(text)
    except ValueError:
        pass
    # Imported here, because it takes half a second and most angles are plain numbers.
    from astropy.coordinates import Angle

    has_parts = ":" in text or " " in text.strip()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # 14:60:00 and 24:00:00 would be accepted with a warning
            if has_parts and sexagesimal is None:
                raise ValueError("a radius cannot be sexagesimal")
            angle = Angle(text, unit=sexagesimal if has_parts else None)
            return float(angle.to_value(unit))
    except (ValueError, TypeError, ArithmeticError, Warning):
        raise ValueError(f"found {text!r}, expected an angle, e.g. {_EXAMPLES[sexagesimal]}") from None


_EXAMPLES = {
    "hourangle": "210.105, 14:00:25.2 or 14h00m25.2s",
    "deg": "54.596, +54:35:47 or +54d35m47s",
    None: "300, 5arcmin or 0.1deg",
}


def utf8_text(value: Any) -> str:
    """Return a printable text in UTF-8.

    Raises
    ------
    ValueError
        The text is empty, or contains control characters or bytes that are not UTF-8.
    """
    found = str(value).strip()
    if not found or not found.isprintable():
        raise ValueError(f"found {found!r}, expected printable text in UTF-8")
    return found


def given_report(path: Path) -> tuple[Report, str]:
    """Return the report in a file that a user named, and its SHA-256.

    Raises
    ------
    InvalidInput
        The file is not a ``report.json``, or is damaged.
    NewerVersion
        The report was written by a later version of this software.
    """
    from pydantic_core import from_json

    from mxtvhf.reporting.announcement.question import report_at
    from mxtvhf.reporting.report.model import Report

    try:
        return report_at(path)
    except NewerVersion:
        raise
    except InvalidInput:
        try:
            found = from_json(path.read_bytes())
        except ValueError:
            raise InvalidInput(f"{path}: not a report.json of MXT-VHF (not JSON)") from None
        if not isinstance(found, dict):
            raise InvalidInput(f"{path}: not a report.json of MXT-VHF (not a JSON object)") from None
        for name, field in Report.model_fields.items():
            if field.is_required() and name not in found:
                raise InvalidInput(f"{path}: not a report.json of MXT-VHF ({name} missing)") from None
        raise


def utc_moment(value: Any) -> datetime:
    """Return a time in UTC.

    Parameters
    ----------
    value
        ISO 8601: ``2026-03-07``, ``2026-03-07T13:37:12.5``; UTC unless it has an offset.

    Raises
    ------
    ValueError
        The text has another form, or its year is not within 2000 to 2099.
    """
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"found {value!r}, expected a time such as 2026-03-07T13:37:12.5 (UTC)") from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"found {value!r}, expected a year of {FIRST_YEAR} to {LAST_YEAR}")
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def day(value: Any) -> date:
    """Return a day in UTC from ``YYYY-MM-DD``. Errors are those of `utc_moment`."""
    if len(str(value)) != len("YYYY-MM-DD"):
        raise ValueError(f"found {value!r}, expected a day such as 2026-03-07")
    return utc_moment(value).date()


def seconds(value: Any) -> float:
    """Return a waiting time in seconds.

    Raises
    ------
    ValueError
        The value is not a number, negative, or above `LONGEST_WAIT_S`.
    """
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0.0 <= number <= LONGEST_WAIT_S:
        raise ValueError(f"found {value!r}, expected 0 to {LONGEST_WAIT_S:.0f} seconds")
    return number
