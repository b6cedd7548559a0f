"""Derive the packet layout from its XTCE definition.

Only the definition file contains positions and sizes. This module turns its packet containers into big-endian
numpy structured types, with which thousands of packets are read at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
from lxml import etree

from mxtvhf.errors import InvalidInput

DEFINITION = files("mxtvhf.telemetry") / "mxt_vhf.xtce.xml"
PRIMARY_HEADER_SIZE = 6
"""Bytes of a space packet's primary header (CCSDS 133.0-B-2, 4.1.3)."""
SEQUENCE_MODULUS = 1 << 14
"""The packet sequence count has 14 bits (CCSDS 133.0-B-2, 4.1.3.4.3)."""

_XTCE = {"x": "http://www.omg.org/spec/XTCE/20180204"}
_SLOT = re.compile(r"(?P<name>.+)_(?P<slot>\d\d)")

Records = npt.NDArray[np.void]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a packet: its name, length in bits and encoding."""

    name: str
    bits: int
    is_float: bool


@dataclass(frozen=True)
class BitField:
    """Location of a parameter: the numpy field that holds it, and its bits within that field."""

    field: str
    shift: int
    mask: int | None
    """None when the parameter is the whole field."""


@dataclass(frozen=True)
class PacketType:
    """One kind of packet of fixed length.

    Attributes
    ----------
    name
        Name of the XTCE container.
    dtype
        Structured type of a whole packet. A repeated group (``FRAME_00``, ``FRAME_01``, ...) becomes the
        subarray ``SLOTS``, whose field names have no number (``FRAME``, ...).
    places
        Location of each parameter outside ``SLOTS``.
    required
        Values that parameters must have in this packet: the XTCE restriction criteria.
    """

    name: str
    dtype: np.dtype[np.void]
    places: dict[str, BitField]
    required: dict[str, int]

    @property
    def size(self) -> int:
        """Length of the packet, bytes."""
        return self.dtype.itemsize

    @property
    def slots(self) -> int:
        """Number of repeats of the repeated group."""
        return int(self.dtype["SLOTS"].shape[0])

    def read(self, records: Records, name: str) -> npt.NDArray[Any]:
        """Return one parameter of all records, in native byte order.

        Parameters
        ----------
        records
            Packets of this type, shape (N,).
        name
            Name of the parameter in the packet definition.
        """
        place = self.places[name]
        column = records[place.field]
        native = column.astype(column.dtype.newbyteorder("="))
        return native if place.mask is None else (native >> place.shift) & place.mask

    def write(self, records: Records, name: str, values: npt.ArrayLike) -> None:
        """Set one parameter of all records; its bits must be zero before.

        Parameters
        ----------
        records
            Packets of this type, shape (N,).
        name
            Name of the parameter in the packet definition.
        values
            One value per packet, or one for all.
        """
        place = self.places[name]
        if place.mask is None:
            records[place.field] = values
        else:
            records[place.field] |= (np.asarray(values, np.int64) << place.shift).astype(
                records[place.field].dtype
            )

    def blank(self, count: int) -> Records:
        """Return packets that contain the required values and are zero elsewhere.

        Parameters
        ----------
        count
            Number of packets.
        """
        records = np.zeros(count, self.dtype)
        for name, value in self.required.items():
            self.write(records, name, value)
        return records

    @cached_property
    def required_inside(self) -> dict[str, int]:
        """Required values of the parameters after the primary header."""
        places = self.places
        return {
            name: value
            for name, value in self.required.items()
            if self.offset(places[name].field) >= PRIMARY_HEADER_SIZE
        }

    def offset(self, field: str) -> int:
        """Return the index of the first byte of a numpy field in the packet.

        Parameters
        ----------
        field
            Name of a field of ``dtype``.
        """
        fields = self.dtype.fields
        if fields is None:
            raise TypeError(f"{self.name} has no fields")
        return int(fields[field][1])

    @cached_property
    def header(self) -> tuple[bytes, bytes]:
        """Fixed bits of the primary header and their mask, 6 bytes each."""
        records, mask = self.blank(1), np.zeros(1, self.dtype)
        for name in self.required:
            self.write(mask, name, self.places[name].mask or np.iinfo(self.dtype[name].str).max)
        return records.tobytes()[:PRIMARY_HEADER_SIZE], mask.tobytes()[:PRIMARY_HEADER_SIZE]


@dataclass(frozen=True)
class Layout:
    """The packets of the VHF link."""

    photon: PacketType
    pointing: PacketType
    position: PacketType

    @property
    def types(self) -> tuple[PacketType, ...]:
        """All packets."""
        return self.photon, self.pointing, self.position


@cache
def layout() -> Layout:
    """Return the project's packet layout (``mxt_vhf.xtce.xml``)."""
    types = packet_types(DEFINITION.read_bytes(), name=str(DEFINITION))
    return Layout(types["PhotonPacket"], types["PointingPacket"], types["PositionPacket"])


