"""Bursts seen with another PSF than the calibration's: the localisation alone, by photon positions alone.

``python -m benchmarks.realsky.shapes [--case TEXT] [--trials N] [--seed S] [--json FILE]``: several times as
many trials in the same time as the whole table, for the coverage of the total R90; `figures` draws the file.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import zlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from benchmarks.realsky.cases import cases
from benchmarks.realsky.facts import alignment_r90_arcsec, pixel_arcmin
from benchmarks.realsky.measure import R90_PER_SIGMA, Trial
from benchmarks.realsky.scene import Background, Case, Source, draw
from benchmarks.realsky.table import print_table
from mxtvhf.localisation.position import localise

COUNTS = ((60, 50), (120, 135), (300, 300), (1000, 300), (3000, 1000), (5000, 1000))
"""Source and background photons."""


def shape_cases() -> Iterator[Case]:
    """Return a case for each PSF of the table, and for the calibration's, with each number of photons."""
    found = {case.name: case for case in cases() if case.name.startswith("optics: ")}
    for case in (Case("burst", Background(0)), *found.values()):
        for counts, background in COUNTS:
            yield replace(case, sources=(Source(counts),), background=Background(background), flux=False)


def measured(case: Case, rng: np.random.Generator) -> Trial:
    """Draw one burst and localise it by its photon positions."""
    drawn = draw(case, rng)
    found = localise(drawn.column, drawn.row, find_hot_pixels=False)
    trial = Trial(detected=found.detected)
    if found.detected:
        offset = 60.0 * pixel_arcmin() * (np.array([found.x, found.y]) - drawn.places[0])
        alignment = alignment_r90_arcsec()
        wrong = offset + alignment / R90_PER_SIGMA * rng.standard_normal(2)
        trial.error, trial.r90 = float(np.hypot(*offset)), float(np.hypot(found.r90, alignment))
        trial.in_stat, trial.in_total = trial.error <= found.r90, trial.error <= trial.r90
        trial.in_misaligned = bool(np.hypot(*wrong) <= trial.r90)
        trial.source_ratio = found.n_source / max(1, int(drawn.counts[0]))
    return trial


def run(case: Case, trials: int, seed: int) -> list[Trial]:
    """Make the trials of a case."""
    own = zlib.crc32(f"{case.name} {case.sources[0].counts}".encode())
    return [measured(case, np.random.default_rng((seed, own, k))) for k in range(trials)]


def main() -> None:
    """Print the table."""
    print_table(__doc__, shape_cases(), run)


if __name__ == "__main__":
    main()
