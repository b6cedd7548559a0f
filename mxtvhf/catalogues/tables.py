"""A table as read from a catalogue file, with its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from astropy.table import Table

from mxtvhf.catalogues.frames import Frame


@dataclass(frozen=True)
class CatalogueTable:
    """Some or all rows of a table.

    Attributes
    ----------
    rows
        Rows with the units and UCDs given in the file.
    frames
        Reference frame of each column as given in the file, or the reason why it is ambiguous; columns
        without a frame are missing.
    name
        Name of the table in the file; empty if there is only one.
    """

    rows: Table
    frames: Mapping[str, Frame | str] = field(default_factory=dict)
    name: str = ""
