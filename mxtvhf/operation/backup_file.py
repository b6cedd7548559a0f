"""The file of a backup: a compressed tar, at its end a manifest with the SHA-256 of every other part.

::

    database/<table>.copy      the rows of a table
    state/<path>               a file of the state folder
    secrets/<name>             a file with a secret that the configuration file names
    manifest.json
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from pydantic import AwareDatetime, ValidationError

from mxtvhf.errors import InvalidInput
from mxtvhf.models.kept import KeptModel, check_version, first_error
from mxtvhf.operation.database_dump import DatabaseDump

MANIFEST = "manifest.json"
DATABASE, STATE, SECRETS = "database", "state", "secrets"
_PIECE = 1 << 20


class Manifest(KeptModel):
    """What a backup holds."""

    made: AwareDatetime
    """Just before the database's snapshot."""
    version: str
    """Of MXT-VHF."""
    airflow: str
    """Version of Airflow, and so of its tables."""
    home: str
    """The state folder that was saved; kept inputs and runs name their files by it."""
    with_secrets: bool
    database: DatabaseDump
    sha256: Mapping[str, str]
    """Of each part, by its name in the tar."""


class Hashing:
    """A file that is read through, and the SHA-256 of what was read."""

    def __init__(self, file: BinaryIO | IO[bytes]) -> None:
        self._file, self._hash = file, hashlib.sha256()

    def read(self, size: int) -> bytes:
        """Read on."""
        piece = self._file.read(size)
        self._hash.update(piece)
        return piece

    def hexdigest(self) -> str:
        """SHA-256 of all that was read."""
        return self._hash.hexdigest()


class PackageWriter:
    """Writes the parts of a backup one after the other."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self.sha256: dict[str, str] = {}

    def add(self, path: Path, name: str) -> None:
        """Add a file as it is now; one that was removed meanwhile, or is there already, is left out.

        A file that only grows is taken as long as it was at first.
        """
        if name in self.sha256:
            return
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return
        with file:
            part, hashing = self._tar.gettarinfo(arcname=name, fileobj=file), Hashing(file)
            self._tar.addfile(part, hashing)  # type: ignore[arg-type]  # it only reads
        self.sha256[name] = hashing.hexdigest()

    def finish(self, manifest: Manifest) -> None:
        """Add the manifest."""
        content = manifest.model_dump_json(indent=1).encode() + b"\n"
        part = tarfile.TarInfo(MANIFEST)
        part.size = len(content)
        self._tar.addfile(part, io.BytesIO(content))


def read_manifest(path: Path) -> Manifest:
    """Read a backup to its end and return its manifest when every part is as it was written.

    Raises
    ------
    InvalidInput
        It is no backup, or damaged.
    """
    found: dict[str, str] = {}
    manifest: bytes | None = None
    with _parts(path) as parts:
        for part, file in parts:
            if part.name == MANIFEST:
                manifest = file.read()
                continue
            hashing = Hashing(file)
            while hashing.read(_PIECE):
                pass
            found[part.name] = hashing.hexdigest()
    if manifest is None:
        raise InvalidInput(f"{path}: damaged backup, or none: there is no {MANIFEST} at its end")
    try:
        check_version(manifest, Manifest.current_version(), name=f"{path}: {MANIFEST}")
        read = Manifest.model_validate_json(manifest, extra="ignore")
    except ValidationError as error:
        raise InvalidInput(f"{path}: no backup: {MANIFEST}: {first_error(error)}") from None
    _check_parts(path, read.sha256, found)
    return read


def extract(path: Path, folder: Path) -> None:
    """Write all parts of a backup that `read_manifest` found sound below a folder, by their names."""
    with _parts(path) as parts:
        for part, file in parts:
            if part.name == MANIFEST:
                continue
            target = folder / part.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch(mode=part.mode & 0o777)
            with target.open("wb") as out:
                shutil.copyfileobj(file, out, _PIECE)
            os.utime(target, (part.mtime, part.mtime))


def _check_parts(path: Path, wanted: Mapping[str, str], found: Mapping[str, str]) -> None:
    for name in sorted(wanted.keys() | found.keys()):
        inside = PurePosixPath(name)
        top = inside.parts[:1]
        if inside.is_absolute() or ".." in inside.parts or top not in ((DATABASE,), (STATE,), (SECRETS,)):
            raise InvalidInput(f"{path}: no backup: a part is named {name!r}")
        if wanted.get(name) != found.get(name):
            cause = "is missing" if name not in found else "is not as it was written"
            raise InvalidInput(f"{path}: damaged backup: {name} {cause}")


@contextmanager
def _parts(path: Path) -> Iterator[Iterator[tuple[tarfile.TarInfo, IO[bytes]]]]:
    """Give the parts of a tar in their order, each read before the next one; damage met is named."""
    try:
        with tarfile.open(path, "r|gz") as tar:
            yield _files(path, tar)
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise InvalidInput(f"{path}: damaged backup, or none: {error}") from None


def _files(path: Path, tar: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    for part in tar:
        file = tar.extractfile(part) if part.isreg() else None
        if file is None:
            raise InvalidInput(f"{path}: no backup: {part.name!r} is no file")
        yield part, file
