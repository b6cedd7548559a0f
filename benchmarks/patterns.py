"""Compare the time of the event reconstruction with that of a loop over the pixel entries.

Run ``python -m benchmarks.patterns``.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from benchmarks.timing import in_turn, print_times
from mxtvhf.events.patterns import reconstruct
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.calibration import default_calibration
from mxtvhf.simulator.photons import simulate_photons
from mxtvhf.simulator.readout import read_out


def by_loop(pixels: PhotonList) -> int:
    """Return the number of valid events, found pixel by pixel as in `reconstruct`, but without numpy."""
    frames = defaultdict(dict)
    for time, x, y, pha in zip(*(column.tolist() for column in pixels.columns), strict=True):
        frames[time][x, y] = pha
    valid = 0
    for left in frames.values():
        while left:
            ahead, cluster = [next(iter(left))], []
            while ahead:
                x, y = pixel = ahead.pop()
                if left.pop(pixel, None) is not None:
                    cluster.append(pixel)
                    ahead += [(x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)]
            valid += all(max(axis) - min(axis) <= 1 for axis in zip(*cluster, strict=True))
    return valid


def main() -> None:
    """Print the times for bursts of three sizes."""
    rng = np.random.default_rng(1)
    for photons in (300, 3_000, 65_000):
        sent = simulate_photons(
            x=100.0, y=60.0, counts=photons, background=150, start=0.0, stop=3000.0, rng=rng
        )
        pixels = read_out(sent, rng, gain=default_calibration().gain)
        assert by_loop(pixels) == len(reconstruct(pixels).photons)
        times = in_turn(
            {
                "joined": lambda p=pixels: reconstruct(p),
                "joined, with counts and pile-up": lambda p=pixels: reconstruct(p).counts(),
                "plain loop": lambda p=pixels: by_loop(p),
            },
            20,
        )
        print(f"{len(sent)} photons, {len(pixels)} pixel entries: {reconstruct(pixels).counts()}")
        print_times(times)
        print(f"  joined: {times['plain loop'] / times['joined']:.0f} x a plain loop")


if __name__ == "__main__":
    main()
