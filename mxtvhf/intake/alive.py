"""The file by which an intake shows that it works."""

from __future__ import annotations

from pathlib import Path


def alive_file(archive_root: Path) -> Path:
    """Return the path of the file that every intake round touches. Its age shows whether an intake runs."""
    return archive_root / "alive"
