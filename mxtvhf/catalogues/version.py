"""One catalogue as ingested: what is known of it, and where it lies.

::

    catalogues/<name>/<version>.json      what was ingested, from what, how; names the data file's digest
    catalogues/<name>/<version>.sqlite    its sources, see ``mxtvhf.catalogues.search``

The JSON file is written last: a version without it does not exist. Neither file is ever changed; the largest
number is the version in use, the others can still be asked for.
"""

from __future__ import annotations

import fcntl
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import AwareDatetime

from mxtvhf.errors import Failure, InvalidInput
from mxtvhf.models.base import Model, NonNegative
from mxtvhf.models.kept import KeptModel, read_kept

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
"""Of a catalogue; it is also a folder's name."""


class ErrorClass(Model):
    """Sources of similar position errors: a cone must be wider by the largest of them."""

    number: int
    largest_r90_arcsec: NonNegative


class CatalogueVersion(KeptModel):
    """What was ingested, when, and how; its schema version is that of the file with the sources, too."""

    catalogue: str
    version: int
    added: AwareDatetime
    file: str
    """Name of the file that was ingested."""
    file_sha256: str
    reference: str
    """Where the catalogue was published, as the user said; else the file's name."""
    mapping: dict[str, str]
    """What was read -> from which column, in which unit, by which conversion."""
    doubts: tuple[str, ...] = ()
    """What was not certain of it, and was confirmed."""
    flux_band_kev: tuple[float, float] | None = None
    brightest: tuple[float, ...] = ()
    """Flux of the 1st, 2nd, 4th, 8th, ... brightest source, erg/cm2/s; empty without fluxes, and in versions
    older than this field."""
    rows: int
    """In the file."""
    unusable: dict[str, int]
    """Why rows were left out -> how many."""
    unusable_placed: int | None = None
    """How many of them have a position, which is kept; None: written by a version that kept none of them."""
    repeated: int
    """Rows left out since name and position stood there already."""
    repeated_names: int
    """Names that stand at more than one position; all of them were kept."""
    sources: int
    """Kept."""
    error_classes: tuple[ErrorClass, ...]
    density_order: int
    """HEALPix order of the cells by which sources were counted."""
    data_bytes: int
    data_sha256: str
    software: str
    """Version of this software that ingested it."""

    @property
    def unusable_anywhere(self) -> int:
        """How many rows were left out whose position is not kept."""
        return sum(self.unusable.values()) - (self.unusable_placed or 0)


def catalogue_folder(root: Path, name: str) -> Path:
    """Return the folder of a catalogue.

    Raises
    ------
    InvalidInput
        The name is none.
    """
    if not NAME.fullmatch(name):
        raise InvalidInput(f"catalogue {name!r}: a name has letters, digits and ._+- only, 64 at most")
    return root / name


def data_file(root: Path, name: str, version: int) -> Path:
    """Return where the sources of a version are."""
    return catalogue_folder(root, name) / f"{version}.sqlite"


def version_file(root: Path, name: str, version: int) -> Path:
    """Return where it says what a version is."""
    return catalogue_folder(root, name) / f"{version}.json"


def removed_file(root: Path, name: str, version: int) -> Path:
    """Return the file that says that a version was removed."""
    return catalogue_folder(root, name) / f"{version}.removed"


def disabled_file(root: Path, name: str) -> Path:
    """Return the file that exists while a catalogue is not asked."""
    return catalogue_folder(root, name) / "disabled"


def next_number(root: Path, name: str) -> int:
    """Return the version that the next file added will be: no number is given twice."""
    files = catalogue_folder(root, name).iterdir()
    used = [
        int(path.stem) for path in files if path.suffix in (".json", ".removed") and path.stem.isdecimal()
    ]
    return max(used, default=0) + 1


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Keep others from changing a catalogue meanwhile; remove what one that was killed left."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in folder.glob(".adding-*"):
            shutil.rmtree(left)
        yield


def version_numbers(root: Path, name: str) -> list[int]:
    """Return the versions of a catalogue, oldest first; none when there is no such catalogue."""
    folder = catalogue_folder(root, name)
    return sorted(int(path.stem) for path in folder.glob("*.json") if path.stem.isdecimal())


def catalogue_names(root: Path) -> list[str]:
    """Return the names of all catalogues below a folder that may not exist."""
    if not root.is_dir():
        return []
    names = sorted(path.name for path in root.iterdir() if path.is_dir() and NAME.fullmatch(path.name))
    return [name for name in names if version_numbers(root, name)]


def read_version(root: Path, name: str, version: int) -> CatalogueVersion:
    """Read what is known of a version.

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
