"""Encode photons, attitude and on-board positions into VHF packets, as the satellite does.

The simulator and the tests use this module.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mxtvhf.errors import InvalidInput
from mxtvhf.events.onboard_file import OnboardMessage
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.attitude import AttitudeHistory
from mxtvhf.telemetry.clock import MAX_TICKS, TICKS_PER_SECOND, FrameClock, frame_clock
from mxtvhf.telemetry.crc import crc16
from mxtvhf.telemetry.layout import SEQUENCE_MODULUS, PacketType, Records, layout

MAX_FRAME_OFFSET = 0xFFFF
FRAME_TOLERANCE = 0.02
"""Largest offset of a photon's time from the start of a frame, in frames."""

Integers = npt.NDArray[np.int64]


def encode_photons(photons: PhotonList, burst_id: str, first_sequence: int = 0) -> list[bytes]:
    """Pack photons into photon packets; a packet is full unless the next frame offset does not fit.

    Parameters
    ----------
    photons
        Photons in time order; their times lie on the grid of detector frames that the first photon sets.
    burst_id
        ``sbYYMMDDnn``.
    first_sequence
        Sequence count of the first packet; it wraps at 16384.

    Raises
    ------
    InvalidInput
        A photon cannot be encoded: its time is off the frame grid or before the epoch.

    Notes
    -----
    The clock tick (15 us) does not divide the frame time, so decoded times differ from the given ones by a
    common offset of up to a tenth of a tick. Times that come from decoded packets are reproduced exactly.
    """
    if not len(photons):
        return []
    clock, kind = frame_clock(), layout().photon
    origin, frames = _frame_numbers(photons.time, clock)
    starts, references = _partition(frames, kind.slots, clock)
    count = np.diff(np.append(starts, len(photons)))
    records = _blank(kind, len(starts), burst_id, first_sequence)
    # Reference times are multiples of a number of frames that spans whole ticks, so this product is exact.
    _write_time(kind, records, origin + references * clock.units_per_frame // clock.units_per_tick)
    kind.write(records, "PHOTON_COUNT", count)
    packet = np.repeat(np.arange(len(starts)), count)
    slot = np.arange(len(photons)) - starts[packet]
    columns = {
        "FRAME": frames - references[packet],
        "COLUMN": photons.x,
        "ROW": photons.y,
        "PHA": photons.pha,
    }
    for field, values in columns.items():
        records["SLOTS"][field][packet, slot] = values
    return _finish(kind, records)


def encode_pointing(attitude: AttitudeHistory, burst_id: str, first_sequence: int = 0) -> list[bytes]:
    """Pack attitude samples into pointing packets, one each.

    Parameters
    ----------
    attitude
        Samples, body to ICRS.
    burst_id
        ``sbYYMMDDnn``.
    first_sequence
        Sequence count of the first packet; it wraps at 16384.

    Raises
    ------
    InvalidInput
        A time is before the epoch or beyond the range of the clock.
    """
    kind = layout().pointing
    records = _blank(kind, len(attitude), burst_id, first_sequence)
    _write_time(kind, records, np.rint(attitude.time * TICKS_PER_SECOND).astype(np.int64))
    kind.write(records, "STABLE", attitude.stable)
    for index, element in enumerate(("QX", "QY", "QZ", "QW")):
        kind.write(records, element, attitude.quaternion[:, index])
    return _finish(kind, records)


def encode_onboard(messages: Sequence[OnboardMessage], burst_id: str, first_sequence: int = 0) -> list[bytes]:
    """Pack on-board results into position packets, one each.

    Parameters
    ----------
    messages
        On-board results, ICRS.
    burst_id
        ``sbYYMMDDnn``.
    first_sequence
        Sequence count of the first packet; it wraps at 16384.

    Raises
    ------
    InvalidInput
        A time is before the epoch or beyond the range of the clock.
    """
    kind = layout().position
    records = _blank(kind, len(messages), burst_id, first_sequence)
    met = np.array([message.met for message in messages])
    _write_time(kind, records, np.rint(met * TICKS_PER_SECOND).astype(np.int64))
    kind.write(records, "SOURCE_COUNT", [len(message.sources) for message in messages])
    for record, message in zip(records, messages, strict=True):
        for slot, source in enumerate(message.sources):
            record["SLOTS"][slot] = (
                source.ra_deg, source.dec_deg, source.r90_arcsec, source.snr, source.known_source
            )  # fmt: skip
    return _finish(kind, records)


def _frame_numbers(time: npt.NDArray[np.float64], clock: FrameClock) -> tuple[int, Integers]:
    """Return the frame number of each photon, counted from a frame that starts (nearly) on a clock tick.

    Of the last few frames up to that of the first photon, the one that starts closest to a tick is the
    origin.
    """
    frame_s = clock.units_per_frame / clock.units_per_second
    back = np.arange(clock.frames_per_whole_ticks)
    candidates = (time[0] - back * frame_s) * TICKS_PER_SECOND
    best = int(np.argmin(np.abs(candidates - np.rint(candidates))))
    steps = (time - time[0]) / frame_s
    frames = np.rint(steps).astype(np.int64)
    if np.max(np.abs(steps - frames)) > FRAME_TOLERANCE:
        raise InvalidInput(f"photons: invalid times; expected starts of detector frames, {frame_s:g} s apart")
    return round(candidates[best]), frames + best


def _partition(frames: Integers, slots: int, clock: FrameClock) -> tuple[Integers, Integers]:
    """Return the first photon and the reference frame of each packet."""
    numbers = frames.tolist()
    starts, references, start = [], [], 0
    while start < len(numbers):
        reference = numbers[start] - numbers[start] % clock.frames_per_whole_ticks
        starts.append(start)
        references.append(reference)
        start = bisect_right(numbers, reference + MAX_FRAME_OFFSET, start, min(start + slots, len(numbers)))
    return np.array(starts), np.array(references)


def _blank(kind: PacketType, count: int, burst_id: str, first_sequence: int) -> Records:
    records = kind.blank(count)
    kind.write(records, "SRC_SEQ_CTR", (first_sequence + np.arange(count)) % SEQUENCE_MODULUS)
    kind.write(records, "BURST_ID", int(burst_id.removeprefix("sb")))
    return records


def _write_time(kind: PacketType, records: Records, ticks: Integers) -> None:
    if len(ticks) and not (ticks.min() >= 0 and ticks.max() < MAX_TICKS):
        raise InvalidInput(
            f"packet times: {ticks.min() / TICKS_PER_SECOND:.3f} to {ticks.max() / TICKS_PER_SECOND:.3f} s; "
            "expected seconds from the mission's epoch (MET), below 2**32"
        )
    kind.write(records, "TIME_COARSE", ticks // TICKS_PER_SECOND)
    kind.write(records, "TIME_FINE", ticks % TICKS_PER_SECOND)


def _finish(kind: PacketType, records: Records) -> list[bytes]:
    """Set the packet error control and return the packets one by one."""
    body = records.view(np.uint8).reshape(len(records), kind.size)[:, :-2]
    kind.write(records, "PACKET_ERROR_CONTROL", crc16(np.ascontiguousarray(body)))
    raw = records.tobytes()
    return [raw[start : start + kind.size] for start in range(0, len(raw), kind.size)]
