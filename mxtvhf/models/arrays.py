"""Array types, and ``.npz`` files by which the steps of a run exchange columns."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

from mxtvhf.errors import InvalidInput

Floats = npt.NDArray[np.float64]


def read_arrays(content: bytes, names: Sequence[str], *, name: str) -> list[npt.NDArray[Any]]:
    """Return arrays of an ``.npz`` file in the order of the names; other arrays in it are ignored.

    Raises
    ------
    InvalidInput
        The file is damaged or lacks one of the arrays.
    """
    try:
        with np.load(BytesIO(content), allow_pickle=False) as arrays:
            return [arrays[wanted] for wanted in names]
    except (KeyError, ValueError, TypeError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise InvalidInput(f"{name}: damaged arrays: {error}; rerun the step that wrote the file") from None
