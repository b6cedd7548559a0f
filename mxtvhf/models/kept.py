"""Versioned records on disk, and reading of records written by other versions of this software.

A record is strict when the program creates it (`Model`), and tolerant when it is read from a file. Unknown
fields are ignored, also in nested models, because pydantic's ``extra`` is set for the whole call. Missing
fields take their defaults, including ``schema_version``, which version 0.1.0 did not write.

A field may be added with a default at any time. If a field changes its meaning, becomes required or is
removed, or a choice gets another value, increase the default of the model's ``schema_version`` by one, and
convert earlier versions in a ``model_validator(mode="before")`` of that model.
"""

from __future__ import annotations

import errno
import logging
import os
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from mxtvhf import __version__
from mxtvhf.errors import InvalidInput, NewerVersion
from mxtvhf.models.base import Model
from mxtvhf.models.files import sha256_of

log = logging.getLogger(__name__)

SET_ASIDE = ".unreadable"
"""Suffix of a file that was set aside because it could not be read."""

ADVICE = "restore it from a backup"

BAD_FILE = (
    errno.EIO, errno.EACCES, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG,
)  # fmt: skip
"""Operating system errors that concern one file and not the whole disk."""


class KeptModel(Model):
    """A record that is stored on disk."""

    schema_version: int = 1
    """Version of the record's format; the default is the current version."""

    @classmethod
    def current_version(cls) -> int:
        """Return the current schema version, which is written and is the highest that can be read."""
        version: int = cls.model_fields["schema_version"].default
        return version


Kept = TypeVar("Kept", bound=KeptModel)


def parse_kept(raw: bytes, model: type[Kept], *, name: str) -> Kept:
    """Parse a record from JSON.

    Parameters
    ----------
    raw
        Content of the file or of one line.
    model
        Type of the record.
    name
        Name of the file in error messages.

    Raises
    ------
    NewerVersion
        The record was written by a later version of this software.
    InvalidInput
        The record is damaged or of another type.
    """
    try:
        check_version(raw, model.current_version(), name=name)
        return model.model_validate_json(raw, extra="ignore")
    except NewerVersion:
        raise
    except InvalidInput as error:
        raise InvalidInput(f"{error}; {ADVICE}") from None
    except ValidationError as error:
        raise InvalidInput(f"{name}: invalid {model.__name__}: {first_error(error)}; {ADVICE}") from None


def read_kept(path: Path, model: type[Kept]) -> Kept:
    """Read a record from its file; see `parse_kept`.

    Raises
    ------
    NewerVersion, InvalidInput
        Same as for `parse_kept`.
    OSError
        The file is missing or cannot be read.
    """
    return parse_kept(path.read_bytes(), model, name=str(path))


def read_or_set_aside(path: Path, model: type[Kept]) -> Kept | None:
    """Read a record; if it is unreadable, set it aside and continue without it.

    A damaged file is renamed to ``<name>.<digest>.unreadable``. A file of a later version stays in place for
    that version. Both are logged.

    Returns
    -------
    KeptModel or None
        None if the file is missing or cannot be read.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno not in BAD_FILE:
            raise
        log_once(f"{path}: {error.strerror}; the file is ignored")
        return None
    try:
        return parse_kept(raw, model, name=str(path))
    except NewerVersion as error:
        log_once(f"{error}; the file is ignored")
    except InvalidInput as error:
        _set_aside(path, raw, str(error))
    return None


def check_version(raw: bytes, current: int, *, name: str) -> None:
    """Check the ``schema_version`` of a JSON object; a missing one is 1.

    Parameters
    ----------
    raw
        The JSON text.
    current
        Highest version that can be read.
    name
        Name of the file in error messages.

    Raises
    ------
    NewerVersion
        The version is higher than ``current``.
    InvalidInput
        The text is not a JSON object, or its version is not a positive integer.
    """
    try:
        fields: Any = from_json(raw)
    except ValueError as error:
        raise InvalidInput(f"{name}: damaged JSON: {error}") from None
    if not isinstance(fields, dict):
        raise InvalidInput(f"{name}: expected a JSON object")
    version = fields.get("schema_version", 1)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise InvalidInput(f"{name}: invalid schema_version {version!r:.40}; expected a positive integer")
    if version > current:
        raise NewerVersion(
            f"{name}: schema version {version}; mxtvhf {__version__} reads up to {current}; upgrade mxtvhf"
        )


def first_error(error: ValidationError) -> str:
    """Return the first error that pydantic found, with its field, in one line."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else str(first["msg"])


@lru_cache(maxsize=4096)
def log_once(text: str) -> None:
    """Log an error only the first time it occurs, since files are read repeatedly."""
    log.error("%s", text)


def _set_aside(path: Path, raw: bytes, reason: str) -> None:
    aside = path.with_name(f"{path.name}.{sha256_of(raw)[:8]}{SET_ASIDE}")
    try:
        path.replace(aside)
        if aside.read_bytes() != raw:
            # Another process was faster; the renamed file is the new record that it wrote.
            os.link(aside, path)
            aside.unlink()
            return
    except FileNotFoundError:
        return
    except OSError as error:
        log_once(f"{reason}; the file is ignored and cannot be renamed: {error.strerror}")
        return
    log.error("%s; the file was renamed to %s", reason, aside.name)
