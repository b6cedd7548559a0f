"""Atomic writing of files, digests and file names."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path


def write_atomically(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write a file atomically: it is complete or absent, also after a crash.

    Parameters
    ----------
    path
        Final path; a missing folder is created.
    content
        Content of the file.
    mode
        Permissions; use 0o600 for a secret.
    """
    _write(path, content, mode, lambda temporary: temporary.replace(path))


def write_once(path: Path, content: bytes) -> bool:
    """Write a file atomically, but never over an existing one; return True if it was written."""
    if path.exists():
        return False
    try:
        _write(path, content, 0o644, lambda temporary: os.link(temporary, path))
    except FileExistsError:
        return False
    return True


def _write(path: Path, content: bytes, mode: int, give_name: Callable[[Path], object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        give_name(temporary)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the directory entries of a folder durable."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def sha256_of(content: bytes) -> str:
    """Return the hexadecimal SHA-256 of bytes."""
    return hashlib.sha256(content).hexdigest()


def sha256_of_file(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file of any size."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def safe_name(text: str) -> str:
    """Return a safe file name: letters, digits and ``._~:+-`` stay, others become ``_``; no leading dot."""
    return re.sub(r"[^A-Za-z0-9._~:+-]", "_", text).lstrip(".")[:200] or "_"


def changed_at(path: Path | str) -> float | None:
    """Return the modification time of a file or folder, POSIX seconds; None if it does not exist."""
    try:
        return os.stat(path).st_mtime
    except (FileNotFoundError, NotADirectoryError):
        return None


def file_inside(folder: Path, name: str) -> Path | None:
    """Return a file of a folder or of its subfolders; None if no file has this name.

    No name leads outside the folder: neither ``..``, an absolute path nor a link.
    """
    if "\0" in name:
        return None
    try:
        path = (folder / name).resolve()
        is_ours = path.is_file() and path.is_relative_to(folder.resolve())
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return None
        raise
    return path if is_ours else None
