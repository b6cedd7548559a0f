"""Find the packets in a stream of bytes, whatever lies between them.

A packet is recognised by a known primary header and a correct packet error control over the length that this
header requires. No header is trusted before that check, so a damaged length field cannot hide the packets
that follow. All steps are linear in the length of the stream.
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
"""Longest packet of another APID that is recognised, bytes. VHF packets have about 90 bytes; the limit keeps
the search linear when a damaged length field claims 65542."""

_STRETCH = 1 << 18
"""Number of bytes searched for headers at a time; they stay in the processor's cache."""
_BLOCK = 1 << 14
"""Number of candidates whose CRC is checked at a time, so that forged headers cannot exhaust the memory."""

Offsets = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Reject:
    """A stretch of the stream that is not a valid packet; it goes to quarantine."""

    offset: int
    """Index of the first byte, 0-based."""
    length: int
    reason: str


@dataclass(frozen=True, eq=False)
class Frames:
    """Decomposition of a stream; every byte is in exactly one of these groups.

    Attributes
    ----------
    records, offsets
        Packets with a correct CRC and the indices of their first bytes, by container name, in stream order.
    foreign
        Number of valid packets of other APIDs, by APID.
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
    """Return the positions of primary headers of a packet type that leave room for the whole packet.

    The stream is searched in stretches, so that many false first bytes cannot exhaust the memory.
    """
    value, mask = (np.frombuffer(part, np.uint8) for part in kind.header)
    places, found = len(data) - kind.size + 1, [np.empty(0, np.int64)]
    for start in range(0, places, _STRETCH):
        # All bits of the first byte are fixed (version, type, flag, start of the APID).
        here = start + np.flatnonzero(data[start : min(start + _STRETCH, places)] == value[0])
        for index in range(1, PRIMARY_HEADER_SIZE):
            here = here[(data[here + index] & mask[index]) == value[index]]
        found.append(here)
    return np.concatenate(found)


def _sound_packets(data: npt.NDArray[np.uint8], kind: PacketType) -> Offsets:
    """Return the positions of the packets of one type with a correct CRC."""
    found = _find_headers(data, kind)
    sound = [
        crc16(_gather(data, block, kind).view(np.uint8).reshape(len(block), kind.size)) == 0
        for block in np.split(found, range(_BLOCK, len(found), _BLOCK))
    ]
    positions: Offsets = found[np.concatenate(sound)]
    return positions


def _gather(data: npt.NDArray[np.uint8], found: Offsets, kind: PacketType) -> Records:
    """Return the packets at the given positions; a view if they are contiguous."""
    if len(found) and np.all(np.diff(found) == kind.size):
        return data[found[0] : found[-1] + kind.size].view(kind.dtype)
    if not len(found):
        return np.empty(0, kind.dtype)
    windows = np.lib.stride_tricks.sliding_window_view(data, kind.size)
    return windows[found].view(kind.dtype)[:, 0]


def _without_overlaps(starts: Offsets, ends: Offsets) -> slice | list[int]:
    """Select the packets that do not begin inside an earlier one; those that do are its content."""
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
    """Return the regular expression of a packet's primary header; cached, since compiling it is slow."""
    return b"".join(
        b"[%s]" % b"".join(re.escape(bytes([byte])) for byte in range(256) if byte & mask == value)
        for value, mask in zip(*header, strict=True)
    )


class _Gaps:
    """Classify the stretches between the valid packets."""

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
        """Split a stretch into foreign packets, damaged packets, and garbage up to the next header."""
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
        """Return the packet type whose header is at this position."""
        match = self.pattern.match(self.raw, start, end)
        return self.types[match.lastindex - 1] if match and match.lastindex else None

    def _next_known(self, start: int, end: int) -> int:
        """Return the position of the next header in a stretch, or the end of the stretch."""
        match = self.pattern.search(self.raw, start, end)
        return match.start() if match else end

    def _apid(self, start: int) -> int:
        return int.from_bytes(self.raw[start : start + 2]) & 0x7FF

    def _foreign_size(self, start: int, end: int) -> int:
        """Return the length of a valid packet of another APID, or 0."""
        if start + PRIMARY_HEADER_SIZE + 3 > end or self.raw[start] >> 5 or self._apid(start) in self.apids:
            return 0
        size = PRIMARY_HEADER_SIZE + 1 + int.from_bytes(self.raw[start + 4 : start + 6])
        if start + size > end or not PRIMARY_HEADER_SIZE + 3 <= size <= MAX_FOREIGN_SIZE:
            return 0
        return 0 if crc_hqx(self.raw[start : start + size], PRESET) else size

    def _fault(self, start: int, end: int) -> str:
        """Return why the bytes at this position are not a packet of ours, not even a damaged one."""
        if start + PRIMARY_HEADER_SIZE > end:
            return f"{end - start} bytes left over"
        kind = self.apids.get(self._apid(start))
        if self.raw[start] >> 5 or kind is None:
            return "no packet header"
        size = PRIMARY_HEADER_SIZE + 1 + int.from_bytes(self.raw[start + 4 : start + 6])
        if size != kind.size:
            return f"length field says {size} bytes, a {kind.name} has {kind.size}"
        return "wrong flags in the packet header"
