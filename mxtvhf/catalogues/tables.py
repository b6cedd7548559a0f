"""A table as it comes out of a file, and what the file says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from astropy.table import Table

from mxtvhf.catalogues.frames import Frame


@dataclass(frozen=True)
class CatalogueTable:
    """Some or all rows of a table.

    Parameters
    ----------
    rows
        With units and UCDs as the file states them.
    frames
        Column -> reference frame that the file states for it, or why that is not clear; a column of which
        the file says nothing is missing.
    name
        Of the table in the file; empty where there is only one.
    """

    rows: Table
    frames: Mapping[str, Frame | str] = field(default_factory=dict)
    name: str = ""
