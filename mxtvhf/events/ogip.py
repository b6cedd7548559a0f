"""Common FITS keywords and writer of the light curve, the spectra and the responses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from astropy.io import fits

from mxtvhf.models.files import sha256_of, write_atomically
from mxtvhf.models.product import Product

Card = tuple[str, Any, str]
"""Keyword, value, comment."""

_COPIED = (
    "ORIGIN", "CREATOR", "PROGRAM", "PRDM_VER", "GLDM_VER", "PROC_VER", "PIP_VER", "DSTREAM", "DATE",
    "TIMEREF", "TIMESYS", "TIMEUNIT", "MJDREFI", "MJDREFF", "OBS_ID", "BURST_ID", "IVORN",
)  # fmt: skip
"""Keywords that products copy from the primary header of the event file, if present."""
_COPIED_TIME = ("TIMEREF", "TIMESYS", "TIMEUNIT", "MJDREFI", "MJDREFF")


@dataclass(frozen=True)
class ProductHeader:
    """Header keywords of every product made from an event file.

    Attributes
    ----------
    events
        Primary header of the event file.
    calibration
        Version used, by calibration item.
    """

    events: dict[str, Any]
    calibration: dict[str, str]

    def primary(self, card: str) -> fits.PrimaryHDU:
        """Return the primary HDU of a product.

        Parameters
        ----------
        card
            Name of the product (``CARD``), e.g. ``QARF_MXT``.
        """
        part = fits.PrimaryHDU()
        cards = {"TELESCOP": "SVOM", "INSTRUME": "MXT", "CARD": card}
        cards |= {name: self.events[name] for name in _COPIED if name in self.events}
        part.header.extend(list(cards.items()), end=True)
        part.header.extend(self.calibration_cards(), end=True)
        return part

    def table(self, name: str, columns: list[fits.Column], cards: Iterable[Card]) -> fits.BinTableHDU:
        """Return a table with the keywords that OGIP requires in all tables, and with its own.

        Parameters
        ----------
        name
            Name of the extension (``EXTNAME``).
        columns
            Columns of the table.
        cards
            Keywords of this table alone.
        """
        part = fits.BinTableHDU.from_columns(fits.ColDefs(columns), name=name)
        common: list[Card] = [
            ("TELESCOP", "SVOM", "mission"),
            ("INSTRUME", "MXT", "instrument"),
            ("FILTER", "NONE", "no filter wheel"),
            ("OBJECT", self.events.get("BURST_ID", "unknown"), "burst"),
            ("HDUCLASS", "OGIP", "format conforms to OGIP standard"),
        ]
        part.header.extend([*common, *cards], end=True)
        return part

    def time_cards(self) -> list[Card]:
        """Return the time system keywords of the event file."""
        return [
            (name, self.events[name], "as the event file") for name in _COPIED_TIME if name in self.events
        ]

    def calibration_cards(self) -> list[Card]:
        """Return the calibration versions that were used, as ``CALn`` = item and version."""
        used = sorted(self.calibration.items())
        return [
            (f"CAL{k}", f"{item} {version}", "calibration used") for k, (item, version) in enumerate(used, 1)
        ]


def write_fits(path: Path, parts: list[Any]) -> Product:
    """Write HDUs with checksums atomically; the same input gives the same bytes.

    Parameters
    ----------
    path
        The file; it replaces an existing one.
    parts
        HDUs of astropy; their checksums are set.
    """
    for part in parts:
        part.add_checksum(when="")
    file = BytesIO()
    fits.HDUList(parts).writeto(file)
    content = file.getvalue()
    write_atomically(path, content)
    return Product(path=path.name, sha256=sha256_of(content))