def packet_types(definition: bytes, *, name: str) -> dict[str, PacketType]:
    """Derive the packet types of an XTCE definition, by container name.

    Parameters
    ----------
    definition
        XTCE 1.2 document.
    name
        Name of the document in error messages.

    Raises
    ------
    InvalidInput
        The document is not XML, or the layout is not supported: fields that do not end at byte boundaries, an
        irregular repeated group, or a missing type.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(definition, parser)
        parameters = _parameters(root)
        containers = {str(c.get("name")): c for c in root.iterfind(".//x:SequenceContainer", _XTCE)}
        return {
            key: _packet_type(key, container, containers, parameters)
            for key, container in containers.items()
            if container.get("abstract") != "true"
        }
    except (etree.XMLSyntaxError, KeyError, ValueError) as error:
        raise InvalidInput(f"{name}: not a usable packet definition: {error}") from error


def _parameters(root: etree._Element) -> dict[str, Parameter]:
    encodings = {
        kind.get("name"): (int(encoding.get("sizeInBits")), encoding.tag.endswith("}FloatDataEncoding"))
        for kind in root.iterfind(".//x:ParameterTypeSet/*", _XTCE)
        for encoding in kind
        if "sizeInBits" in encoding.attrib
    }
    return {
        entry.get("name"): Parameter(entry.get("name"), *encodings[entry.get("parameterTypeRef")])
        for entry in root.iterfind(".//x:ParameterSet/x:Parameter", _XTCE)
    }


def _packet_type(
    name: str,
    container: etree._Element,
    containers: dict[str, etree._Element],
    parameters: dict[str, Parameter],
) -> PacketType:
    entries: list[Parameter] = []
    required: dict[str, int] = {}
    for part in reversed(list(_with_bases(container, containers))):
        entries += [parameters[ref.get("parameterRef")] for ref in part.iterfind("x:EntryList/*", _XTCE)]
        for criterion in part.iterfind(".//x:Comparison", _XTCE):
            required[criterion.get("parameterRef")] = int(criterion.get("value"))
    single, slots = _split_slots(entries)
    fields, places = _fields(single)
    if slots:
        before = sum(p.bits for p in entries[: _first_slot(entries)])
        fields.insert(_field_at(fields, before), ("SLOTS", *slots))
    return PacketType(name, np.dtype(fields), places, required)


def _with_bases(container: etree._Element, containers: dict[str, etree._Element]) -> Iterator[etree._Element]:
    """Yield a container, its base, the base's base, ..."""
    yield container
    base = container.find("x:BaseContainer", _XTCE)
    if base is not None:
        yield from _with_bases(containers[base.get("containerRef")], containers)


def _first_slot(entries: list[Parameter]) -> int:
    return next(i for i, p in enumerate(entries) if _SLOT.fullmatch(p.name))


def _split_slots(
    entries: list[Parameter],
) -> tuple[list[Parameter], tuple[np.dtype[np.void], tuple[int]] | None]:
    """Separate the repeated group from the single parameters, and check that it is regular."""
    single = [p for p in entries if not _SLOT.fullmatch(p.name)]
    groups: dict[str, list[Parameter]] = {}
    for parameter in entries:
        if match := _SLOT.fullmatch(parameter.name):
            groups.setdefault(match["slot"], []).append(
                Parameter(match["name"], parameter.bits, parameter.is_float)
            )
    if not groups:
        return single, None
    first, *others = groups.values()
    start = _first_slot(entries)
    contiguous = all(_SLOT.fullmatch(p.name) for p in entries[start : start + len(first) * len(groups)])
    if not contiguous or any(other != first for other in others):
        raise ValueError(
            "the repeated group is irregular; expected slots of the same parameters, one after another"
        )
    return single, (np.dtype(_fields(first)[0]), (len(groups),))


def _fields(entries: list[Parameter]) -> tuple[list[Any], dict[str, BitField]]:
    """Map parameters to numpy fields; adjacent bit fields share one field up to the next byte boundary."""
    fields: list[Any] = []
    places: dict[str, BitField] = {}
    run: list[Parameter] = []
    for parameter in entries:
        run.append(parameter)
        bits = sum(p.bits for p in run)
        if bits % 8:
            continue
        if bits not in (8, 16, 32, 64):
            raise ValueError(f"{'+'.join(p.name for p in run)}: {bits} bits; expected 8, 16, 32 or 64")
        name = "+".join(p.name for p in run)
        fields.append((name, f">{'f' if parameter.is_float else 'u'}{bits // 8}"))
        for part in run:
            bits -= part.bits
            mask = None if len(run) == 1 else (1 << part.bits) - 1
            places[part.name] = BitField(name, bits, mask)
        run = []
    if run:
        raise ValueError(
            f"{'+'.join(p.name for p in run)} do not end at a byte boundary; expected a multiple of 8 bits"
        )
    return fields, places


def _field_at(fields: list[Any], bits: int) -> int:
    """Return the index of the field that starts at a bit position."""
    starts = np.cumsum([0, *(np.dtype(kind).itemsize * 8 for _, kind in fields)])
    (found,) = np.flatnonzero(starts == bits)
    return int(found)
