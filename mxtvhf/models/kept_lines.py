"""Append-only files with one record per line, shared by several processes.

Every line is appended under a lock and ends with a newline. If a crash left an incomplete line, it is
terminated with a newline before the next one is written, so that it does not corrupt another line.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mxtvhf.errors import InvalidInput, NewerVersion
from mxtvhf.models.files import sync_folder
from mxtvhf.models.kept import SET_ASIDE, Kept, KeptModel, log_once, parse_kept

log = logging.getLogger(__name__)


def append_record(path: Path, record: KeptModel, *, once: bool = False) -> None:
    """Append a record durably as one line of JSON; fields that are None are omitted.

    Parameters
    ----------
    path
        File in an existing folder.
    record
        What to append.
    once
        Do nothing if the file already contains the same line. (Bytes are compared: parsing each record took
        48 ms per new record with 3000 receipts.)

    Raises
    ------
    OSError
        The file cannot be written.
    """
    line = record.model_dump_json(exclude_none=True).encode()
    with _locked(path) as file:
        if once and line in file.read().split(b"\n"):
            return
        _append(file, line, durable=True)
    sync_folder(path.parent)


def append_line(path: Path, line: bytes, *, durable: bool) -> None:
    """Append a line, given without its newline.

    Parameters
    ----------
    path
        File in an existing folder.
    line
        What to append.
    durable
        True if the line must survive a power failure.
    """
    with _locked(path) as file:
        _append(file, line, durable=durable)


def read_records(path: Path, model: type[Kept]) -> list[Kept]:
    """Read all records of a file in order; return none if the file does not exist.

    An unreadable line is copied to ``<name>.unreadable`` and logged, once. A line of a later version of this
    software is logged. All other lines are returned.
    """
    return list(_records(path, read_content(path), model))


def read_content(path: Path, start: int = 0) -> bytes:
    """Read a file from an offset while nobody writes it; nothing if the file does not exist."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            file.seek(start)
            return file.read()
    except FileNotFoundError:
        return b""


def keep_unreadable(path: Path, line: bytes, reason: str) -> None:
    """Copy an unreadable line to ``<name>.unreadable`` in the same folder and log it, once per line."""
    aside = path.with_name(path.name + SET_ASIDE)
    if line in read_content(aside).split(b"\n"):
        return
    try:
        append_line(aside, line, durable=True)
    except OSError as error:
        log_once(f"{reason}; the line is ignored and cannot be copied to {aside.name}: {error.strerror}")
        return
    log.error("%s; the line was copied to %s", reason, aside.name)


def _records(path: Path, content: bytes, model: type[Kept]) -> Iterator[Kept]:
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            yield parse_kept(line, model, name=f"{path}, line {number}")
        except NewerVersion as error:
            log_once(f"{error}; the line is ignored")
        except InvalidInput as error:
            keep_unreadable(path, line, str(error))


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    with path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        yield file


def _append(file: BinaryIO, line: bytes, *, durable: bool) -> None:
    end = file.seek(0, os.SEEK_END)
    if end:
        file.seek(end - 1)
        if file.read(1) != b"\n":
            line = b"\n" + line
    file.write(line + b"\n")
    file.flush()
    if durable:
        os.fsync(file.fileno())
