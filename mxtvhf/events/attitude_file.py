"""Read the attitude product SVO-ATT-VHF, and write it for the simulator.

::

    PRIMARY       no data; SVOM's product keywords
    ATTITUDE      TIME, QUATERNION, STABLE       one row per sample, as the event file's table of this name

The card, ``CREATOR`` VHF-ATTITUDE, ``TIMESYS`` TT, ``TIMEUNIT`` s and ``MJDREFI`` 57754 are public; the name
and the columns of the table are assumed. Times are counted from the epoch given in the file (``MJDREFI`` +
``MJDREFF``, or ``MJDREF``, and ``TIMEZERO``) and are converted to MET exactly: both are counted in TT, which
has no leap seconds, so they differ by a constant.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from mxtvhf.errors import InvalidInput
from mxtvhf.events.fits import Column, card_images, primary_hdu, table_hdu
from mxtvhf.events.header import product_cards, time_system_cards
from mxtvhf.instrument.attitude import AttitudeHistory
from mxtvhf.instrument.constants import instrument
from mxtvhf.models.ids import BURST_ID_PATTERN
from mxtvhf.models.text import one_line

CARD = "SVO-ATT-VHF"
"""SVOM's product card."""
TABLE = "ATTITUDE"
MAX_ATTITUDE_BYTES = 1 << 26
"""Largest accepted number of samples: twice that of a day at ten samples per second."""

_COLUMNS: dict[str, tuple[str, tuple[int, ...], str | None]] = {
    "TIME": ("f8", (), "s"),
    "QUATERNION": ("f8", (4,), None),
    "STABLE": ("?", (), None),
}
"""Columns that are read, with the type and shape of a cell, and the unit."""
_UNREADABLE = (
    OSError, ValueError, TypeError, LookupError, AttributeError, OverflowError, ArithmeticError,
    fits.VerifyError, Warning,
)  # fmt: skip
"""Exceptions that astropy raises on damaged files."""


@dataclass(frozen=True, eq=False)
class AttitudeProduct:
    """Contents of an SVO-ATT-VHF product.

    Attributes
    ----------
    attitude
        The samples, with times in MET.
    burst_id
        The burst that the product was made for; None if the file gives no burst id.
    """

    attitude: AttitudeHistory
    burst_id: str | None


def is_fits(raw: bytes) -> bool:
    """Return True if the bytes begin like a FITS file.

    Parameters
    ----------
    raw
        Content of a file.
    """
    return raw.startswith(b"SIMPLE  =")


def read_attitude_product(content: bytes, *, name: str) -> AttitudeProduct:
    """Read an attitude product.

    Parameters
    ----------
    content
        The file's bytes. Samples may be in any order; repeated samples are used once.
    name
        Name of the file in error messages.

    Raises
    ------
    InvalidInput
        The file is not FITS, truncated, damaged (wrong checksum), or another product; it has another time
        system, unit or frame, no sample, an invalid time, a quaternion that is not of unit length, or two
        attitudes at one time. The message names the file and the HDU.
    """
    part = "PRIMARY"
    try:
        # Checked here because astropy would also unpack compressed files, of any size.
        if not is_fits(content):
            raise ValueError("not a FITS file")
        with warnings.catch_warnings(action="error"), fits.open(BytesIO(content), checksum=1) as parts:
            header = dict(parts[0].header)
            burst_id = _burst_of(header)
            part = TABLE
            table = parts[TABLE]
            keywords = {**header, **table.header}
            _check_keywords(keywords)
            time, quaternion, stable = (_column(table, column) for column in _COLUMNS)
            attitude = _history(time + _seconds_of_met(keywords), quaternion, stable)
    except (InvalidInput, *_UNREADABLE) as error:
        raise InvalidInput(f"{name}: HDU {part}: {one_line(error)}") from error
    return AttitudeProduct(attitude, burst_id)


