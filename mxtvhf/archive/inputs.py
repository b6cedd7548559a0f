"""Read an input given by a run: a file URI, a path, or the XML of the alert itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from mxtvhf.errors import InvalidInput
from mxtvhf.models.input_folders import InputFolders
from mxtvhf.models.text import escaped

MAX_ALERT_BYTES = 1 << 20
MAX_PACKETS_BYTES = 1 << 28
_PIECE = 1 << 22
MAX_SHOWN = 400
"""Longest name of an input in a message, since the given path may be arbitrary text."""


class TooLarge(InvalidInput):
    """An input that exceeds its size limit; ``start`` holds the bytes up to the limit."""

    def __init__(self, message: str, start: bytes) -> None:
        super().__init__(message)
        self.start = start


def is_inline(text: str) -> bool:
    """Return True if ``alert`` holds the VOEvent itself instead of a file name."""
    return text.lstrip("\ufeff \t\r\n").startswith("<")


def local_path(uri: str, folders: InputFolders) -> Path:
    """Return the file given by a URI or path.

    Parameters
    ----------
    uri
        ``file:///...`` or an absolute path; other schemes are not supported.
    folders
        Folders below which the file must lie after following links.

    Raises
    ------
    InvalidInput
        The scheme or host is not supported, the file lies elsewhere or is not a regular file, or the
        system rejects the path (too long, a loop of links, no permission).
    """
    shown = repr(uri if len(uri) <= MAX_SHOWN else uri[:MAX_SHOWN] + "...")
    try:
        path = _named_path(uri).resolve()
        folders.check(path)
        if path.is_symlink():  # before Python 3.13, `resolve` raises a RuntimeError for a loop
            raise InvalidInput("a loop of links; expected a file")
        if not path.is_file():
            raise InvalidInput("no such file")
    except InvalidInput as error:
        raise InvalidInput(f"{shown}: {error}") from None
    except (OSError, RuntimeError, ValueError) as error:
        cause = (error.strerror if isinstance(error, OSError) else None) or f"invalid path ({error})"
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
        Same as for `read_limited`.
    OSError
        The file cannot be read.
    """
    raw, more = b"".join(_pieces(file, limit)), file.read(1)
    if more:
        raise TooLarge(f"{name}: too large; expected at most {limit} bytes", raw)
    return raw


def _pieces(file: BinaryIO, limit: int) -> Iterator[bytes]:
    """Yield the content of a file up to the limit in pieces; one large read would allocate the limit."""
    while limit and (piece := file.read(min(limit, _PIECE))):
        limit -= len(piece)
        yield piece


def source_bytes(source: str, limit: int, folders: InputFolders) -> bytes:
    """Return the bytes of an input: those of the text itself if it is XML, else those of the named file.

    Raises
    ------
    InvalidInput
        Same as for `local_path` and `read_limited`, or the text contains half of a surrogate pair.
    """
    if not is_inline(source):
        return read_limited(local_path(source, folders), limit)
    try:
        return source.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(
            f"inline alert: character {error.start} is half of a surrogate pair; expected Unicode text"
        ) from None


def source_name(source: str) -> str:
    """Return the name of an input in messages."""
    return "inline alert" if is_inline(source) else escaped(source, MAX_SHOWN)


def _named_path(uri: str) -> Path:
    parts = urlsplit(uri) if "://" in uri or uri.startswith("file:") else None
    if parts is not None and (parts.scheme != "file" or parts.netloc not in ("", "localhost")):
        raise InvalidInput("only local files are supported (file:///... or an absolute path)")
    # A name need not be UTF-8: `Path.as_uri` quotes its bytes, which are converted back to the same name.
    named = unquote(parts.path, errors="surrogateescape") if parts is not None else uri
    if "\0" in named or not Path(named).is_absolute():
        raise InvalidInput("not an absolute path or file URI; expected e.g. file:///data/alert.xml")
    return Path(named)
