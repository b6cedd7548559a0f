"""Fields that differ from the calibration in their background only: the localisation alone, T0 is known.

``python -m benchmarks.realsky.skies [--case TEXT] [--background N] [--trials N] [--seed S] [--json FILE]``:
several times as many trials in the same time as the whole table, for the rate of false alarms; `figures`
draws the file.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import zlib
from collections.abc import Iterator

import numpy as np

from benchmarks.realsky.cases import cases
from benchmarks.realsky.known_background import measured
from benchmarks.realsky.measure import Trial
from benchmarks.realsky.scene import Case
from benchmarks.realsky.table import print_table


def sky_cases() -> Iterator[Case]:
    """Return the cases of the table that differ in background and sources only."""
    for case in cases():
        if case == Case(case.name, case.background, case.sources):
            yield case


def run(case: Case, trials: int, seed: int) -> list[Trial]:
    """Make the trials of a case."""
    counts = [source.counts for source in case.sources]
    own = zlib.crc32(f"{case.name} {counts} {case.background.counts}".encode())
    return [measured(case, np.random.default_rng((seed, own, k))) for k in range(trials)]


def main() -> None:
    """Print the table."""
    print_table(__doc__, sky_cases(), run)


if __name__ == "__main__":
    main()
