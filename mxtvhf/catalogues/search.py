"""Search the data file of a catalogue version, an SQLite database that is written once.

The sources are sorted by (error class, HEALPix cell), so that a cone is a few short ranges. An error class
contains 90 % radii within a factor of 4, so that the few sources with large errors do not widen the search of
the others. Sources are also counted in coarse cells, which gives the local density.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from heapq import nsmallest
from itertools import count
from pathlib import Path
from typing import NamedTuple

from mxtvhf.catalogues.brightness import as_bright
from mxtvhf.catalogues.healpix import cell_area_deg2, cone_ranges, surroundings
from mxtvhf.catalogues.model import CatalogueSource
from mxtvhf.catalogues.version import CatalogueVersion
from mxtvhf.errors import Failure
from mxtvhf.models.angles import WHOLE_SKY_DEG2, separation_arcsec
from mxtvhf.models.files import sha256_of_file

ADVICE = "restore it or add it again"
"""What to do with a missing or damaged data file."""

HASHED_BYTES = 1 << 24
"""Largest file whose digest is checked before a process reads it (20 ms). For larger files only the size is
checked, and SQLite detects structural damage; ``mxtvhf catalogue list --check`` checks all bytes."""

_CHECKED: set[tuple[str, int, str]] = set()

SEARCH = """SELECT ra, dec, r90, name, identifiers, flux, classification FROM source
WHERE error_class = ? AND healpix >= ? AND healpix < ?"""

Row = tuple[float, float, float, str, str, float | None, str | None]
"""RA, Dec, R90, name, identifiers (JSON or empty), flux, classification."""


class Found(NamedTuple):
    """Search result of a catalogue."""

    sources: tuple[CatalogueSource, ...]
    """Sources, nearest first."""
    omitted: int
    """Number of farther sources."""
    density_per_deg2: float
    unusable_here: int
    """Number of unusable rows inside the cone, see `CatalogueAnswer`."""


def search(
    path: Path, version: CatalogueVersion, ra_deg: float, dec_deg: float, radius_arcsec: float, limit: int
) -> Found:
    """Find the sources whose error circle overlaps a cone.

    Parameters
    ----------
    path, version
        Data file and its description.
    ra_deg, dec_deg, radius_arcsec
        Cone: centre in degrees ICRS, radius in arcsec.
    limit
        Largest number of sources; the nearest are returned.

    Raises
    ------
    Failure
        The file is damaged or missing.
    """
    _check_once(path, version)
    cone = ra_deg, dec_deg, radius_arcsec
    numbers = count()  # unique numbers, so that rows with equal distances are never compared
    # Immutable: SQLite takes no locks and looks for no journal.
    address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True)) as database:
            found = ((distance, next(numbers), row) for distance, row in _reaching(database, version, *cone))
            nearest = nsmallest(limit, found)
            density = _density(database, version, ra_deg, dec_deg)
            unusable = _unusable_here(database, version, *cone)
    except sqlite3.Error as error:
        raise Failure(f"{path}: damaged: {error}; {ADVICE}") from error
    about = version.catalogue, version.reference, version.flux_band_kev
    sources = tuple(
        source_of(row, *about).model_copy(update={"brighter_per_deg2": _as_bright(row[5], version, density)})
        for _, _, row in nearest
    )
    return Found(sources, next(numbers) - len(nearest), density, unusable)


def source_of(
    row: Row, catalogue: str, reference: str, flux_band_kev: tuple[float, float] | None
) -> CatalogueSource:
    """Convert a catalogue row to a source.

    Parameters
    ----------
    row
        Row of the data file.
    catalogue
        Name of the catalogue.
    reference
        Publication of the catalogue.
    flux_band_kev
        Energy band of the fluxes, keV; None: unknown.
    """
    ra, dec, r90, name, identifiers, flux, classification = row
    return CatalogueSource(
        catalogue=catalogue,
        name=name,
        identifiers=tuple(json.loads(identifiers)) if identifiers else (),
        ra_deg=ra,
        dec_deg=dec,
        r90_arcsec=r90,
        flux=flux,
        flux_band_kev=None if flux is None else flux_band_kev,
        classification=classification,
        reference=reference,
    )


def check(path: Path, version: CatalogueVersion, *, thorough: bool) -> None:
    """Check the size, and optionally the digest, of a data file.

    Parameters
    ----------
    path
        Data file.
    version
        Description that gives the expected size and digest.
    thorough
        True: also compare the digest, which reads the whole file.

    Raises
    ------
    Failure
        The size or digest differs, or the file is missing.
    """
    if not path.is_file():
        raise Failure(f"{path}: missing; {ADVICE}")
    if (size := path.stat().st_size) != version.data_bytes:
        raise Failure(f"{path}: damaged: {size} of {version.data_bytes} bytes; {ADVICE}")
    if thorough and sha256_of_file(path) != version.data_sha256:
        raise Failure(f"{path}: damaged: its content has changed; {ADVICE}")


def _check_once(path: Path, version: CatalogueVersion) -> None:
    """Check a file; its content only once per process and state of the file."""
    check(path, version, thorough=False)
    seen = str(path), path.stat().st_mtime_ns, version.data_sha256
    if version.data_bytes <= HASHED_BYTES and seen not in _CHECKED:
        check(path, version, thorough=True)
        _CHECKED.add(seen)


def _reaching(
    database: sqlite3.Connection, version: CatalogueVersion, ra_deg: float, dec_deg: float, radius: float
) -> Iterator[tuple[float, Row]]:
    """Yield the sources whose error circle overlaps a cone, and their distances, arcsec."""
    for group in version.error_classes:
        reach_deg = (radius + group.largest_r90_arcsec) / 3600.0
        for first, end in cone_ranges(ra_deg, dec_deg, reach_deg):
            for row in database.execute(SEARCH, (group.number, first, end)):
                distance = separation_arcsec(ra_deg, dec_deg, row[0], row[1])
                if distance - row[2] <= radius:
                    yield distance, row


def _unusable_here(
    database: sqlite3.Connection, version: CatalogueVersion, ra_deg: float, dec_deg: float, radius: float
) -> int:
    """Count the unusable rows inside a cone."""
    if not version.unusable_placed:
        return 0
    return sum(
        separation_arcsec(ra_deg, dec_deg, *place) <= radius
        for cells in cone_ranges(ra_deg, dec_deg, radius / 3600.0)
        for place in database.execute(
            "SELECT ra, dec FROM unusable WHERE healpix >= ? AND healpix < ?", cells
        )
    )


def _as_bright(flux: float | None, version: CatalogueVersion, density: float) -> float | None:
    """Return the local density of sources that are at least as bright, per square degree."""
    if not flux or not version.brightest:
        return None
    return density * min(as_bright(flux, version.brightest) / version.sources, 1.0)


def _density(database: sqlite3.Connection, version: CatalogueVersion, ra_deg: float, dec_deg: float) -> float:
    around = surroundings(ra_deg, dec_deg, version.density_order)
    marks = ",".join("?" * len(around))
    # Only question marks are inserted into the text.
    query = f"SELECT coalesce(sum(sources), 0) FROM density WHERE cell IN ({marks})"  # noqa: S608
    (number,) = database.execute(query, around).fetchone()
    local = number / (len(around) * cell_area_deg2(version.density_order))
    return float(max(local, version.sources / WHOLE_SKY_DEG2))
