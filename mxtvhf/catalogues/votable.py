"""Read VOTables (up to IVOA 1.5) with astropy after checking that they have no external references."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import IO, Any
from xml.parsers import expat

from astropy.io.votable import exceptions as votable_warnings
from astropy.io.votable import parse
from astropy.io.votable.tree import FieldRef, Group, Param, TableElement, VOTableFile
from astropy.utils.exceptions import AstropyWarning

from mxtvhf.catalogues.frames import Frame, frame
from mxtvhf.catalogues.tables import CatalogueTable
from mxtvhf.errors import InvalidInput
from mxtvhf.models.text import one_line

LOSSES = (votable_warnings.W46, votable_warnings.W51)
"""Warnings of text too long or numbers too large for their FIELD, which astropy truncates."""
STC_FRAME = "spaceframe.coordrefframe"
"""End of the utype of a PARAM that gives a frame in VOTable 1.2 (IVOA note "Referencing STC in VOTable")."""
EMBEDDED = ("", "base64", "none")
"""Accepted encodings of an inline STREAM; compressed data could have any size."""


def read_votable(stream: IO[bytes]) -> VOTableFile:
    """Read a VOTable.

    Parameters
    ----------
    stream
        Stream of its bytes, from the beginning.

    Raises
    ------
    InvalidInput
        The VOTable is not well-formed, has external references, or has values that its FIELDs would truncate.
    """
    try:
        untyped = _untyped_fields(stream)
        stream.seek(0)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", AstropyWarning)
            document = parse(stream, verify="warn")
    except InvalidInput:
        raise
    # For a damaged document astropy passes on any exception of its libraries, and its own warnings.
    except Exception as error:
        raise InvalidInput(f"invalid VOTable: {_told(error)}") from error
    for warning in told:
        if isinstance(warning.message, LOSSES):
            which = f"FIELD {', '.join(untyped)} has no datatype" if untyped else _told(warning.message)
            raise InvalidInput(
                f"invalid VOTable: {which}; values would be truncated, correct datatype and arraysize"
            )
    return document


def _told(message: object) -> str:
    """Return an astropy message, which begins with file, line and column, as one line."""
    return re.sub(r"^[^:]*:(\d+):\d+: ", r"line \1: ", one_line(message, 200))


def tables_of(document: VOTableFile) -> list[tuple[int, str, TableElement]]:
    """Return the tables of a VOTable with their names and numbers, counted from 1.

    Parameters
    ----------
    document
        A VOTable document.
    """
    return [
        (number, str(table.name or table.ID or ""), table)
        for number, table in enumerate(document.iter_tables(), start=1)
    ]


def catalogue_table(document: VOTableFile, name: str, table: TableElement) -> CatalogueTable:
    """Return a table with the frames given in its document.

    Parameters
    ----------
    document
        The document that contains the table and defines its frames.
    name
        Name of the table in messages.
    table
        The table.
    """
    rows = table.to_table(use_names_over_ids=True)
    by_field = _frames(document, table)
    frames = {
        column: by_field[one.ID]
        for column, one in zip(rows.colnames, table.fields, strict=True)
        if one.ID in by_field
    }
    return CatalogueTable(rows, frames, name)


def _untyped_fields(stream: IO[bytes]) -> list[str]:
    """Return the names of FIELDs without a datatype, and refuse external references.

    Raises
    ------
    InvalidInput
        The file declares entities or has an external STREAM; astropy would open any file or URL given there.
    """
    untyped = []

    def element(tag: str, attributes: dict[str, str]) -> None:
        kind = tag.rpartition(":")[2].upper()
        if kind == "FIELD" and "datatype" not in attributes:
            untyped.append(one_line(attributes.get("name", "without a name"), 40))
        given = {name.rpartition(":")[2].lower(): value.strip() for name, value in attributes.items()}
        if kind == "STREAM" and "href" in given:
            elsewhere = one_line(given["href"], 80)
            raise InvalidInput(
                f"the table data are external ({elsewhere}) and not opened; add that file itself"
            )
        if kind == "STREAM" and given.get("encoding", "").lower() not in EMBEDDED:
            raise InvalidInput(f"STREAM with encoding {given['encoding']!r:.40}; expected base64")

    def entity(name: str, *_: Any) -> None:
        raise InvalidInput(f"invalid VOTable: it declares the entity {one_line(name, 40)}; remove its DTD")

    parser = expat.ParserCreate()
    parser.StartElementHandler = element
    parser.EntityDeclHandler = entity
    parser.ParseFile(stream)
    return untyped


def _frames(document: VOTableFile, table: TableElement) -> dict[str, Frame | str]:
    """Return the frames by FIELD id: the referenced one, else the only one in the document."""
    systems = {one.ID: _coosys(one) for one in _coosys_of(document)}
    stated = [*systems.values(), *_stc_frames(table.groups)]
    distinct = list(dict.fromkeys(map(str, stated)))
    found: dict[str, Frame | str] = {}
    for one in table.fields:
        if one.ref in systems:
            found[one.ID] = systems[one.ref]
        elif len(distinct) == 1:
            found[one.ID] = stated[0]
        elif distinct:
            found[one.ID] = f"one of {', '.join(distinct)}, but not specified which"
    for group in _groups(table.groups):
        if group.ref in systems:
            found |= {entry.ref: systems[group.ref] for entry in group.entries if isinstance(entry, FieldRef)}
    return found


def _coosys_of(part: Any) -> Iterator[Any]:
    """Yield the COOSYS elements of a document and of its RESOURCEs."""
    yield from part.coordinate_systems
    for resource in part.resources:
        yield from _coosys_of(resource)


def _coosys(element: Any) -> Frame | str:
    # ``eq_FK5`` is the default of the schemas that have one (1.1 and 1.2).
    return _frame(element.system or "eq_FK5", element.equinox, element.epoch)


def _groups(entries: Any) -> Iterator[Group]:
    for entry in entries:
        if isinstance(entry, Group):
            yield entry
            yield from _groups(entry.entries)


def _stc_frames(entries: Any) -> Iterator[Frame | str]:
    for group in _groups(entries):
        for entry in group.entries:
            if isinstance(entry, Param) and str(entry.utype).lower().endswith(STC_FRAME):
                yield _frame(str(entry.value), None, None)


def _frame(system: str, equinox: str | None, epoch: str | None) -> Frame | str:
    try:
        return frame(system, equinox, epoch)
    except InvalidInput as error:
        return str(error)
