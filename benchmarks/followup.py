"""Measure the line of sight and the visibility of a position.

Run ``python -m benchmarks.followup [--positions N] [--sources N]`` in the root of the project. The line of
sight is that of the desk: coordinates, extinction, column, Sun and Moon, and known sources in a synthetic
catalogue of galaxies over the whole sky. Every position is new, so that no result can be reused. The table
gives medians and 95th percentiles of wall times; the goal for the line of sight is a median of 50 ms.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks.catalogue import synthetic
from mxtvhf.catalogues.columns import Choice
from mxtvhf.catalogues.ingest import add_catalogue
from mxtvhf.catalogues.model import SourceClass
from mxtvhf.catalogues.store import CatalogueStore
from mxtvhf.followup.line_of_sight import line_of_sight
from mxtvhf.followup.visibility import visibility

NOW = datetime(2026, 11, 30, 21, tzinfo=UTC)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--positions", type=int, default=200)
    parser.add_argument("--sources", type=lambda text: int(float(text)), default=1_000_000)
    options = parser.parse_args()
    draw = np.random.default_rng(1)
    dec = np.degrees(np.arcsin(draw.uniform(-1.0, 1.0, options.positions)))
    places = list(zip(draw.uniform(0.0, 360.0, len(dec)).tolist(), dec.tolist(), strict=True))
    with tempfile.TemporaryDirectory() as folder:
        file, root = Path(folder) / "galaxies.fits", Path(folder) / "store"
        synthetic(file, options.sources)
        add_catalogue(root, file, "galaxies", Choice(error_kind="r90"), contains=[SourceClass.GALAXIES])
        store = CatalogueStore(root)
        start = perf_counter()
        line_of_sight(10.0, 20.0, NOW, catalogues=store)
        first = 1e3 * (perf_counter() - start)
        print(f"first line of sight of the process, which reads the maps: {first:.0f} ms")
        print("\n| ms | median | 95 % |\n|---|---|---|")
        report(f"line of sight, {options.sources} catalogue sources", places,
               lambda ra, d: line_of_sight(ra, d, NOW, r90_arcsec=60.0, catalogues=store))  # fmt: skip
        report("visibility from all telescopes", places, lambda ra, d: visibility(ra, d, NOW))


def report(name: str, places: list[tuple[float, float]], call: Callable[[float, float], object]) -> None:
    """Print the line of the table for calls at all places."""
    times = []
    for place in places:
        start = perf_counter()
        call(*place)
        times.append(1e3 * (perf_counter() - start))
    print(f"| {name} | {np.median(times):.1f} | {np.percentile(times, 95):.1f} |")


if __name__ == "__main__":
    main()
