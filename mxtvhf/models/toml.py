"""Read TOML files of constants and settings into models; every error names file and key."""

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
"""Number of characters of a wrong value shown in a message."""

M = TypeVar("M", bound=BaseModel)


class Constants(Model):
    """A table of constants; strict, so that text is not accepted as a number, nor 1 as true."""

    model_config = ConfigDict(strict=True)


class SourcedConstants(Constants):
    """A table of constants with their source."""

    source: str = Field(min_length=1)
    """Publication, measurement or reason."""
    assumed: bool
    """True if at least one of the values has no public source."""


def read_toml(path: Path, model: type[M], *, show_values: bool = True) -> M:
    """Read a TOML file into a model.

    Parameters
    ----------
    path
        The file, encoded in UTF-8.
    model
        Model of the content; arrays become tuples.
    show_values
        False to hide wrong values, which may be secrets.

    Raises
    ------
    InvalidInput
        The file cannot be read or is not TOML.
    SeveralFaults
        The content does not fit the model. The message has one line per error, with file, key, the value
        found and the value expected.
    """
    return checked_toml(toml_content(path), model, name=str(path), show_values=show_values)


def toml_content(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file without validation.

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
    """Validate the content of a TOML file or table against a model; parameters as for `read_toml`.

    Raises
    ------
    SeveralFaults
        The content does not fit the model. The message has one line per error, which begins with ``name``.
    """
    try:
        return model.model_validate(_frozen(content))
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
        lines = (f"{escaped(name)}: {_fault(fault, show_values)}" for fault in faults)
        raise SeveralFaults("\n".join(lines)) from None


def _frozen(value: Any) -> Any:
    """Convert arrays to tuples at all depths, since a frozen model has no lists."""
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _fault(fault: ErrorDetails, show_value: bool) -> str:
    """Return ``key: cause``; without the key if the error concerns the file as a whole."""
    key = ".".join(str(part) for part in fault["loc"] if part != "[key]")
    return f"{key}: {fault_cause(fault, show_value)}" if key else fault_cause(fault, show_value)


def fault_cause(fault: ErrorDetails, show_value: bool = True) -> str:
    """Describe in one line what pydantic found and what it expected.

    Parameters
    ----------
    fault
        An element of ``ValidationError.errors()``.
    show_value
        False to hide the wrong value, which may be a secret.
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
