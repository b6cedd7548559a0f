"""Catalogue files, read in parts: FITS, VOTable, CSV and ECSV, by astropy."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

from astropy.io import ascii as text_tables
from astropy.io import fits
from astropy.io.votable import parse_single_table
from astropy.table import Table
from astropy.utils.exceptions import AstropyWarning

from mxtvhf.errors import InvalidInput

ROWS = 200_000
"""Of one part."""
CSV_BYTES = 20_000_000
"""Of one part of a CSV file."""


def read_parts(path: Path) -> Iterator[Table]:
    """Yield the rows of the first table of a file, some at a time.

    FITS and CSV files may be of any size; VOTable and ECSV files are read whole, as astropy does it.

    Raises
    ------
    InvalidInput
        The file cannot be read, or holds no table.
    """
    if not path.is_file():
        raise InvalidInput(f"{path}: no such file")
    with path.open("rb") as file:
        start = file.read(2000)
    try:
        with warnings.catch_warnings():
            # Files by other hands are full of units and types that astropy remarks on; what matters of them
            # comes out of the columns.
            warnings.simplefilter("ignore", AstropyWarning)
            yield from _parts(path, start)
    # astropy's readers let out what the libraries below them raise.
    except (OSError, ValueError, IndexError, KeyError, TypeError, MemoryError, EOFError) as error:
        raise InvalidInput(
            f"{path}: cannot be read as a table: {' '.join(str(error).split())[:200]}"
        ) from error


def _parts(path: Path, start: bytes) -> Iterator[Table]:
    if start.startswith((b"SIMPLE  =", b"\x1f\x8b")):
        yield from _fits_parts(path)
    elif b"<VOTABLE" in start or b":VOTABLE" in start:
        yield from _slices(parse_single_table(path).to_table(use_names_over_ids=True))
    elif start.startswith(b"# %ECSV"):
        yield from _slices(Table.read(path, format="ascii.ecsv"))
    else:
        fast = {"chunk_size": CSV_BYTES, "chunk_generator": True}
        yield from text_tables.read(path, format="csv", fast_reader=fast)


def _fits_parts(path: Path) -> Iterator[Table]:
    first, rows = 0, 1
    while first < rows:
        # Opened for each part: what was mapped of the file is given back with it.
        with fits.open(path, memmap=True) as hdus:
            hdu = next((one for one in hdus if isinstance(one, fits.BinTableHDU | fits.TableHDU)), None)
            if hdu is None:
                raise InvalidInput(f"{path}: no table in this FITS file")
            rows = len(hdu.data)
            yield Table.read(type(hdu)(data=hdu.data[first : first + ROWS], header=hdu.header))
        first += ROWS


def _slices(table: Table) -> Iterator[Table]:
    for first in range(0, len(table), ROWS):
        yield table[first : first + ROWS]
