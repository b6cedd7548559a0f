"""Version of an ingested catalogue: its description and its files.

::

    catalogues/<name>/<version>.json      description: source file, mapping, digest of the data file
    catalogues/<name>/<version>.sqlite    sources, see ``mxtvhf.catalogues.search``

The JSON file is written last, so a version without it does not exist. Neither file is ever changed. The
largest number is the current version; older versions can still be searched by name.
"""

from __future__ import annotations

import fcntl
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import AwareDatetime

from mxtvhf.catalogues.model import SourceClass
from mxtvhf.errors import Failure, InvalidInput
from mxtvhf.models.base import Model, NonNegative
from mxtvhf.models.kept import KeptModel, read_kept

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
"""Pattern of a catalogue name, which is also a folder name."""


class ErrorClass(Model):
    """Sources with similar position errors; a search cone is widened by the largest of them."""

    number: int
    largest_r90_arcsec: NonNegative


class CatalogueVersion(KeptModel):
    """Description of an ingested version; its schema version also applies to the data file."""

    catalogue: str
    version: int
    added: AwareDatetime
    file: str
    """Name of the ingested file."""
    file_sha256: str
    reference: str
    """Publication of the catalogue as given by the user; else the file name."""
    mapping: dict[str, str]
    """Column, unit and conversion of each role."""
    doubts: tuple[str, ...] = ()
    """Doubts that the user confirmed."""
    flux_band_kev: tuple[float, float] | None = None
    contains: tuple[SourceClass, ...] = ()
    """Classes of its sources according to the user; empty if not given and in older versions."""
    brightest: tuple[float, ...] = ()
    """Flux of the 1st, 2nd, 4th, 8th, ... brightest source, erg/cm2/s; empty without fluxes and in older
    versions."""
    rows: int
    """Number of rows in the file."""
    unusable: dict[str, int]
    """Number of ignored rows by reason."""
    unusable_placed: int | None = None
    """Number of ignored rows with a stored position; None if written by a version that stored none."""
    repeated: int
    """Number of rows ignored because name and position repeat an earlier row."""
    repeated_names: int
    """Number of names with more than one position; all of these rows were stored."""
    sources: int
    """Number of stored sources."""
    error_classes: tuple[ErrorClass, ...]
    density_order: int
    """HEALPix order of the cells of the density count."""
    data_bytes: int
    data_sha256: str
    software: str
    """Software version that ingested the catalogue."""

    @property
    def unusable_anywhere(self) -> int:
        """Number of ignored rows whose position is not stored."""
        return sum(self.unusable.values()) - (self.unusable_placed or 0)


def catalogue_folder(root: Path, name: str) -> Path:
    """Return the folder of a catalogue.

    Parameters
    ----------
    root
        Folder of the catalogue store.
    name
        Catalogue.

    Raises
    ------
    InvalidInput
        The name is invalid.
    """
    if not NAME.fullmatch(name):
        raise InvalidInput(f"catalogue {name!r}: invalid name; expected at most 64 letters, digits and ._+-")
    return root / name


def data_file(root: Path, name: str, version: int) -> Path:
    """Return the path of the data file of a version.

    Parameters
    ----------
    root
        Folder of the catalogue store.
    name
        Catalogue.
    version
        Version number, from 1.
    """
    return catalogue_folder(root, name) / f"{version}.sqlite"


def version_file(root: Path, name: str, version: int) -> Path:
    """Return the path of the description of a version.

    Parameters
    ----------
    root
        Folder of the catalogue store.
    name
        Catalogue.
    version
        Version number, from 1.
    """
    return catalogue_folder(root, name) / f"{version}.json"


def removed_file(root: Path, name: str, version: int) -> Path:
    """Return the path of the file that marks a removed version.

    Parameters
    ----------
    root
        Folder of the catalogue store.
    name
        Catalogue.
    version
        Version number, from 1.
    """
    return catalogue_folder(root, name) / f"{version}.removed"


def disabled_file(root: Path, name: str) -> Path:
    """Return the path of the file that exists while a catalogue is disabled.

    Parameters
    ----------
    root
        Folder of the catalogue store.
    name
        Catalogue.
    """
    return catalogue_folder(root, name) / "disabled"


def next_number(root: Path, name: str) -> int:
    """Return the number of the next version; numbers are never reused.

    Parameters
    ----------
    root
        Folder of the catalogue store.
    name
        Catalogue.
    """
    files = catalogue_folder(root, name).iterdir()
    used = [
        int(path.stem) for path in files if path.suffix in (".json", ".removed") and path.stem.isdecimal()
    ]
    return max(used, default=0) + 1


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Lock a catalogue for changes, and remove leftovers of a killed process.

    Parameters
    ----------
    folder
        Folder of the catalogue; it is made if it does not exist.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in folder.glob(".adding-*"):
            shutil.rmtree(left)
        yield


def version_numbers(root: Path, name: str) -> list[int]:
    """Return the versions of a catalogue, oldest first; empty if the catalogue does not exist.

    Parameters
    ----------
    root
        Folder of the catalogue store.
    name
        Catalogue.
    """
    folder = catalogue_folder(root, name)
    return sorted(int(path.stem) for path in folder.glob("*.json") if path.stem.isdecimal())


def catalogue_names(root: Path) -> list[str]:
    """Return the names of all catalogues in a folder, which need not exist.

    Parameters
    ----------
    root
        Folder of the catalogue store.
    """
    if not root.is_dir():
        return []
    names = sorted(path.name for path in root.iterdir() if path.is_dir() and NAME.fullmatch(path.name))
    return [name for name in names if version_numbers(root, name)]


def read_version(root: Path, name: str, version: int) -> CatalogueVersion:
    """Read the description of a version.

    Parameters
    ----------
    root
        Folder of the catalogue store.
    name
        Catalogue.
    version
        Version number, from 1.

    Raises
    ------
    Failure
        The file is damaged, or was written by a later version of this software.
    """
    path = version_file(root, name, version)
    try:
        return read_kept(path, CatalogueVersion)
    except InvalidInput as error:
        raise Failure(str(error)) from None
