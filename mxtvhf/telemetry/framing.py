"""Framing: where in a stream of bytes the packets are, whatever else is between them.

A packet is where a known primary header stands and the packet error control of what it announces is
right. Nothing is trusted before that, so a damaged length field cannot swallow its neighbours. All steps
are linear in the length of the stream.
"""

from __future__ import annotations

import re
from binascii import crc_hqx
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from mxtvhf.telemetry.crc import PRESET, crc16
from mxtvhf.telemetry.layout import PRIMARY_HEADER_SIZE, Layout, PacketType, Records

MAX_FOREIGN_SIZE = 1024
"""Longest packet of another APID that is recognised, bytes. VHF packets are of order 90 bytes; the bound
keeps the search linear when a damaged length field claims 65542."""

_STRETCH = 1 << 18
"""Bytes that are searched for headers at once; they stay in the processor's cache."""
_BLOCK = 1 << 14
"""Candidates whose CRC is checked at once, so that forged headers cannot exhaust the memory."""

Offsets = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Reject:
    """A stretch of the stream that is no sound packet, for quarantine."""

    offset: int
    """First byte, 0-based."""
    length: int
    reason: str


@dataclass(frozen=True, eq=False)
class Frames:
    """What a stream of bytes consists of: every byte is in exactly one of these.

    Attributes
    ----------
    records, offsets
        Packets with a right CRC, by container name, in stream order, and their first bytes.
    foreign
        Sound packets of other APIDs: APID -> number.
    rejects
        Everything else, in stream order.
    """

    records: dict[str, Records]
    offsets: dict[str, Offsets]
    foreign: dict[int, int]
    rejects: list[Reject]


def find_frames(raw: bytes, layout: Layout) -> Frames:
    """Split a stream into packets, packets of other APIDs, and the rest.

    Parameters
    ----------
    raw
        The stream as received.
    layout
        The packets to look for.
    """
    data = np.frombuffer(raw, np.uint8)
    sound = [_sound_packets(data, kind) for kind in layout.types]
    starts = np.concatenate(sound)
    which = np.repeat(np.arange(len(sound)), [len(found) for found in sound])
    order = np.argsort(starts, kind="stable")
    starts, which = starts[order], which[order]
    ends = starts + np.array([kind.size for kind in layout.types])[which]
    kept = _without_overlaps(starts, ends)
    starts, ends, which = starts[kept], ends[kept], which[kept]
    offsets = {kind.name: starts[which == index] for index, kind in enumerate(layout.types)}
    gaps = _Gaps(raw, layout)
    gap_starts, gap_ends = np.append(0, ends), np.append(starts, len(raw))
    for index in np.flatnonzero(gap_starts != gap_ends):
        gaps.classify(int(gap_starts[index]), int(gap_ends[index]))
    records = {kind.name: _gather(data, offsets[kind.name], kind) for kind in layout.types}
    return Frames(records, offsets, gaps.foreign, gaps.rejects)


def _find_headers(data: npt.NDArray[np.uint8], kind: PacketType) -> Offsets:
    """Positions of the fixed bits of a packet's primary header that leave room for the packet.

    Stretch by stretch, so that many a byte that looks like a header's first cannot exhaust the memory.
    """
    value, mask = (np.frombuffer(part, np.uint8) for part in kind.header)
    places, found = len(data) - kind.size + 1, [np.empty(0, np.int64)]
    for start in range(0, places, _STRETCH):
        # The first byte is fixed entirely (version, type, flag, begin of the APID).
        here = start + np.flatnonzero(data[start : min(start + _STRETCH, places)] == value[0])
        for index in range(1, PRIMARY_HEADER_SIZE):
            here = here[(data[here + index] & mask[index]) == value[index]]
        found.append(here)
    return np.concatenate(found)


def _sound_packets(data: npt.NDArray[np.uint8], kind: PacketType) -> Offsets:
    """Positions of packets of one type with a right CRC."""
    found = _find_headers(data, kind)
    sound = [
        crc16(_gather(data, block, kind).view(np.uint8).reshape(len(block), kind.size)) == 0
        for block in np.split(found, range(_BLOCK, len(found), _BLOCK))
    ]
    positions: Offsets = found[np.concatenate(sound)]
    return positions


