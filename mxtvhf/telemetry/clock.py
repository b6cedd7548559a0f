"""Time code of the link: mission elapsed time in whole seconds and 1/65536 s, and detector frames.

Times are counted in an integer unit that divides both the clock tick and the frame time, so that a frame has
bit-identical times in all packets.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np
import numpy.typing as npt

from mxtvhf.instrument.constants import instrument
from mxtvhf.telemetry.layout import PacketType, Records

TICKS_PER_SECOND = 1 << 16
"""Fine time: 16 bits of binary fraction (unsegmented time code, CCSDS 301.0-B-4, 3.2)."""
MAX_TICKS = 1 << 48
"""Coarse time: 32 bits."""

Integers = npt.NDArray[np.int64]


def ticks(kind: PacketType, records: Records) -> Integers:
    """Return the time of each packet, in clock ticks.

    Parameters
    ----------
    kind
        Type of all packets in ``records``.
    records
        Packets, shape (N,).
    """
    coarse = kind.read(records, "TIME_COARSE").astype(np.int64)
    time: Integers = coarse * TICKS_PER_SECOND + kind.read(records, "TIME_FINE")
    return time


@dataclass(frozen=True)
class FrameClock:
    """Integer time units that divide both the clock tick and the detector frame."""

    units_per_tick: int
    units_per_frame: int
    units_per_second: int
    frames_per_whole_ticks: int
    """Smallest number of frames whose duration is a whole number of ticks."""


@cache
def frame_clock() -> FrameClock:
    """Return the clock for ``frame_time_s`` of the instrument file (0.1 s: 5 frames are 32768 ticks)."""
    frame = Fraction(str(instrument().detector.frame_time_s))
    per_frame = frame * TICKS_PER_SECOND
    return FrameClock(
        units_per_tick=per_frame.denominator,
        units_per_frame=per_frame.numerator,
        units_per_second=TICKS_PER_SECOND * per_frame.denominator,
        frames_per_whole_ticks=per_frame.denominator,
    )
