"""Noise map: counts of each detector pixel in many runs, outside of sources.

One run reveals only the worst faults of the detector. Over many runs the background fills every pixel, so
that weaker faults and dead pixels stand out; each pixel is compared with its surroundings as in one run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from mxtvhf.instrument.calibration import BadPixels, PastRunsRecord
from mxtvhf.instrument.constants import instrument
from mxtvhf.instrument.pixels import RawMask, RawPixel, blocks_mask, pixels_of
from mxtvhf.localisation.detector_faults import faults_of_image
from mxtvhf.localisation.model import DetectorFaults
from mxtvhf.models.arrays import Floats
from mxtvhf.models.times import utc_text


@dataclass(frozen=True, eq=False)
class NoiseMap:
    """Photons and exposure of the pixels, summed over runs.

    Attributes
    ----------
    counts
        Photons per pixel, ``[row, column]``, raw coordinates.
    exposure
        Seconds during which each pixel was in use and away from any source, the same shape.
    """

    counts: npt.NDArray[np.int64]
    exposure: Floats

    @classmethod
    def of_run(
        cls,
        column: npt.NDArray[np.int16],
        row: npt.NDArray[np.int16],
        exposure_s: float,
        good: npt.NDArray[np.bool_],
        sources: Iterable[tuple[float, float]] = (),
        radius: float = 0.0,
    ) -> NoiseMap:
        """Return the map of one run.

        Parameters
        ----------
        column, row
            Raw coordinates of its photons, shape (photons,).
        exposure_s
            Its exposure, seconds.
        good
            True where a pixel is not known to be bad, ``[row, column]``.
        sources
            Positions (column, row) of its sources, pixels.
        radius
            Radius around each source that is left out, pixels.
        """
        rows, columns = np.indices(good.shape)
        used = good.copy()
        for x, y in sources:
            used &= np.hypot(columns - x, rows - y) > radius
        counts = np.zeros(good.shape, dtype=np.int64)
        np.add.at(counts, (row, column), 1)
        return cls(np.where(used, counts, 0), np.where(used, exposure_s, 0.0))

    def __add__(self, other: NoiseMap) -> NoiseMap:
        """Return the sum of two maps."""
        return NoiseMap(self.counts + other.counts, self.exposure + other.exposure)

    @property
    def n_photons(self) -> int:
        """Return the number of photons."""
        return int(self.counts.sum())

    def faults(self) -> DetectorFaults:
        """Return the pixels, clusters, lines and blocks that are significantly noisy or dead.

        The numbers of false alarms in ``detection.toml`` apply to one map.
        """
        return faults_of_image(self.counts, self.exposure, single_dead_pixels=True)


def empty_noise_map() -> NoiseMap:
    """Return a map without runs."""
    detector = instrument().detector
    shape = (detector.rows, detector.columns)
    return NoiseMap(np.zeros(shape, np.int64), np.zeros(shape))


def bad_pixels_of(
    faults: DetectorFaults,
    known: BadPixels,
    *,
    runs: Sequence[str],
    n_photons: int,
    made: datetime,
    valid_from: datetime,
) -> BadPixels:
    """Return the calibration file with the faults of a noise map and the known bad pixels.

    Parameters
    ----------
    faults
        Faults of the map.
    known
        Bad-pixel file in use; its version number is increased by one.
    runs
        Run ids.
    n_photons
        Number of photons in the map.
    made
        Creation time, UTC.
    valid_from
        Start of validity, UTC.
    """
    lines = (*faults.noisy_lines, *faults.dead_lines)
    blocks = RawMask(blocks_mask(faults.dead_blocks))
    pixels = {*map(RawPixel._make, known.pixels), *faults.hot_pixels, *faults.dead_pixels, *pixels_of(blocks)}
    return BadPixels(
        item="bad_pixels",
        version=f"{int(known.version[:3]) + 1:03d}-noisemap",
        valid_from=valid_from,
        assumed=False,
        source=f"noise map of {len(runs)} runs with {n_photons} photons, and bad_pixels {known.version}",
        pixels=tuple(sorted((column, row) for column, row in pixels)),
        columns=tuple(sorted({*known.columns, *(line.number for line in lines if line.axis == "column")})),
        rows=tuple(sorted({*known.rows, *(line.number for line in lines if line.axis == "row")})),
        noise_map=PastRunsRecord(made=made, runs=tuple(runs), n_photons=n_photons),
    )


def bad_pixels_text(file: BadPixels) -> str:
    """Return a calibration file of bad pixels as TOML text.

    Parameters
    ----------
    file
        Bad-pixel file.
    """
    record = file.noise_map
    lines = [
        "# 0-based addresses of the pixels ([column, row]), columns and rows to exclude.",
        'item = "bad_pixels"',
        f'version = "{file.version}"',
        f"valid_from = {utc_text(file.valid_from)}",
        *([f"valid_until = {utc_text(file.valid_until)}"] if file.valid_until else []),
        f"assumed = {str(file.assumed).lower()}",
        f'source = "{file.source}"',
        "",
        f"pixels = [{', '.join(f'[{column}, {row}]' for column, row in file.pixels)}]",
        f"columns = [{', '.join(map(str, file.columns))}]",
        f"rows = [{', '.join(map(str, file.rows))}]",
    ]
    if record is not None:
        lines += [
            "",
            "[noise_map]",
            f"made = {utc_text(record.made)}",
            f"n_photons = {record.n_photons}",
            "runs = [",
            *(f'    "{run}",' for run in record.runs),
            "]",
        ]
    return "\n".join(lines) + "\n"
