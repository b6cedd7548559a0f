"""Reading an input that a run names: a file URI, a path, or the alert's XML itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from mxtvhf.errors import InvalidInput
from mxtvhf.models.text import escaped

MAX_ALERT_BYTES = 1 << 20
MAX_PACKETS_BYTES = 1 << 28
_PIECE = 1 << 22
MAX_SHOWN = 400
"""Longest name of an input in a message; what should be a path may be anything."""


class TooLarge(InvalidInput):
    """An input over its limit; ``start`` holds the bytes up to the limit."""

    def __init__(self, message: str, start: bytes) -> None:
        super().__init__(message)
        self.start = start


def is_inline(text: str) -> bool:
    """Tell whether an ``alert`` holds the VOEvent itself instead of naming a file."""
    return text.lstrip("\ufeff \t\r\n").startswith("<")


def local_path(uri: str, roots: Sequence[Path]) -> Path:
    """Return the file that a URI or path names.

    Parameters
    ----------
    uri
        ``file:///...`` or an absolute path; no other scheme is read.
    roots
        Folders (resolved) below which the file must lie, links followed.

    Raises
    ------
    InvalidInput
        Another scheme or host, a file outside the roots, no regular file, or a path that the system refuses
        (too long, a loop of links, no permission).
    """
    shown = repr(uri if len(uri) <= MAX_SHOWN else uri[:MAX_SHOWN] + "...")
    try:
        path = _named_path(uri).resolve()
        if not any(path.is_relative_to(root) for root in roots):
            raise InvalidInput(f"outside the folders that may be read ({', '.join(map(str, roots))})")
        if path.is_symlink():  # before Python 3.13, `resolve` raises a RuntimeError for it
            raise InvalidInput("a loop of links")
        if not path.is_file():
            raise InvalidInput("no such file")
    except InvalidInput as error:
        raise InvalidInput(f"{shown}: {error}") from None
    except (OSError, RuntimeError, ValueError) as error:
        cause = (error.strerror if isinstance(error, OSError) else None) or f"no usable path ({error})"
        raise InvalidInput(f"{shown}: {cause}") from error
    return path


def read_limited(path: Path, limit: int) -> bytes:
    """Return a file's bytes.

    Raises
    ------
    TooLarge
        The file is larger than ``limit`` bytes; the error holds the bytes up to the limit.
    InvalidInput
        The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return read_open_file(file, limit, name=escaped(path))
    except OSError as error:
        raise InvalidInput(f"{escaped(path)}: cannot be read: {error.strerror}") from error


def read_open_file(file: BinaryIO, limit: int, *, name: str) -> bytes:
    """Return the bytes of an open file.

    Raises
    ------
    TooLarge
        As `read_limited`.
    OSError
        The file cannot be read.
    """
    raw, more = b"".join(_pieces(file, limit)), file.read(1)
    if more:
        raise TooLarge(f"{name}: larger than {limit} bytes", raw)
    return raw


def _pieces(file: BinaryIO, limit: int) -> Iterator[bytes]:
    """Yield what a file holds up to the limit; asked for all at once, Python takes room for the limit."""
    while limit and (piece := file.read(min(limit, _PIECE))):
        limit -= len(piece)
        yield piece


def source_bytes(source: str, limit: int, roots: Sequence[Path]) -> bytes:
    """Return the bytes of an input: the text itself where it is XML, else the file's that it names.

    Raises
    ------
    InvalidInput
        As `local_path` and `read_limited`, or the text holds half of a surrogate pair.
    """
    if not is_inline(source):
        return read_limited(local_path(source, roots), limit)
    try:
        return source.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(f"inline alert: character {error.start} is no Unicode character") from None


def source_name(source: str) -> str:
    """Return what messages call an input."""
    return "inline alert" if is_inline(source) else escaped(source, MAX_SHOWN)


def _named_path(uri: str) -> Path:
    parts = urlsplit(uri) if "://" in uri or uri.startswith("file:") else None
    if parts is not None and (parts.scheme != "file" or parts.netloc not in ("", "localhost")):
        raise InvalidInput("only local files are read (file:///... or an absolute path)")
    # A name need not be UTF-8: `Path.as_uri` quotes its bytes, and they come back as the same name.
    named = unquote(parts.path, errors="surrogateescape") if parts is not None else uri
    if "\0" in named or not Path(named).is_absolute():
        raise InvalidInput("not an absolute path or file URI")
    return Path(named)
