"""Write binary tables as FITS bytes, fast enough for event files and sky maps.

This module exists because building a header of a few hundred cards with astropy takes ten times as long as
everything else (``docs/decisions/packets-and-event-files.md``). Astropy does the reading. Source: FITS
standard 4.0 (2016), sections 4.2 (values), 4.4.2.7 and appendix J (checksums), 7.3 (binary tables).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite, prod
from typing import Any

import numpy as np
import numpy.typing as npt

Card = tuple[str, Any, str]
"""Keyword, value (text, boolean, integer or float) and comment; for COMMENT the value is the text."""

BLOCK = 2880
_FORMS = {"f8": ("D", ">f8"), "i2": ("I", ">i2"), "i4": ("J", ">i4"), "i8": ("K", ">i8"), "b1": ("L", "u1")}
"""TFORM letter and type in the file, by type of the numpy column."""
_ROWS = 4096
"""Number of rows filled at a time."""
_UNSET = "0" * 16
"""Placeholder for the checksum while it is computed."""
_PUNCTUATION = {*range(0x3A, 0x41), *range(0x5B, 0x61)}
"""Characters between digits and letters, which a checksum must not contain."""


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a binary table.

    ``values`` have shape (rows,) or (rows, n) and type float64, int16, int32, int64 or bool; or shape (rows,)
    and numpy's type ``S`` for ASCII text.
    """

    name: str
    values: npt.NDArray[Any]
    unit: str = ""


Parts = tuple[bytes | memoryview, ...]
"""Consecutive pieces of the file; not joined, because the data may be large."""


def primary_hdu(cards: bytes) -> Parts:
    """Return a primary HDU without data.

    Parameters
    ----------
    cards
        Header cards of 80 bytes each, from `card_images`.
    """
    head: list[Card] = [
        ("SIMPLE", True, "conforms to FITS standard"),
        ("BITPIX", 8, "no data"),
        ("NAXIS", 0, "no data"),
        ("EXTEND", True, "extensions follow"),
    ]
    return _with_checksums(card_images(head) + cards, memoryview(b""))


def table_hdu(name: str, columns: Iterable[Column], cards: bytes) -> Parts:
    """Return a binary table.

    Parameters
    ----------
    name
        Name of the extension (``EXTNAME``).
    columns
        Columns of equal length.
    cards
        Header cards of 80 bytes each, from `card_images`; they follow those of the table structure.
    """
    columns = list(columns)
    layout, describing = [], list[Card]()
    for number, column in enumerate(columns, 1):
        letter, dtype, repeat = _form(column.values)
        layout.append((column.name, dtype, column.values.shape[1:]))
        form = letter if repeat == 1 else f"{repeat}{letter}"
        describing += [(f"TTYPE{number}", column.name, ""), (f"TFORM{number}", form, "")]
        if column.unit:
            describing.append((f"TUNIT{number}", column.unit, ""))
    rows = _rows(columns, np.dtype(layout))
    head: list[Card] = [
        ("XTENSION", "BINTABLE", "binary table"),
        ("BITPIX", 8, "bytes"),
        ("NAXIS", 2, "rows of bytes"),
        ("NAXIS1", rows.dtype.itemsize, "bytes in a row"),
        ("NAXIS2", len(rows), "rows"),
        ("PCOUNT", 0, "no heap"),
        ("GCOUNT", 1, "one table"),
        ("TFIELDS", len(columns), "columns"),
        *describing,
        ("EXTNAME", name, "name of the table"),
    ]
    return _with_checksums(card_images(head) + cards, rows.view(np.uint8).data)


def _form(values: npt.NDArray[Any]) -> tuple[str, str, int]:
    """Return the letter of TFORM, the type in the file and the number of elements per row."""
    if values.dtype.kind == "S":
        return "A", values.dtype.str, values.dtype.itemsize
    letter, dtype = _FORMS[values.dtype.str[1:]]
    return letter, dtype, prod(values.shape[1:])


