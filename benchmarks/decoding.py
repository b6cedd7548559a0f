"""Decoding of photon packets against memcpy and against a loop with struct, in one run.

Run ``python benchmarks/decoding.py [photons]``. Three stages are timed apart, since they do different work:
*unpacking* turns packets that are known to be good into columns; *checking* is the CRC of every byte;
*decode_stream* is everything: framing, CRC, content checks, sequence, unpacking. The loop without CRC is the
measure of the first, the loop with CRC of the last.
"""

from __future__ import annotations

import struct
import sys
from binascii import crc_hqx
from collections.abc import Callable
from time import perf_counter

import numpy as np

from mxtvhf.attitude import AttitudeHistory
from mxtvhf.packets import decode_stream, encode_photons, encode_pointing
from mxtvhf.packets.content import photons as unpack
from mxtvhf.packets.crc import crc16
from mxtvhf.packets.layout import layout
from mxtvhf.photons import PhotonList
from mxtvhf.pointing import quaternion_of

BURST, START, SIZE = "sb26051102", 295268612.0, 92


def best_of(repeats: int, call: Callable[[], object]) -> float:
    """Return the shortest of several times, seconds."""
    times = []
    for _ in range(repeats):
        start = perf_counter()
        call()
        times.append(perf_counter() - start)
    return min(times)


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


def main() -> None:
    """Print times and ratios."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    raw = b"".join(encode_photons(simulated(count), BURST))
    pointing = b"".join(
        encode_pointing(
            AttitudeHistory(np.array([START]), quaternion_of(10, 20, 30)[None], np.array([True])), BURST
        )
    )
    kind = layout().photon
    records = np.frombuffer(raw, kind.dtype)
    rows = np.frombuffer(raw, np.uint8).reshape(-1, SIZE)
    target = bytearray(len(raw))
    times = {
        "memcpy of the packets": best_of(9, lambda: target.__setitem__(slice(None), raw)),
        "unpacking": best_of(5, lambda: unpack(kind, records)),
        "checking (CRC)": best_of(5, lambda: crc16(rows)),
        "decode_stream": best_of(5, lambda: decode_stream(raw + pointing, BURST, name="benchmark")),
        "struct loop, no CRC": best_of(2, lambda: struct_loop(raw, check=False)),
        "struct loop with CRC": best_of(2, lambda: struct_loop(raw, check=True)),
    }
    print(f"{count} photons in {len(raw) // SIZE} packets, {len(raw) / 1e6:.1f} MB")
    for name, seconds in times.items():
        print(f"  {name:24s} {seconds * 1e3:9.2f} ms  {count / seconds / 1e6:9.1f} Mphotons/s")
    for stage, loop in (("unpacking", "struct loop, no CRC"), ("decode_stream", "struct loop with CRC")):
        to_copy, to_loop = times["memcpy of the packets"] / times[stage], times[loop] / times[stage]
        print(f"  {stage}: {to_copy:.3f} x memcpy, {to_loop:.0f} x {loop}")


if __name__ == "__main__":
    main()