def _gather(data: npt.NDArray[np.uint8], found: Offsets, kind: PacketType) -> Records:
    """Return the packets at some positions; a view where they follow each other without a gap."""
    if len(found) and np.all(np.diff(found) == kind.size):
        return data[found[0] : found[-1] + kind.size].view(kind.dtype)
    if not len(found):
        return np.empty(0, kind.dtype)
    windows = np.lib.stride_tricks.sliding_window_view(data, kind.size)
    return windows[found].view(kind.dtype)[:, 0]


def _without_overlaps(starts: Offsets, ends: Offsets) -> slice | list[int]:
    """Which packets do not begin inside an earlier one (those are its content)."""
    if np.all(starts[1:] >= ends[:-1]):
        return slice(None)
    kept, free = [], 0
    for index, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        if start >= free:
            kept.append(index)
            free = end
    return kept


@cache
def _header_pattern(header: tuple[bytes, bytes]) -> bytes:
    """Regular expression of a packet's primary header; made once, a short message is read in less time."""
    return b"".join(
        b"[%s]" % b"".join(re.escape(bytes([byte])) for byte in range(256) if byte & mask == value)
        for value, mask in zip(*header, strict=True)
    )


class _Gaps:
    """Says what the stretches between the sound packets are."""

    def __init__(self, raw: bytes, layout: Layout) -> None:
        self.raw = raw
        self.types = layout.types
        self.apids = {kind.required["PKT_APID"]: kind for kind in layout.types}
        self.pattern = re.compile(
            b"|".join(b"(%s)" % _header_pattern(kind.header) for kind in layout.types), re.DOTALL
        )
        self.foreign: dict[int, int] = {}
        self.rejects: list[Reject] = []

    def classify(self, start: int, end: int) -> None:
        """Walk a stretch: foreign packets, damaged packets, garbage up to the next header."""
        while start < end:
            kind = self._known(start, end)
            if kind is not None and start + kind.size <= end:
                length, reason = kind.size, "wrong CRC"
            elif kind is not None:
                length, reason = end - start, f"cut short: {end - start} of {kind.size} bytes"
            elif size := self._foreign_size(start, end):
                apid = self._apid(start)
                self.foreign[apid] = self.foreign.get(apid, 0) + 1
                start += size
                continue
            else:
                length, reason = self._next_known(start + 1, end) - start, self._fault(start, end)
            self.rejects.append(Reject(start, length, reason))
            start += length

    def _known(self, start: int, end: int) -> PacketType | None:
        """Return the packet whose header stands here."""
        match = self.pattern.match(self.raw, start, end)
        return self.types[match.lastindex - 1] if match and match.lastindex else None

    def _next_known(self, start: int, end: int) -> int:
        """Position of the next header in a stretch, or its end."""
        match = self.pattern.search(self.raw, start, end)
        return match.start() if match else end

    def _apid(self, start: int) -> int:
        return int.from_bytes(self.raw[start : start + 2]) & 0x7FF

    def _foreign_size(self, start: int, end: int) -> int:
        """Length of a sound packet of an APID that is not ours, or 0."""
        if start + PRIMARY_HEADER_SIZE + 3 > end or self.raw[start] >> 5 or self._apid(start) in self.apids:
            return 0
        size = PRIMARY_HEADER_SIZE + 1 + int.from_bytes(self.raw[start + 4 : start + 6])
        if start + size > end or not PRIMARY_HEADER_SIZE + 3 <= size <= MAX_FOREIGN_SIZE:
            return 0
        return 0 if crc_hqx(self.raw[start : start + size], PRESET) else size

    def _fault(self, start: int, end: int) -> str:
        """Why the bytes here are not even a damaged packet of ours."""
        if start + PRIMARY_HEADER_SIZE > end:
            return f"{end - start} bytes left over"
        kind = self.apids.get(self._apid(start))
        if self.raw[start] >> 5 or kind is None:
            return "no packet header"
        size = PRIMARY_HEADER_SIZE + 1 + int.from_bytes(self.raw[start + 4 : start + 6])
        if size != kind.size:
            return f"length field says {size} bytes, a {kind.name} has {kind.size}"
        return "wrong flags in the packet header"
