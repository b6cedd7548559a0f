"""TOML files of constants and settings, read into models that name every fault by file and key."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from mxtvhf.errors import InvalidInput, SeveralFaults
from mxtvhf.models.base import Model
from mxtvhf.models.text import escaped

LONGEST_VALUE = 60
"""Characters of a wrong value that are shown."""

M = TypeVar("M", bound=BaseModel)


class Constants(Model):
    """A table of constants: strict, so that a text is not taken for a number, nor 1 for true."""

    model_config = ConfigDict(strict=True)


class SourcedConstants(Constants):
    """A table that says where its values come from."""

    source: str = Field(min_length=1)
    """Publication, measurement or reason."""
    assumed: bool
    """True: no public source states at least one of the values."""


def read_toml(path: Path, model: type[M], *, show_values: bool = True) -> M:
    """Read a TOML file into a model.

    Parameters
    ----------
    path
        The file, UTF-8.
    model
        What the file must hold. Arrays arrive as tuples.
    show_values
        False: wrong values are not shown, since they may be secrets.

    Raises
    ------
    InvalidInput
        The file cannot be read or is not TOML.
    SeveralFaults
        Its content does not fit the model: one line for each fault, with file, key, what was found and what
        is expected.
    """
    return checked_toml(toml_content(path), model, name=str(path), show_values=show_values)


def toml_content(path: Path) -> dict[str, Any]:
    """Return what a TOML file holds, unchecked.

    Raises
    ------
    InvalidInput
        The file cannot be read or is not TOML.
    """
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise InvalidInput(f"{escaped(path)}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{escaped(path)}: not TOML: {error}") from None


def checked_toml(content: dict[str, Any], model: type[M], *, name: str, show_values: bool = True) -> M:
    """Check the content of a TOML file, or of one of its tables, against a model; parameters as `read_toml`.

    Raises
    ------
    SeveralFaults
        It does not fit the model: one line for each fault, which begins with ``name``.
    """
    try:
        return model.model_validate(_frozen(content))
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
        lines = (f"{escaped(name)}: {_fault(fault, show_values)}" for fault in faults)
        raise SeveralFaults("\n".join(lines)) from None


def _frozen(value: Any) -> Any:
    """Turn arrays into tuples, at all depths: a frozen model has no lists."""
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _fault(fault: ErrorDetails, show_value: bool) -> str:
    """Return ``key: cause``; the key is left out where a fault is of the file as a whole."""
    key = ".".join(str(part) for part in fault["loc"] if part != "[key]")
    return f"{key}: {fault_cause(fault, show_value)}" if key else fault_cause(fault, show_value)


def fault_cause(fault: ErrorDetails, show_value: bool = True) -> str:
    """Say in one line what pydantic found, and what it expected instead.

    Parameters
    ----------
    fault
        One of ``ValidationError.errors()``.
    show_value
        False: the wrong value is not shown, since it may be a secret.
    """
    kind, message = fault["type"], fault["msg"]
    if kind == "missing":
        return "missing"
    if kind == "extra_forbidden":
        return "unknown key"
    if kind == "path_type":
        message = "Input should be a path"
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    expected = re.sub(r"^\w+ should (be|have|match) ", "", message.partition(", unable to parse")[0])
    expected = f"expected {'a value ' if kind.startswith(('greater', 'less')) else ''}{expected}"
    return f"found {_shortened(fault['input'])}, {expected}" if show_value else expected


def _shortened(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return escaped(text, LONGEST_VALUE)