def attitude_product_bytes(attitude: AttitudeHistory, burst_id: str, date: datetime) -> bytes:
    """Return the bytes of an attitude product, as the ground segment sends it.

    Parameters
    ----------
    attitude
        The samples.
    burst_id
        The burst that the product is made for.
    date
        Creation date, UTC.
    """
    cards = product_cards(CARD, dstream="VHF", date=date, obs_id=burst_id, burst_id=burst_id)
    columns = [
        Column("TIME", attitude.time, "s"),
        Column("QUATERNION", attitude.quaternion),
        Column("STABLE", attitude.stable),
    ]
    table = card_images([("RADESYS", "ICRS", "frame of all attitudes"), *time_system_cards()])
    return b"".join([*primary_hdu(card_images(cards)), *table_hdu(TABLE, columns, table)])


def _burst_of(header: Mapping[str, Any]) -> str | None:
    if "CARD" not in header:
        raise ValueError("not an attitude product: keyword CARD missing")
    if header["CARD"] != CARD:
        raise ValueError(f"CARD is {header['CARD']!r}, expected {CARD!r}")
    burst_id = header.get("BURST_ID")
    if burst_id is None:
        return None
    if not re.fullmatch(BURST_ID_PATTERN, str(burst_id)):
        raise ValueError(f"BURST_ID is {burst_id!r}, expected sbYYMMDDnn")
    return str(burst_id)


def _check_keywords(keywords: Mapping[str, Any]) -> None:
    required = {"TELESCOP": "SVOM", "TIMESYS": "TT", "TIMEUNIT": "s"}
    optional = {"TIMEREF": "LOCAL", "RADESYS": "ICRS"}
    for key, value in {**required, **optional}.items():
        found = keywords.get(key)
        if found != value and (found is not None or key in required):
            raise ValueError(f"{key} is {found!r}, expected {value!r}")


def _seconds_of_met(keywords: Mapping[str, Any]) -> float:
    """Return the MET of the file's time zero, in seconds, rounded to the millisecond.

    The computation is decimal: a binary fraction of a day would lose the last digits.
    """
    ours = instrument().time
    if "MJDREFI" in keywords:
        whole, fraction = Decimal(int(keywords["MJDREFI"])), Decimal(str(keywords.get("MJDREFF", 0.0)))
    elif "MJDREF" in keywords:
        whole, fraction = Decimal(str(keywords["MJDREF"])), Decimal(0)
    else:
        raise ValueError("MJDREFI is missing; expected MJDREFI or MJDREF")
    seconds = 86400 * (whole - ours.mjdrefi + fraction) + Decimal(str(keywords.get("TIMEZERO", 0.0)))
    return float(round(seconds - Decimal(str(ours.tt_minus_utc_s)), 3))


def _column(table: fits.BinTableHDU, name: str) -> npt.NDArray[Any]:
    dtype, shape, unit = _COLUMNS[name]
    column = np.asarray(table.data[name])
    if table.columns[name].unit not in (None, unit):
        raise ValueError(f"column {name} is in {table.columns[name].unit!r}, expected {unit!r}")
    if column.shape[1:] != shape:
        raise ValueError(f"column {name} has cells of shape {column.shape[1:]}, expected {shape}")
    return column.astype(dtype, casting="same_kind")


def _history(
    time: npt.NDArray[np.float64], quaternion: npt.NDArray[np.float64], stable: npt.NDArray[np.bool_]
) -> AttitudeHistory:
    if not len(time):
        raise ValueError("the table has no attitude sample; expected at least one row")
    rows = np.unique(np.column_stack([time, quaternion, stable]), axis=0)
    repeated = np.flatnonzero(np.diff(rows[:, 0]) == 0.0)
    if len(repeated):
        raise ValueError(f"two attitudes at MET {rows[repeated[0], 0]:.6f} s; expected one for each time")
    return AttitudeHistory(rows[:, 0].copy(), rows[:, 1:5].copy(), rows[:, 5] != 0.0)
