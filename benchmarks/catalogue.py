"""Compare cone searches in a local catalogue: ours, astropy's ``search_around_sky`` and a full scan.

Run ``python -m benchmarks.catalogue [--sources N] [--cones N]`` in the root of the project. The catalogue is
synthetic: sources over the whole sky, with a median error of 4 arcsec and errors of arcminutes for 1 in 1000.
The cones have radii of 0.5 to 5 arcmin. All methods get the same cones and must find the same number of
sources. The tables give CPU times, which depend little on the load, and the 95th percentile of wall times.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord, search_around_sky
from astropy.io import fits

from mxtvhf.catalogues.store import CatalogueStore

NAME = "synthetic"
INGEST = """import resource, sys
from pathlib import Path
from mxtvhf.catalogues.columns import Choice
from mxtvhf.catalogues.ingest import add_catalogue
add_catalogue(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], Choice(error_kind="r90"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"""
BRIGHT = """from pathlib import Path
from mxtvhf.catalogues.store import CatalogueStore
CatalogueStore(Path("/nowhere")).cone(10.0, 20.0, 120.0)"""
FIRST = """import sys
from pathlib import Path
from mxtvhf.catalogues.store import CatalogueStore
CatalogueStore(Path(sys.argv[1])).cone(10.0, 20.0, 120.0)
"""


def synthetic(path: Path, count: int) -> None:
    """Write a FITS catalogue."""
    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(0.0, 360.0, count), np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, count)))
    r90 = rng.gamma(3.0, 1.5, count)
    r90[rng.random(count) < 1e-3] += 200.0
    columns = [
        fits.Column("NAME", "20A", array=np.char.add("SYN ", np.arange(count).astype(str))),
        fits.Column("RA", "D", unit="deg", array=ra),
        fits.Column("DEC", "D", unit="deg", array=dec),
        fits.Column("R90", "E", unit="arcsec", array=r90),
        fits.Column("FLUX", "E", unit="erg / (s cm2)", array=10.0 ** rng.uniform(-14.0, -10.0, count)),
        fits.Column("CLASS", "6A", array=rng.choice(["AGN", "LMXB", "star", ""], count)),
    ]
    fits.BinTableHDU.from_columns(columns).writeto(path)


def cones(count: int) -> Any:
    """Return (RA, Dec, radius) of random cones, ICRS degrees and arcsec."""
    rng = np.random.default_rng(2)
    dec = np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, count)))
    return np.column_stack([rng.uniform(0.0, 360.0, count), dec, rng.uniform(30.0, 300.0, count)])


def child(code: str, *arguments: str) -> tuple[float, float, str]:
    """Run code in a new process; return its CPU time, wall time and output."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True
    )
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall, done.stdout.strip()


def timed(call: Callable[..., int], asked: Any) -> tuple[Any, list[int]]:
    """Return the CPU and wall times of cone searches in ms, and the number of sources of each."""
    times, found = [], []
    for cone in asked:
        start = np.array([time.process_time(), time.perf_counter()])
        found.append(call(*cone))
        times.append(1e3 * (np.array([time.process_time(), time.perf_counter()]) - start))
    return np.array(times).T, found


def line(name: str, times: Any) -> str:
    """Return a line of the table."""
    cpu, wall = times
    return f"| {name} | {np.median(cpu):.2f} | {np.percentile(cpu, 95):.2f} | {np.percentile(wall, 95):.2f} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sources", type=lambda text: int(float(text)), default=1_000_000)
    parser.add_argument("--cones", type=int, default=1000)
    parser.add_argument("--slow-cones", type=int, default=10, help="cones for the slower methods")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), options.sources, options.cones, options.slow_cones)


def measure(folder: Path, count: int, many: int, few: int) -> None:
    """Write the catalogue, ingest it, and search it with all methods."""
    file, root = folder / "synthetic.fits", folder / "store"
    synthetic(file, count)
    cpu, wall, memory = child(INGEST, str(root), str(file), NAME)
    (data,) = (root / NAME).glob("*.sqlite")
    print(f"ingest of {count} sources: {count / cpu:.0f} per CPU second ({wall:.0f} s wall time),", end=" ")
    print(
        f"{float(memory):.0f} MB of memory, {data.stat().st_size / file.stat().st_size:.2f} of the FITS file"
    )
    for name, code in (("bright-xray only", BRIGHT), ("the catalogue", FIRST)):
        first = min(child(code, str(root))[0] for _ in range(5)) - min(child("")[0] for _ in range(5))
        print(f"first search of a new process, {name}: {1e3 * first:.0f} ms of CPU time with all imports")

    store, asked = CatalogueStore(root), cones(many)
    ours, found = timed(lambda *cone: total(store, cone), asked)
    print("\n| cone search | CPU ms, median | 95 % | wall ms, 95 % |\n|---|---|---|---|")
    print(line("ours", ours))
    with fits.open(file) as hdus:
        ra, dec, r90 = (np.asarray(hdus[1].data[name], float) for name in ("RA", "DEC", "R90"))
    scan, same = timed(lambda *cone: scan_all(ra, dec, r90, *cone), asked[:few])
    print(line("full scan (numpy)", scan))
    assert same == found[:few]
    sky = SkyCoord(ra, dec, unit="deg")
    start = time.perf_counter()
    search_around_sky(sky[:1], sky, 1 * u.arcsec)
    built = time.perf_counter() - start
    kdtree, same = timed(lambda *cone: around(sky, r90, *cone), asked[:few])
    print(line(f"astropy search_around_sky (tree built in {built:.1f} s)", kdtree))
    assert same == found[:few]
    print(f"\nmedian full scan / ours {np.median(scan[0]) / np.median(ours[0]):.0f}, ", end="")
    print(f"median search_around_sky / ours {np.median(kdtree[0]) / np.median(ours[0]):.1f}")


def total(store: CatalogueStore, cone: Any) -> int:
    """Return the number of sources that our search finds."""
    (answer,) = store.cone(*cone, catalogue=NAME)
    return len(answer.sources) + answer.omitted


def scan_all(ra: Any, dec: Any, r90: Any, ra0: float, dec0: float, radius: float) -> int:
    """Compare every row with the cone, without an index."""
    a, d, a0, d0 = np.radians(ra), np.radians(dec), np.radians(ra0), np.radians(dec0)
    half = np.sin((d - d0) / 2.0) ** 2 + np.cos(d) * np.cos(d0) * np.sin((a - a0) / 2.0) ** 2
    return int((3600.0 * np.degrees(2.0 * np.arcsin(np.sqrt(half))) - r90 <= radius).sum())


def around(sky: SkyCoord, r90: Any, ra0: float, dec0: float, radius: float) -> int:
    """Search within the largest error radius, because astropy uses one radius for all sources."""
    centre = SkyCoord([ra0], [dec0], unit="deg")
    _, index, separation, _ = search_around_sky(centre, sky, (radius + r90.max()) * u.arcsec)
    return int((separation.arcsec - r90[index] <= radius).sum())


if __name__ == "__main__":
    main()
