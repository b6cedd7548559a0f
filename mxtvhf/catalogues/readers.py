"""Read catalogue files in parts: FITS, VOTable, CSV and ECSV, also compressed by gzip, bzip2 or xz.

Libraries receive open files, never names: they would fetch a name that looks like a URL, and treat one line
of text as a file name.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import re
import tempfile
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path
from typing import IO, Any

import numpy as np
from astropy.io import ascii as text_tables
from astropy.io import fits
from astropy.table import Table
from astropy.utils.exceptions import AstropyWarning

from mxtvhf.catalogues.frames import fits_frame
from mxtvhf.catalogues.tables import CatalogueTable
from mxtvhf.catalogues.votable import catalogue_table, read_votable, tables_of
from mxtvhf.errors import Failure, InvalidInput
from mxtvhf.models.text import escaped, one_line

ROWS = 100_000
"""Number of rows of one part."""
BEGINNING = 2000
"""Number of bytes used to recognise a format."""
MAX_UNPACKED_BYTES = 20_000_000_000
"""Largest uncompressed size; a larger file is refused before it fills the disk."""

READABLE = "FITS, VOTable, CSV or ECSV"
PACKED: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
"""Decompression module by the first bytes of a file."""
OTHERS = {
    rb"PK\x03\x04|7z\xbc\xaf|\x1f\x9d|\x28\xb5\x2f\xfd|Rar!": "an archive or packed file; unpack it first",
    rb"\x89HDF|PAR1|SQLite format|%PDF|\xd0\xcf\x11\xe0|ARROW1": f"not {READABLE}; convert it first",
    rb"\xff\xfe|\xfe\xff": "text in UTF-16; convert it with: iconv -f utf-16 -t utf-8",
    rb"\s*<(?:!doctype )?html": "an HTML page, not a catalogue; download the file itself",
}
"""Advice for unsupported file types, by their first bytes."""
LONGEST_LINE = 1_000_000
"""Largest number of characters of the line with the column names."""
DELIMITERS = ",;\t|"


def read_parts(path: Path, table: str | None = None) -> Iterator[CatalogueTable]:
    """Yield the rows of a table of a file in parts, at least one part.

    FITS and CSV files may have any size; astropy reads VOTable and ECSV files as a whole.

    Parameters
    ----------
    path
        The file.
    table
        Name or number of the table if the file has several: the HDU number in a FITS file, or the number in a
        VOTable counted from 1.

    Raises
    ------
    InvalidInput
        The file cannot be read, contains no table, or contains several and ``table`` is None.
    """
    try:
        with warnings.catch_warnings(), _unpacked(path) as file:
            # Astropy warns of many units and types in real files; relevant problems are found in the columns.
            warnings.simplefilter("ignore", AstropyWarning)
            yield from _parts(file, table)
    except InvalidInput as error:
        raise InvalidInput(f"{escaped(path)}: {error}") from error
    except Failure:
        raise
    # For a damaged file astropy's readers pass on any exception of the libraries they use.
    except Exception as error:
        raise InvalidInput(f"{escaped(path)}: cannot be read as a table: {one_line(error, 200)}") from error


@contextmanager
def _unpacked(path: Path) -> Iterator[IO[bytes]]:
    """Open a file; a compressed one is unpacked into a temporary file, since FITS is read in steps."""
    if path.is_dir():
        raise InvalidInput("is a folder; expected a file")
    if path.exists() and not path.is_file():
        raise InvalidInput("not a regular file; expected a file")
    try:
        packed = path.open("rb")
    except FileNotFoundError:
        raise InvalidInput("no such file") from None
    except OSError as error:
        raise InvalidInput(f"cannot be opened: {error.strerror}") from error
    with packed:
        start = packed.read(BEGINNING)
        packed.seek(0)
        opened = next((one for magic, one in PACKED.items() if start.startswith(magic)), None)
        if opened is None:
            yield packed
            return
        with tempfile.NamedTemporaryFile() as whole:
            _unpack(opened(packed), whole)
            with Path(whole.name).open("rb") as unpacked:
                yield unpacked


def _unpack(packed: IO[bytes], whole: IO[bytes]) -> None:
    size = 0
    try:
        while content := packed.read(1 << 20):
            size += len(content)
            if size > MAX_UNPACKED_BYTES:
                raise InvalidInput(f"more than {MAX_UNPACKED_BYTES} bytes when unpacked; unpack it yourself")
            whole.write(content)
    except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        if isinstance(error, OSError) and error.errno:  # damaged data give no errno
            raise Failure(f"{tempfile.gettempdir()}: cannot unpack: {error.strerror}") from error
        raise InvalidInput(
            f"truncated or damaged, cannot be unpacked: {one_line(error, 100)}; download it again"
        ) from error
    whole.flush()


def _parts(file: IO[bytes], table: str | None) -> Iterator[CatalogueTable]:
    start = file.read(BEGINNING)
    file.seek(0)
    for pattern, what in OTHERS.items():
        if re.match(pattern, start, re.IGNORECASE):
            raise InvalidInput(what)
    if start.startswith(b"SIMPLE  ="):
        yield from _fits_parts(file, table)
    elif b"<VOTABLE" in start or b":VOTABLE" in start:
        document = read_votable(file)
        name, element = _chosen(tables_of(document), table)
        yield from _slices(catalogue_table(document, name, element))
    elif table is not None:
        raise InvalidInput(f"--table {table}: only FITS files and VOTables contain several tables")
    elif start.startswith(b"# %ECSV"):
        with _decoded(file) as text:
            lines = text.read().splitlines()
        yield from _slices(CatalogueTable(text_tables.read(lines, format="ecsv")))
    else:
        with _decoded(file) as text:
            yield from _csv_parts(text)


def _chosen(tables: Sequence[tuple[int, str, Any]], wanted: str | None) -> tuple[str, Any]:
    """Return the only table with an empty name, or the table with the given name or number."""
    if not tables:
        raise InvalidInput("the file contains no table")
    if wanted is None and len(tables) == 1:
        return "", tables[0][2]
    names = ", ".join(f"{number} {name}".strip() for number, name, _ in tables)[:200]
    if wanted is None:
        raise InvalidInput(f"{len(tables)} tables ({names}); use --table NAME or --table NUMBER")
    found = [(name or str(number), one) for number, name, one in tables if wanted in (name, str(number))]
    if len(found) != 1:
        raise InvalidInput(f"--table {wanted}: expected one of {names}")
    return found[0]


@contextmanager
def _hdus(file: IO[bytes]) -> Iterator[fits.HDUList]:
    file.seek(0)
    hdus = fits.open(file, memmap=True)
    try:
        yield hdus
    finally:
        hdus.close(closed=False)


def _fits_parts(file: IO[bytes], table: str | None) -> Iterator[CatalogueTable]:
    first, rows = 0, 1
    while first < rows:
        # The file is opened for each part, so that its memory map is released.
        with _hdus(file) as hdus:
            name, hdu = _chosen(
                [
                    (number, one.name, one)
                    for number, one in enumerate(hdus)
                    if isinstance(one, fits.BinTableHDU | fits.TableHDU)
                    and not isinstance(one, fits.CompImageHDU)
                ],
                table,
            )
            rows = int(hdu.header["NAXIS2"])
            read = _ascii_rows if isinstance(hdu, fits.TableHDU) else _binary_rows
            part = read(file, hdu, first, min(first + ROWS, rows))
            yield CatalogueTable(part, _fits_frames(part, (hdu.header, hdus[0].header)), name)
        first += ROWS


def _fits_frames(part: Table, headers: tuple[Any, ...]) -> dict[str, Any]:
    try:
        stated = fits_frame(headers)
    except InvalidInput as error:
        return dict.fromkeys(part.colnames, str(error))
    return {} if stated is None else dict.fromkeys(part.colnames, stated)


def _binary_rows(_: IO[bytes], hdu: fits.BinTableHDU, first: int, end: int) -> Table:
    header = hdu.header.copy()
    # Astropy writes into comments from which columns it would construct objects.
    header.remove("COMMENT", ignore_missing=True, remove_all=True)
    table = Table.read(fits.BinTableHDU(data=hdu.data[first:end], header=header))
    for column in hdu.columns:
        if column.null is not None and (column.bscale or column.bzero):
            # Astropy compares the null value with the scaled numbers.
            null = float(column.null) * float(column.bscale or 1.0) + float(column.bzero or 0.0)
            values = np.ma.asarray(table[column.name])
            table[column.name] = np.ma.masked_where(np.isclose(values.data, null, rtol=1e-12), values)
    return table


def _ascii_rows(file: IO[bytes], hdu: fits.TableHDU, first: int, end: int) -> Table:
    """Return the columns as text, because astropy converts a blank or null number to 0."""
    header, width = hdu.header, int(hdu.header["NAXIS1"])
    file.seek(hdu.fileinfo()["datLoc"] + first * width)
    content = file.read((end - first) * width)
    if len(content) < (end - first) * width:
        raise InvalidInput("truncated table; download it again")
    table = Table()
    for number in range(1, int(header["TFIELDS"]) + 1):
        start, size = int(header[f"TBCOL{number}"]) - 1, re.search(r"\d+", header[f"TFORM{number}"])
        name = str(header.get(f"TTYPE{number}", f"col{number}")).strip()
        if size is None or start + int(size[0]) > width or name in table.colnames:
            raise InvalidInput(
                f"column {number} ({name}) of this ASCII table is invalid; correct its TBCOL, TFORM or TTYPE"
            )
        if header.get(f"TSCAL{number}", 1) != 1 or header.get(f"TZERO{number}", 0) != 0:
            raise InvalidInput(f"column {name} of this ASCII table is scaled; convert it to a binary table")
        cells = np.ndarray((end - first,), f"S{size[0]}", content, start, (width,))
        texts = np.char.strip(np.char.decode(cells, "ascii", "replace"))
        null = str(header.get(f"TNULL{number}", "")).strip()
        table[name] = np.where(texts == null, "", texts)
        table[name].unit = header.get(f"TUNIT{number}")
    return table


def _slices(table: CatalogueTable) -> Iterator[CatalogueTable]:
    for first in range(0, max(len(table.rows), 1), ROWS):
        yield CatalogueTable(table.rows[first : first + ROWS], table.frames, table.name)


@contextmanager
def _decoded(file: IO[bytes]) -> Iterator[io.TextIOWrapper]:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        yield text
    finally:
        text.detach()  # the opener of the file closes it


def _csv_parts(file: io.TextIOWrapper) -> Iterator[CatalogueTable]:
    """Yield the rows of a CSV file with all cells as text; numbers are recognised row by row."""
    try:
        before, header = _header_line(file)
        delimiter = max(DELIMITERS, key=header.count)
        names = _column_names(next(csv.reader([header], delimiter=delimiter, strict=True)))
        rows = csv.reader(file, delimiter=delimiter, strict=True)
        part = _csv_rows(rows, names, before)
        yield CatalogueTable(part)
        while len(part) == ROWS:
            part = _csv_rows(rows, names, before)
            yield CatalogueTable(part)
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise InvalidInput(
            f"not {READABLE} in UTF-8 (byte 0x{byte:02x}); convert text, e.g. with: iconv -f latin1 -t utf-8"
        ) from error
    except csv.Error as error:
        raise InvalidInput(f"invalid CSV: {error}") from error


def _header_line(file: io.TextIOWrapper) -> tuple[int, str]:
    """Return the first line that is neither blank nor a comment, and its line number."""
    for number in count(1):
        line = file.readline(LONGEST_LINE)
        if len(line) == LONGEST_LINE:
            raise InvalidInput(f"not {READABLE}: line {number} has no end")
        if line.strip() and not line.startswith("#"):
            return number, line
        if not line:
            break
    raise InvalidInput("no line with column names found; expected one without '#'")


def _column_names(fields: Sequence[str]) -> list[str]:
    names = [name.strip() for name in fields]
    if len(names) < 2:
        raise InvalidInput(f"not {READABLE}: {one_line(''.join(names), 60)!r} has no commas")
    if sum(bool(re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", name, re.IGNORECASE)) for name in names) > 1:
        raise InvalidInput(
            f"the first line without '#' is {one_line(','.join(names), 60)!r}; expected column names"
        )
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InvalidInput(f"two columns have the name {twice[0]!r}; rename one")
    return names


def _csv_rows(rows: Any, names: Sequence[str], before: int) -> Table:
    """Return the next rows; ``before`` is the number of lines up to the header."""
    cells = []
    for row in islice((row for row in rows if row), ROWS):
        if len(row) != len(names):
            raise InvalidInput(
                f"line {before + rows.line_num} has {len(row)} fields, the header {len(names)}; "
                "quote fields that contain commas"
            )
        if row[0].startswith("#"):
            raise InvalidInput(
                f"line {before + rows.line_num} starts with '#'; comments are only allowed before the header"
            )
        cells.append(row)
    columns = zip(*cells, strict=True) if cells else [()] * len(names)
    return Table([np.array(column, str) for column in columns], names=names)
