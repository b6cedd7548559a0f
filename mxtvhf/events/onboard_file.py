"""Write and read the on-board positions, product QPO_MXT.

::

    PRIMARY       no data; SVOM's product keywords QPO_MXT_S1    TIME, RA, DEC, R90, SNR, KNOWN_SOURCE first
    source, one row per on-board result QPO_MXT_S2    the same columns for the second source QPO_MXT_S3    the
    same columns for the third source

The names of the card, the tables and the columns RA, DEC, R90 and KNOWN_SOURCE are those that
``celexta/svom_fsc.py`` (github.com/JPalmerio/Celexta) reads. TIME and SNR are assumed. The same input gives
the same bytes.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits
from pydantic import Field, ValidationError

from mxtvhf.errors import InvalidInput
from mxtvhf.events.fits import Card, Column, card_images, primary_hdu, table_hdu
from mxtvhf.events.header import product_cards, time_system_cards
from mxtvhf.instrument.time import utc_from_met
from mxtvhf.models.base import Model
from mxtvhf.models.files import write_atomically
from mxtvhf.models.ids import BurstId
from mxtvhf.models.position import Declination, RightAscension
from mxtvhf.models.text import escaped, one_line

CARD = "QPO_MXT"
"""SVOM's product card."""
MAX_SOURCES = 3
LARGEST_R90_ARCSEC = 36_000.0
"""Largest accepted error radius: 10 deg, ten times the field of view."""

_COLUMNS = {"TIME": "f8", "RA": "f8", "DEC": "f8", "R90": "f8", "SNR": "f8", "KNOWN_SOURCE": "i2"}
_UNITS = {"TIME": "s", "RA": "deg", "DEC": "deg", "R90": "arcsec"}
_UNREADABLE = (
    OSError, ValueError, TypeError, LookupError, AttributeError, OverflowError, fits.VerifyError, Warning
)  # fmt: skip
"""Exceptions that astropy raises on damaged files."""


class OnboardSource(Model):
    """A source found by the on-board software."""

    ra_deg: RightAscension
    dec_deg: Declination
    r90_arcsec: float = Field(gt=0.0, le=LARGEST_R90_ARCSEC)
    """Statistical 90 % radius."""
    snr: float = Field(ge=0.0, allow_inf_nan=False)
    known_source: bool
    """True if the source is in the on-board catalogue."""


class OnboardMessage(Model):
    """One result of the on-board localisation."""

    met: float = Field(allow_inf_nan=False)
    """Time of the result, seconds of MET."""
    sources: tuple[OnboardSource, ...] = Field(max_length=MAX_SOURCES)
    """Sources S1, S2, S3; empty if the on-board software found no source."""

    @property
    def time(self) -> datetime:
        """Time of the result, UTC."""
        return utc_from_met(self.met)


def write_onboard_file(path: Path, messages: Sequence[OnboardMessage], burst_id: BurstId) -> None:
    """Write the product atomically.

    Parameters
    ----------
    path
        Destination; an existing file is replaced.
    messages
        Results in time order, at least one; results without a source have no row.
    burst_id
        The burst that the results belong to.
    """
    last = messages[-1].time
    cards = product_cards(CARD, dstream="VHF", date=last, obs_id=burst_id, burst_id=burst_id)
    parts = [*primary_hdu(card_images(cards))]
    for number in range(MAX_SOURCES):
        rows = [(one.met, one.sources[number]) for one in messages if number < len(one.sources)]
        parts += table_hdu(_table_name(number), _columns(rows), card_images(_table_cards(burst_id)))
    write_atomically(path, b"".join(parts))


def read_onboard_file(path: Path) -> tuple[OnboardMessage, ...]:
    """Read the on-board results; the file does not contain results without a source.

    Parameters
    ----------
    path
        The FITS file.

    Raises
    ------
    InvalidInput
        The file cannot be read, is damaged, is another product, or contains an invalid value. The message
        names the file and the table.
    """
    shown, part = escaped(path.name), "PRIMARY"
    found: dict[float, list[OnboardSource]] = {}
    try:
        content = path.read_bytes()
        if not content.startswith(b"SIMPLE  ="):
            raise ValueError("not a FITS file")
        with warnings.catch_warnings(action="error"), fits.open(BytesIO(content), checksum=1) as parts:
            if (card := parts[0].header.get("CARD")) != CARD:
                raise ValueError(
                    "not a file of on-board results: keyword CARD missing"
                    if card is None
                    else f"CARD is {card!r}, expected {CARD!r}"
                )
            for number in range(MAX_SOURCES):
                part = _table_name(number)
                for met, source in _rows(parts[part]):
                    found.setdefault(met, []).append(source)
                    if len(found[met]) != number + 1:
                        raise ValueError(
                            f"time {met!r} is repeated, or missing in the previous table; "
                            "expected one row for each time"
                        )
    except (ValidationError, *_UNREADABLE) as error:
        raise InvalidInput(f"{shown}: HDU {part}: {one_line(error)}") from error
    return tuple(OnboardMessage(met=met, sources=tuple(found[met])) for met in sorted(found))


def _rows(table: fits.BinTableHDU) -> list[tuple[float, OnboardSource]]:
    for name, unit in _UNITS.items():
        if table.columns[name].unit != unit:
            raise ValueError(f"column {name} is in {table.columns[name].unit!r}, expected {unit!r}")
    columns = [np.asarray(table.data[name]).tolist() for name in _COLUMNS]
    return [
        (
            met,
            OnboardSource(ra_deg=ra, dec_deg=dec, r90_arcsec=r90, snr=snr, known_source=bool(known)),
        )
        for met, ra, dec, r90, snr, known in zip(*columns, strict=True)
    ]


def _table_name(number: int) -> str:
    return f"{CARD}_S{number + 1}"


def _columns(rows: Sequence[tuple[float, OnboardSource]]) -> list[Column]:
    values: dict[str, list[Any]] = {
        "TIME": [met for met, _ in rows],
        "RA": [source.ra_deg for _, source in rows],
        "DEC": [source.dec_deg for _, source in rows],
        "R90": [source.r90_arcsec for _, source in rows],
        "SNR": [source.snr for _, source in rows],
        "KNOWN_SOURCE": [source.known_source for _, source in rows],
    }
    columns: dict[str, npt.NDArray[Any]] = {
        name: np.array(values[name], dtype) for name, dtype in _COLUMNS.items()
    }
    return [Column(name, column, _UNITS.get(name, "")) for name, column in columns.items()]


def _table_cards(burst_id: str) -> list[Card]:
    return [
        ("TELESCOP", "SVOM", "mission"),
        ("INSTRUME", "MXT", "instrument"),
        ("OBJECT", burst_id, "burst"),
        ("RADESYS", "ICRS", "frame of all positions"),
        *time_system_cards(),
    ]
