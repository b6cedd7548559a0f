"""Files: written whole or not at all, and their names."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path


def write_atomically(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write a file so that it is seen complete or not at all, also after a crash.

    Parameters
    ----------
    path
        Final name; its folder is made when it is missing.
    content
        All bytes of the file.
    mode
        Its permissions; those of a secret are 0o600.
    """
    _write(path, content, mode, lambda temporary: temporary.replace(path))


def write_once(path: Path, content: bytes) -> bool:
    """Write a file as `write_atomically` does, but never over another; tell whether it was written."""
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
    """Make the names in a folder durable."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def sha256_of(content: bytes) -> str:
    """Return the hexadecimal SHA-256 of some bytes."""
    return hashlib.sha256(content).hexdigest()


def sha256_of_file(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file of any size."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def safe_name(text: str) -> str:
    """Text as a file name: all but letters, digits and ``._~:+-`` becomes ``_``; never starts with a dot."""
    return re.sub(r"[^A-Za-z0-9._~:+-]", "_", text).lstrip(".")[:200] or "_"


def changed_at(path: Path) -> float | None:
    """Return when a file or folder was changed, POSIX seconds; None when another process has removed it."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return None
