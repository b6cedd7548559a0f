"""The backup file, a compressed tar that ends with a manifest of the SHA-256 of every other part.

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
    """The table of contents of a backup."""

    made: AwareDatetime
    """Time just before the database snapshot."""
    version: str
    """Version of MXT-VHF."""
    airflow: str
    """Version of Airflow, which determines its tables."""
    home: str
    """Path of the saved state folder; archived inputs and runs refer to their files by it."""
    with_secrets: bool
    database: DatabaseDump
    sha256: Mapping[str, str]
    """SHA-256 of each part, by its name in the tar."""


class Hashing:
    """A file reader that computes the SHA-256 of the bytes it has read."""

    def __init__(self, file: BinaryIO | IO[bytes]) -> None:
        self._file, self._hash = file, hashlib.sha256()

    def read(self, size: int) -> bytes:
        """Read up to ``size`` bytes."""
        piece = self._file.read(size)
        self._hash.update(piece)
        return piece

    def hexdigest(self) -> str:
        """Return the SHA-256 of all bytes read so far."""
        return self._hash.hexdigest()


class PackageWriter:
    """Writer of the parts of a backup."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self.sha256: dict[str, str] = {}

    def add(self, path: Path, name: str) -> None:
        """Add a file. A file that was removed meanwhile or added before is skipped.

        A file that grows while it is read is saved with its initial length.
        """
        if name in self.sha256:
            return
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return
        with file:
            part, hashing = self._tar.gettarinfo(arcname=name, fileobj=file), Hashing(file)
            self._tar.addfile(part, hashing)  # type: ignore[arg-type]  # addfile only calls read
        self.sha256[name] = hashing.hexdigest()

    def finish(self, manifest: Manifest) -> None:
        """Add the manifest."""
        content = manifest.model_dump_json(indent=1).encode() + b"\n"
        part = tarfile.TarInfo(MANIFEST)
        part.size = len(content)
        self._tar.addfile(part, io.BytesIO(content))


def read_manifest(path: Path) -> Manifest:
    """Read a whole backup, verify every part and return the manifest.

    Raises
    ------
    InvalidInput
        The file is not a backup, or it is damaged.
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
        raise InvalidInput(
            f"{path}: not a backup or a truncated one: {MANIFEST} is missing at its end; use another backup"
        )
    try:
        check_version(manifest, Manifest.current_version(), name=f"{path}: {MANIFEST}")
        read = Manifest.model_validate_json(manifest, extra="ignore")
    except ValidationError as error:
        raise InvalidInput(
            f"{path}: not a backup of MXT-VHF: {MANIFEST}: {first_error(error)}; use another file"
        ) from None
    _check_parts(path, read.sha256, found)
    return read


def extract(path: Path, folder: Path) -> None:
    """Extract all parts of a backup into a folder. Verify the backup with `read_manifest` before."""
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
            raise InvalidInput(f"{path}: not a backup of MXT-VHF: unexpected part {name!r}; use another file")
        if wanted.get(name) != found.get(name):
            cause = "is missing" if name not in found else "does not match its SHA-256"
            raise InvalidInput(f"{path}: damaged backup: {name} {cause}; use another backup")


@contextmanager
def _parts(path: Path) -> Iterator[Iterator[tuple[tarfile.TarInfo, IO[bytes]]]]:
    """Yield an iterator over the parts of a tar, each of which must be read before the next one."""
    try:
        with tarfile.open(path, "r|gz") as tar:
            yield _files(path, tar)
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise InvalidInput(f"{path}: not a backup or a damaged one: {error}; use another backup") from None


def _files(path: Path, tar: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    for part in tar:
        file = tar.extractfile(part) if part.isreg() else None
        if file is None:
            raise InvalidInput(
                f"{path}: not a backup of MXT-VHF: the part {part.name!r} is not a regular file; "
                "use another file"
            )
        yield part, file
