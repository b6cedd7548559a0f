"""Disable catalogues or delete them with their files.

::

    catalogues/<name>/disabled            exists while the catalogue is disabled
    catalogues/<name>/<version>.removed   marks the number of a deleted version, which is never reused
"""

from __future__ import annotations

from pathlib import Path

from mxtvhf.catalogues.bright import BRIGHT_XRAY
from mxtvhf.catalogues.version import (
    catalogue_folder,
    data_file,
    disabled_file,
    only_one,
    removed_file,
    version_file,
    version_numbers,
)
from mxtvhf.errors import InvalidInput
from mxtvhf.models.files import sync_folder


def remove_catalogue(root: Path, wanted: str) -> list[int]:
    """Delete a catalogue, or one version of it.

    Parameters
    ----------
    root
        Folder of the store.
    wanted
        ``name``, or ``name@2`` for its second version only; the last remaining version is then current.

    Returns
    -------
    list of int
        The deleted versions.

    Raises
    ------
    InvalidInput
        The catalogue or version does not exist.
    """
    name, numbers = versions_named(root, wanted)
    folder = catalogue_folder(root, name)
    with only_one(folder):
        for number in numbers:
            removed_file(root, name, number).touch()
            sync_folder(folder)
            version_file(root, name, number).unlink(missing_ok=True)
            data_file(root, name, number).unlink(missing_ok=True)
        if not version_numbers(root, name):
            disabled_file(root, name).unlink(missing_ok=True)
    return numbers


def set_enabled(root: Path, name: str, *, is_enabled: bool) -> None:
    """Enable or disable a catalogue.

    Parameters
    ----------
    root
        Folder of the catalogue store.
    name
        Catalogue, without a version.
    is_enabled
        False: search the catalogue only when it is named.

    Raises
    ------
    InvalidInput
        The catalogue does not exist, or a version was given; only catalogues as a whole can be disabled.
    """
    if "@" in name:
        raise InvalidInput(f"catalogue {name}: expected a name without a version")
    versions_named(root, name)
    mark = disabled_file(root, name)
    if is_enabled:
        mark.unlink(missing_ok=True)
    else:
        mark.touch()


def versions_named(root: Path, wanted: str) -> tuple[str, list[int]]:
    """Return the name of a catalogue and all its versions, or the single one given as ``name@2``.

    Parameters
    ----------
    root
        Folder of the catalogue store.
    wanted
        Catalogue (``name``) or one of its versions (``name@2``).

    Raises
    ------
    InvalidInput
        The catalogue or version does not exist.
    """
    name, at, number = wanted.partition("@")
    if name == BRIGHT_XRAY:
        raise InvalidInput(f"catalogue {name}: part of the package; it cannot be removed")
    there = version_numbers(root, name)
    if not there:
        raise InvalidInput(f"catalogue {name}: not found in {root}")
    if not at:
        return name, there
    if number not in map(str, there):
        raise InvalidInput(f"catalogue {wanted}: no such version; expected {', '.join(map(str, there))}")
    return name, [int(number)]
