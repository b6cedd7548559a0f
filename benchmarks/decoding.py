"""Compare the decoding of photon packets with memcpy and with a loop over ``struct``.

Run ``python -m benchmarks.decoding [photons]``. The stages are timed separately:

* *columns*: unpack the fields of valid packets (16-bit frame, 8-bit column and row, 16-bit pulse height) into
  one array each, in native byte order;
* *photon list*: the same, validated, sorted by time and with times in seconds (float64): 2.1 bytes per packet
  byte;
* *CRC* of every byte;
* *decode_stream*: everything: framing, CRC, content checks, sequence, photon list.

Memcpy copies the bytes of the packets once between two arrays in memory.
"""

from __future__ import annotations

import struct
import sys
from binascii import crc_hqx

import numpy as np
import numpy.typing as npt

from benchmarks.timing import in_turn, print_times
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.attitude import AttitudeHistory
from mxtvhf.instrument.pointing import quaternion_of
from mxtvhf.telemetry.crc import crc16
from mxtvhf.telemetry.decode import decode_stream
from mxtvhf.telemetry.encode import encode_photons, encode_pointing
from mxtvhf.telemetry.layout import Records, layout
from mxtvhf.telemetry.payload import photons as unpack
from mxtvhf.telemetry.payload import slot_blocks

BURST, START, SIZE = "sb26051102", 295268612.0, 92


def simulated(count: int) -> PhotonList:
    """Return photons at ten per frame."""
    rng = np.random.default_rng(0)
    frames = np.sort(rng.integers(0, max(count // 10, 1), count))
    x, y = rng.integers(0, 256, (2, count)).astype(np.int16)
    return PhotonList(START + 0.1 * frames, x, y, rng.integers(0, 4096, count).astype(np.int32))


def struct_loop(raw: bytes, *, check: bool) -> int:
    """Decode with ``struct``, packet by packet; return the number of photons."""
    header, slot = struct.Struct(">HHHIHIBB"), struct.Struct(">HBBH")
    time, x, y, pha = [], [], [], []
    for start in range(0, len(raw), SIZE):
        if check and crc_hqx(raw[start : start + SIZE], 0xFFFF):
            continue
        *_, coarse, fine, _, _, count = header.unpack_from(raw, start)
        for index in range(count):
            frame, column, row, height = slot.unpack_from(raw, start + 18 + 6 * index)
            time.append(coarse + fine / 65536 + 0.1 * frame)
            x.append(column)
            y.append(row)
            pha.append(height)
    return len(PhotonList(*(np.array(values) for values in (time, x, y, pha))))


def columns(records: Records) -> list[npt.NDArray[np.uint16]]:
    """Unpack the fields of all slots."""
    kind = layout().photon
    found = [np.empty(len(records) * kind.slots, dtype) for dtype in ("u2", "u1", "u1", "u2")]
    for _, part, slots in slot_blocks(kind, records):
        for column, name in zip(found, ("FRAME", "COLUMN", "ROW", "PHA"), strict=True):
            column[part] = slots[name]
    return found


def main() -> None:
    """Print times and ratios."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    raw = b"".join(encode_photons(simulated(count), BURST))
    attitude = AttitudeHistory(np.array([START]), quaternion_of(10, 20, 30)[None], np.array([True]))
    stream = raw + b"".join(encode_pointing(attitude, BURST))
    kind = layout().photon
    records = np.frombuffer(raw, kind.dtype)
    rows = np.frombuffer(raw, np.uint8).reshape(-1, SIZE)
    target = rows.copy()
    times = in_turn(
        {
            "memcpy": lambda: np.copyto(target, rows),
            "columns": lambda: columns(records),
            "photon list": lambda: unpack(kind, records),
            "CRC": lambda: crc16(rows),
            "decode_stream": lambda: decode_stream(stream, BURST, name="benchmark"),
        },
        30,
    )
    loops = {
        "struct loop": lambda: struct_loop(raw, check=False),
        "struct loop with CRC": lambda: struct_loop(raw, check=True),
    }
    times |= in_turn(loops, 3)
    print(f"{count} photons in {len(raw) // SIZE} packets, {len(raw) / 1e6:.1f} MB")
    print_times(times)
    for stage, loop in (
        ("columns", "struct loop"),
        ("photon list", "struct loop"),
        ("decode_stream", "struct loop with CRC"),
    ):
        print(
            f"  {stage}: {count / times[stage] / 1e6:.0f} Mphotons/s, "
            f"{times['memcpy'] / times[stage]:.3f} x memcpy, {times[loop] / times[stage]:.0f} x {loop}"
        )


if __name__ == "__main__":
    main()