def _rows(columns: list[Column], layout: np.dtype[np.void]) -> npt.NDArray[np.void]:
    """Convert columns to rows, block by block; a block stays in the processor's cache until complete."""
    rows = np.empty(len(columns[0].values), layout)
    for start in range(0, len(rows), _ROWS):
        part = slice(start, start + _ROWS)
        for column in columns:
            values = column.values[part]
            is_flag = values.dtype == np.bool_
            rows[column.name][part] = np.where(values, ord("T"), ord("F")) if is_flag else values
    return rows


def card_images(cards: Iterable[Card]) -> bytes:
    """Return cards as header bytes, 80 each.

    Parameters
    ----------
    cards
        Keyword, value and comment of each card.

    Raises
    ------
    ValueError
        A text is not ASCII or too long for its card, or a number is not finite.
    """
    return "".join([_image(*card) for card in cards]).encode("ascii")


@lru_cache(maxsize=4096, typed=True)
def _image(keyword: str, value: Any, comment: str) -> str:
    # The images are cached, because most cards are the same in successive files.
    if keyword == "COMMENT":
        return f"COMMENT {value:72}"[:80]
    text = f"{keyword:8}= {_value(keyword, value)}"
    if len(text) > 80:
        raise ValueError(f"{keyword} {value!r} is too long for a FITS card of 80 characters")
    return f"{text} / {comment:47}"[:80] if comment else text.ljust(80)


def _value(keyword: str, value: Any) -> str:
    """Format a value in fixed format, or a long float in free format."""
    if isinstance(value, str):
        return "'{:8}'".format(value.replace("'", "''")).ljust(20)
    if isinstance(value, bool):
        return f"{'T' if value else 'F':>20}"
    if isinstance(value, int):
        return f"{value:>20d}"
    if not isfinite(value):
        raise ValueError(f"{keyword} {value} is not a finite number")
    # Equal numbers must have equal images, so negative zero becomes zero.
    return f"{float(value) + 0.0!r:>20}".upper()


def _with_checksums(header: bytes, data: memoryview) -> Parts:
    """Pad header and data to blocks and put DATASUM and CHECKSUM into the header."""
    padding = bytes(_padded(len(data)) - len(data))
    datasum = _datasum(data)
    header += card_images([("DATASUM", str(datasum), "sum of the data's 32-bit words")])
    place = len(header) + len("CHECKSUM= '")
    header += card_images([("CHECKSUM", _UNSET, "of the whole HDU")]) + b"END"
    header = header.ljust(_padded(len(header)), b" ")
    checksum = _ascii(0xFFFFFFFF - _folded(_datasum(memoryview(header)) + datasum))
    return header[:place] + checksum + header[place + len(_UNSET) :], data, padding


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _datasum(content: memoryview) -> int:
    """Return the ones' complement sum of the big-endian 32-bit words; the last word is zero-padded."""
    whole = len(content) // 4 * 4
    rest = int.from_bytes(content[whole:].tobytes().ljust(4, b"\0"), "big")
    return _folded(int(np.frombuffer(content[:whole], ">u4").sum(dtype=np.uint64)) + rest)


def _folded(total: int) -> int:
    """Add the carries of a sum of 32-bit words back at the low end."""
    return total % 0xFFFFFFFF or min(total, 0xFFFFFFFF)


def _ascii(checksum: int) -> bytes:
    """Encode a checksum as 16 ASCII characters (FITS standard, appendix J)."""
    text = np.zeros((4, 4), np.uint8)
    for index, byte in enumerate(checksum.to_bytes(4, "big")):
        parts = [byte // 4 + byte % 4 + 0x30, *3 * [byte // 4 + 0x30]]
        while _PUNCTUATION.intersection(parts):
            for low in (0, 2):
                if _PUNCTUATION & {*parts[low : low + 2]}:
                    parts[low] += 1
                    parts[low + 1] -= 1
        text[:, index] = parts
    whole = text.tobytes()
    return whole[-1:] + whole[:-1]
