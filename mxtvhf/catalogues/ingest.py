"""Ingest a catalogue file atomically as a new version in the store."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from math import floor, log
from pathlib import Path

from mxtvhf import __version__
from mxtvhf.catalogues.bright import BRIGHT_XRAY
from mxtvhf.catalogues.brightness import flux_ladder
from mxtvhf.catalogues.columns import Choice, Mapped, map_columns
from mxtvhf.catalogues.healpix import ORDER
from mxtvhf.catalogues.model import SourceClass
from mxtvhf.catalogues.readers import read_parts
from mxtvhf.catalogues.rows import Evidence, convert
from mxtvhf.catalogues.version import (
    CatalogueVersion,
    ErrorClass,
    catalogue_folder,
    data_file,
    next_number,
    only_one,
    version_file,
)
from mxtvhf.errors import Failure, InvalidInput
from mxtvhf.models.files import sha256_of_file, write_atomically
from mxtvhf.models.text import escaped

COLUMNS = """error_class INT, healpix INT, ra REAL, dec REAL, r90 REAL,
name TEXT, identifiers TEXT, flux REAL, classification TEXT"""
SORT = """INSERT INTO made.source
SELECT error_class, healpix, ra, dec, r90, name, identifiers, flux, classification, number
FROM (
    SELECT *, row_number() OVER (PARTITION BY healpix, ra, dec, name ORDER BY number) AS copy FROM staged
)
WHERE copy = 1 ORDER BY error_class, healpix, number"""
CACHE_KIB = 65_536
SOURCES_PER_CELL = 4
"""Mean number of sources in the cells of the density count; the density is averaged over nine cells."""
FINEST_DENSITY_ORDER = 8


def add_catalogue(
    root: Path,
    file: Path,
    name: str,
    choice: Choice | None = None,
    *,
    reference: str | None = None,
    flux_band_kev: tuple[float, float] | None = None,
    contains: Sequence[SourceClass] = (),
    confirmed: bool = False,
) -> CatalogueVersion:
    """Ingest a catalogue file as the new current version of a catalogue.

    Parameters
    ----------
    root
        Folder of the store.
    file
        FITS, VOTable, CSV or ECSV.
    name
        Name of the catalogue.
    choice
        Options given by the user for its columns.
    reference
        Publication of the catalogue.
    flux_band_kev
        Energy band of its fluxes, keV.
    contains
        Classes of its sources; with several, the classification of each source decides.
    confirmed
        True to add the catalogue in spite of doubts.

    Raises
    ------
    InvalidInput
        The file has no usable source, a name, column, unit or frame is wrong, or there are unconfirmed
        doubts.
    Failure
        The store cannot be written.
    """
    choice = choice or Choice()
    if name == BRIGHT_XRAY:
        raise InvalidInput(f"catalogue {name}: reserved name of the package; choose another")
    folder = catalogue_folder(root, name)
    with (
        only_one(folder),
        _told_as_failure(folder),
        tempfile.TemporaryDirectory(dir=folder, prefix=".adding-") as work,
    ):
        number = next_number(root, name)
        part = Path(work) / "sources"
        with closing(_staging(Path(work) / "staging", part)) as database:
            mapped, evidence = _stage(database, file, choice)
            doubts = [*mapped.doubts, *evidence.doubts(mapped)]
            if doubts and not confirmed:
                raise InvalidInput(
                    f"{escaped(file)}: not added, uncertain: {'; '.join(doubts)}; confirm with --yes"
                )
            rows, unusable = evidence.rows, evidence.unusable
            sources, staged = _sort(database), rows - unusable.total()
            version = CatalogueVersion(
                catalogue=name,
                version=number,
                added=datetime.now(UTC),
                file=escaped(file.name),
                file_sha256=sha256_of_file(file),
                reference=reference or escaped(file.name),
                mapping=mapped.described() | evidence.described(),
                doubts=tuple(doubts),
                flux_band_kev=flux_band_kev,
                contains=tuple(dict.fromkeys(contains)),
                brightest=_brightest(database),
                rows=rows,
                unusable={reason: count for reason, count in unusable.items() if count},
                unusable_placed=_count(database, "made.unusable"),
                repeated=staged - sources,
                repeated_names=_repeated_names(database),
                sources=sources,
                error_classes=_error_classes(database),
                density_order=_count_density(database, sources),
                data_bytes=0,
                data_sha256="",
                software=__version__,
            )
        return _publish(root, part, version)


@contextmanager
def _told_as_failure(folder: Path) -> Iterator[None]:
    """Raise `Failure` if SQLite cannot write, e.g. on a full disk."""
    try:
        yield
    except sqlite3.Error as error:
        raise Failure(f"{folder}: cannot be written: {error}") from error


def _staging(path: Path, part: Path) -> sqlite3.Connection:
    """Open the database of unsorted rows, with the new database attached.

    Neither needs a journal, because both are discarded if anything fails.
    """
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("ATTACH ? AS made", (str(part),))
    for schema in ("main", "made"):
        database.execute(f"PRAGMA {schema}.journal_mode = OFF")
        database.execute(f"PRAGMA {schema}.synchronous = OFF")
        database.execute(f"PRAGMA {schema}.cache_size = -{CACHE_KIB}")
    database.execute("PRAGMA temp_store = FILE")
    database.execute(f"CREATE TABLE staged (number INTEGER PRIMARY KEY, {COLUMNS})")
    database.execute(
        f"CREATE TABLE made.source ({COLUMNS}, number INT,"
        " PRIMARY KEY (error_class, healpix, number)) WITHOUT ROWID"
    )
    database.execute("CREATE TABLE made.density (cell INTEGER PRIMARY KEY, sources INT)")
    database.execute("CREATE TABLE made.unusable (healpix INT, ra REAL, dec REAL)")
    database.execute("CREATE INDEX made.unusable_by_cell ON unusable (healpix)")
    return database


def _stage(database: sqlite3.Connection, file: Path, choice: Choice) -> tuple[Mapped, Evidence]:
    """Write all usable rows and the positions of the others; return the mapping and the evidence."""
    evidence, mapped = Evidence(), None
    database.execute("BEGIN")
    for table in read_parts(file, choice.table):
        try:
            mapped = mapped or map_columns(table, choice)
            rows = convert(table.rows, mapped, choice.default_r90_arcsec, evidence)
        except InvalidInput as error:
            raise InvalidInput(f"{escaped(file)}: {error}") from error
        database.executemany("INSERT INTO staged VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows.usable)
        database.executemany("INSERT INTO made.unusable VALUES (?, ?, ?)", rows.left_out)
    database.execute("COMMIT")
    if mapped is None or evidence.rows == 0:
        raise InvalidInput(f"{escaped(file)}: the table has no rows; nothing was added")
    if evidence.rows == evidence.unusable.total():
        why = ", ".join(f"{count} with {reason}" for reason, count in evidence.unusable.items() if count)
        raise InvalidInput(f"{escaped(file)}: no usable source in {evidence.rows} rows: {why}")
    return mapped, evidence


def _count(database: sqlite3.Connection, table: str) -> int:
    (count,) = database.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608  # a constant name
    return int(count)


def _sort(database: sqlite3.Connection) -> int:
    """Write the rows in sorted order, one per name and position; return their number."""
    database.execute("BEGIN")
    database.execute(SORT)
    database.execute("COMMIT")
    return _count(database, "made.source")


def _repeated_names(database: sqlite3.Connection) -> int:
    query = "SELECT count(*) FROM (SELECT 1 FROM made.source GROUP BY name HAVING count(*) > 1)"
    (count,) = database.execute(query).fetchone()
    return int(count)


def _brightest(database: sqlite3.Connection) -> tuple[float, ...]:
    rows = database.execute("SELECT flux FROM made.source WHERE flux > 0")
    return flux_ladder(flux for (flux,) in rows)


def _error_classes(database: sqlite3.Connection) -> tuple[ErrorClass, ...]:
    found = database.execute("SELECT error_class, max(r90) FROM made.source GROUP BY error_class")
    return tuple(ErrorClass(number=number, largest_r90_arcsec=largest) for number, largest in found)


def _count_density(database: sqlite3.Connection, sources: int) -> int:
    """Count the sources by cell; return the order of the cells."""
    order = min(max(floor(log(sources / (12 * SOURCES_PER_CELL), 4)), 0), FINEST_DENSITY_ORDER)
    database.execute(
        "INSERT INTO made.density SELECT healpix >> ? AS cell, count(*) FROM made.source GROUP BY cell",
        (2 * (ORDER - order),),
    )
    return order


def _publish(root: Path, part: Path, version: CatalogueVersion) -> CatalogueVersion:
    """Move the data file into place, then write the description of the version."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    whole = version.model_copy(
        update={"data_bytes": part.stat().st_size, "data_sha256": sha256_of_file(part)}
    )
    part.chmod(0o444)
    part.replace(data_file(root, version.catalogue, version.version))
    text = whole.model_dump_json(indent=1).encode() + b"\n"
    write_atomically(version_file(root, version.catalogue, version.version), text)
    return whole
