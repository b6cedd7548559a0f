"""Unwrap packet sequence counts (modulo 16384), and tell repeats from conflicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mxtvhf.telemetry.layout import SEQUENCE_MODULUS, Records

_BACKWARDS = SEQUENCE_MODULUS // 8
"""A later packet whose count is lower by at most this number has a wrong time; if the count is lower by more,
it wrapped. Up to 7/8 of the count (14336 packets) may therefore be lost in a row."""

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Sequence:
    """Packets of one APID in the order in which the satellite made them.

    Attributes
    ----------
    kept
        Indices (in stream order) of the distinct packets, in sequence order.
    number
        Unwrapped sequence number of each kept packet; the first in time has its own count.
    repeated
        Number of further copies.
    conflicts
        Indices of packets with the number of a kept packet but different content.
    out_of_order
        Number of kept packets that arrived after a later one.
    """

    kept: Integers
    number: Integers
    repeated: int
    conflicts: Integers
    out_of_order: int

    @property
    def is_as_received(self) -> bool:
        """True if the stream contained each packet once and in order."""
        return not (self.repeated or len(self.conflicts) or self.out_of_order)

    @property
    def missing(self) -> int:
        """Number of packets missing between the first and the last received one.

        Packets lost before the first or after the last received one cannot be counted.
        """
        return int(self.number[-1] - self.number[0]) + 1 - len(self.number) if len(self.number) else 0


def arrange(records: Records, count: Integers, time: Integers) -> Sequence:
    """Sort the packets of one APID and burst, whatever order they arrived in.

    Parameters
    ----------
    records
        The packets in stream order; the first of several with the same number is kept.
    count
        Their 14-bit sequence count.
    time
        Their time in any unit, used to tell one cycle of the count from the next.
    """
    arrival = np.arange(len(records))
    order = arrival if _in_order(count, time) else np.lexsort((arrival, count, time))
    number = np.empty(len(records), np.int64)
    number[order] = _unwrap(count[order], time[order])
    if not np.all(np.diff(number) > 0):
        order = np.lexsort((arrival, number))
    first = np.append(True, np.diff(number[order]) != 0)[: len(order)]
    kept = order[first]
    further = order[~first]
    original = kept[np.cumsum(first) - 1][~first]
    same = (_rows(records, further) == _rows(records, original)).all(axis=1)
    return Sequence(kept, number[kept], int(np.count_nonzero(same)), further[~same], _late(kept))


def _in_order(count: Integers, time: Integers) -> bool:
    step = np.diff(count) % SEQUENCE_MODULUS
    return bool(np.all(step == 1) and np.all(np.diff(time) >= 0))


def _unwrap(count: Integers, time: Integers) -> Integers:
    """Add the cycles of the count; the packets must be sorted by time, then by count."""
    step = np.diff(count)
    backwards = np.where(np.diff(time) > 0, _BACKWARDS, SEQUENCE_MODULUS // 2)
    step = (step + backwards) % SEQUENCE_MODULUS - backwards
    return np.cumsum(np.append(count[:1], step))


def _rows(records: Records, index: Integers) -> npt.NDArray[np.uint8]:
    return records[index].view(np.uint8).reshape(len(index), records.dtype.itemsize)


def _late(kept: Integers) -> int:
    """Count the packets that arrived after one with a higher number.

    ``kept`` holds arrival positions in sequence order; a packet is late if a lower position follows it.
    """
    earliest_after = np.minimum.accumulate(kept[::-1])[::-1]
    return int(np.count_nonzero(kept > earliest_after))
