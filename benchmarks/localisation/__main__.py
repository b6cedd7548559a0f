"""Print the tables of ``docs/decisions/localisation-method.md``, section Localisation.

Run ``python -m benchmarks.localisation [--trials N] [--only TEXT] ...`` in the root of the project. Seeds are
fixed, and all methods in a row get the same photons.

The Cramer-Rao bound is the error of an unbiased estimator of two Gaussian coordinates whose covariance is the
inverse Fisher information of position, source and background in the photon positions. ``error / bound``
compares the medians and the 90th percentiles of both distance distributions. All times are CPU times, so that
other processes on the machine count little.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from benchmarks.localisation import others
from mxtvhf.analysis.powerlaw import PowerLaw
from mxtvhf.events.event_file import EventFile
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.calibration import default_calibration
from mxtvhf.instrument.constants import pixel_scale_arcsec
from mxtvhf.instrument.pointing import Pointing
from mxtvhf.instrument.psf import LobsterEyePsf
from mxtvhf.localisation.background import (
    BackgroundDensities,
    background_courses,
    background_groups,
    background_spectra,
)
from mxtvhf.localisation.photon_weights import (
    energy_weights,
    expected_shares,
    joint_weights,
    time_weights,
)
from mxtvhf.localisation.position import SourceLocalisation, default_psf, localise, ts_threshold
from mxtvhf.localisation.prior import PositionPrior
from mxtvhf.localisation.stretch import best_stretch
from mxtvhf.simulator.photons import simulate_photons
from mxtvhf.simulator.pointing import moving_attitude, seen_with

TABLES = ("spatial", "sharper", "drifting", "speed", "false-alarms")
SIZE = 256
START, STOP = 100.0, 400.0
"""Start and stop of the observation, seconds after T0."""
GTI = np.array([[START, STOP]])
DECAY = 1.2
ECLAIRS_R90_ARCSEC = 240.0
RAYLEIGH_90 = np.sqrt(2.0 * np.log(10.0))


@dataclass(frozen=True)
class Case:
    """Parameters of a table row: numbers of photons, positions, bad columns and true source."""

    name: str
    counts: float
    background: float
    low: float = 20.0
    high: float = 235.0
    bad_columns: tuple[int, ...] = ()
    true_width: float = 1.0
    """Ratio of the core widths of the simulated and the assumed PSF."""
    photon_index: float = 2.0
    nh_cm2: float = 1e21
    decay: float = DECAY

    @property
    def mask(self) -> np.ndarray:
        """Bad pixels, ``[row, column]``."""
        mask = np.zeros((SIZE, SIZE), dtype=bool)
        mask[:, list(self.bad_columns)] = True
        return mask

    def psf(self) -> LobsterEyePsf:
        """Return the PSF of the simulated photons."""
        return default_psf().scaled(self.true_width)

    def bursts(self, trials: int, seed: int) -> Iterator[tuple[float, float, PhotonList]]:
        """Yield random source positions with their photons."""
        rng = np.random.default_rng(seed)
        for _ in range(trials):
            x, y = rng.uniform(self.low, self.high), rng.uniform(20.0, 235.0)
            yield x, y, simulate_photons(
                x=x, y=y, counts=self.counts, background=self.background, start=START, stop=STOP, rng=rng,
                burst_time=0.0, decay_index=self.decay, spectrum=PowerLaw(self.photon_index, self.nh_cm2),
                psf=self.psf(), bad_pixels=self.mask,
            )  # fmt: skip


BAD = (*range(30, 33), 77, 100, *range(126, 130), 160, 161, 200, 201, 202, 203, 240)
SPATIAL = (
    Case("strong", 60, 50),
    Case("strong", 120, 300),
    Case("strong", 300, 1000),
    Case("strong", 5000, 1000),
    Case("medium", 30, 50),
    Case("medium", 60, 300),
    Case("medium", 120, 1000),
    Case("faint", 15, 50),
    Case("faint", 30, 300),
    Case("faint", 60, 1000),
    Case("bad columns", 60, 50, bad_columns=BAD),
    Case("bad columns", 120, 300, bad_columns=BAD),
    Case("bad columns", 300, 1000, bad_columns=BAD),
    Case("near an edge", 120, 300, low=0.0, high=12.0),
    Case("core 20 % wider", 120, 300, true_width=1.2),
    Case("core 20 % wider", 1000, 300, true_width=1.2),
    Case("core 20 % narrower", 120, 300, true_width=0.8),
    Case("core 20 % narrower", 1000, 300, true_width=0.8),
    Case("core 40 % narrower", 120, 300, true_width=0.6),
)
SHARPER = (
    Case("as expected", 15, 50),
    Case("as expected", 30, 50),
    Case("as expected", 60, 50),
    Case("as expected", 30, 300),
    Case("as expected", 60, 300),
    Case("as expected", 120, 300),
    Case("as expected", 60, 1000),
    Case("as expected", 300, 1000),
    Case("hard, absorbed, steady", 60, 300, photon_index=1.4, nh_cm2=1e22, decay=0.0),
    Case("soft, steep decay", 60, 300, photon_index=2.8, decay=2.5),
)


SPEED = (Case("strong", 60, 50), Case("strong", 300, 1000), Case("strong", 5000, 1000))
DEAD = tuple(range(120, 136))
DRIFTING = tuple(
    (drift, Case("dead columns", counts, background, low=95.0, high=160.0, bad_columns=DEAD))
    for drift in (60.0, 300.0)
    for counts, background in ((60, 50), (300, 1000))
)
"""Drift of the boresight during the observation, arcsec, with a source near dead columns."""


def covariance(case: Case, x: float, y: float) -> np.ndarray:
    """Return the Cramer-Rao bound of (x, y), pixels squared, with free source and background."""
    psf, good = case.psf(), ~case.mask
    image = psf.image(x, y) / psf.enclosed(x, y)
    slopes = psf.gradient(x, y) / psf.enclosed(x, y)
    rate = (case.counts * image + case.background / SIZE**2)[good]
    derivative = np.stack(
        [case.counts * slopes[0][good], case.counts * slopes[1][good], image[good], np.ones(good.sum())]
    )
    return np.linalg.inv((derivative / rate) @ derivative.T)[:2, :2]


def background_of(photons: PhotonList, fading: np.ndarray) -> BackgroundDensities:
    """Return the densities of the background components at the photons."""
    return BackgroundDensities(
        background_spectra(photons.pha, default_calibration()),
        background_courses(photons.time, GTI, fading),
        background_groups(default_calibration()),
    )


class Bound:
    """Random errors of the ideal estimator for all bursts."""

    def __init__(self, case: Case, seed: int) -> None:
        self.case, self.rng = case, np.random.default_rng(seed + 1)
        self.drawn: list[np.ndarray] = []

    def add(self, x: float, y: float) -> None:
        """Draw errors for a burst at a detector position."""
        drawn = self.rng.multivariate_normal((0.0, 0.0), covariance(self.case, x, y), 50)
        self.drawn.append(np.hypot(drawn[:, 0], drawn[:, 1]))

    def quantiles(self) -> np.ndarray:
        """Return median and 90th percentile, arcsec."""
        return pixel_scale_arcsec() * np.quantile(self.drawn, (0.5, 0.9))


class Tally:
    """Errors and times of one method."""

    def __init__(self) -> None:
        self.error: list[float] = []
        self.seconds: list[float] = []

    def time(self, work: Callable[[], SourceLocalisation | tuple[float, float]], x: float, y: float) -> None:
        """Call a method and record the distance of its result from (x, y) and its CPU time."""
        begun = time.process_time()
        found = work()
        self.seconds.append(time.process_time() - begun)
        self.add(found, x, y)

    def add(self, found: SourceLocalisation | tuple[float, float], x: float, y: float) -> None:
        """Record the distance of a result from (x, y)."""
        column, row = (found.x, found.y) if isinstance(found, SourceLocalisation) else found
        self.error.append(pixel_scale_arcsec() * np.hypot(column - x, row - y))

    def ratios(self, bound: Bound) -> np.ndarray:
        """Return error / bound at the median and the 90th percentile."""
        return np.quantile(self.error, (0.5, 0.9)) / bound.quantiles()

    @property
    def milliseconds(self) -> float:
        """Median CPU time."""
        return 1e3 * float(np.median(self.seconds))


class Honesty:
    """Coverage of the radii and detection rate."""

    def __init__(self) -> None:
        self.rows: list[tuple[float, ...]] = []

    def add(self, found: SourceLocalisation, x: float, y: float, counts: float) -> None:
        """Record a result."""
        distance = pixel_scale_arcsec() * np.hypot(found.x - x, found.y - y)
        self.rows.append(
            (
                distance <= found.r50,
                distance <= found.r90,
                found.detected,
                found.upper_limit >= counts,
                found.r90,
            )
        )

    def __str__(self) -> str:
        """Return percentages and the median R90.

        The percentages: coverage of R50 and R90, detection rate, coverage of R90 for detections, and
        non-detections below their upper limit.
        """
        inside50, inside90, seen, limited, r90 = np.asarray(self.rows, dtype=float).T
        of_seen = 100 * inside90[seen > 0].mean() if seen.any() else np.nan
        of_unseen = 100 * limited[seen == 0].mean() if not seen.all() else np.nan
        parts = [
            100 * inside50.mean(),
            100 * inside90.mean(),
            100 * seen.mean(),
            of_seen,
            of_unseen,
        ]
        return " ".join(f"{part:6.1f}" for part in parts) + f" {np.median(r90):7.1f}"


def spatial(case: Case, trials: int, seed: int, *, rivals: int) -> str:
    """Compare the methods that only use photon positions; return a table row."""
    bound, honesty = Bound(case, seed), Honesty()
    place, circle = Tally(), Tally()
    tallies = {
        method: Tally() for method in (others.cross_correlation, others.photutils_centroid, others.sherpa_fit)
    }
    matched = Bound(case, seed)
    mine = Tally()
    for k, (x, y, photons) in enumerate(case.bursts(trials, seed)):
        find = partial(localise, photons.x, photons.y, bad_pixels=case.mask)
        place.time(find, x, y)
        begun = time.process_time()
        found = find()
        _ = found.r90
        circle.seconds.append(time.process_time() - begun)
        honesty.add(found, x, y, case.counts)
        bound.add(x, y)
        if k < rivals:
            pixel = photons.y.astype(int) * SIZE + photons.x
            image = np.bincount(pixel, minlength=SIZE**2).reshape(SIZE, SIZE)
            for method, tally in tallies.items():
                tally.time(partial(method, image, case.psf()), x, y)
            matched.add(x, y)
            mine.error.append(place.error[-1])
    ours = place.ratios(bound)
    line = f"{case.name:19s} {case.counts:5.0f} /{case.background:5.0f} {bound.quantiles()[0]:7.1f} "
    line += f"{ours[0]:6.3f} {ours[1]:6.3f}  {honesty}  {place.milliseconds:5.2f} {circle.milliseconds:5.2f}"
    if not rivals:
        return line
    line += f"  {mine.ratios(matched)[0]:6.3f}"
    for tally in tallies.values():
        ratio = tally.ratios(matched)
        line += f"  {ratio[0]:6.3f} {ratio[1]:6.3f} {tally.milliseconds:6.2f}"
    return line


def measured(tally: Tally, honesty: Honesty, bound: Bound) -> str:
    """Return the end of a table row: error / bound, and coverage."""
    median, high = tally.ratios(bound)
    return f"{median:6.3f} {high:6.3f}  {honesty}"


def sharper(case: Case, trials: int, seed: int) -> Iterator[str]:
    """Compare the effect of energies, times and an ECLAIRs prior; yield a table row for each."""
    calibration = default_calibration()
    rng = np.random.default_rng(seed + 2)
    bound = Bound(case, seed)
    ways: dict[str, tuple[Tally, Honesty]] = {
        name: (Tally(), Honesty()) for name in ("place", "energy", "energy, time", "ECLAIRs", "all")
    }
    for x, y, photons in case.bursts(trials, seed):
        energy = energy_weights(photons.pha, calibration)
        arrival = time_weights(photons.time, GTI, 0.0)
        both = {
            "weights": joint_weights(energy, arrival),
            "shares": expected_shares(decays=True),
            "background": background_of(photons, arrival),
        }
        sigma = ECLAIRS_R90_ARCSEC / RAYLEIGH_90 / pixel_scale_arcsec()
        prior = PositionPrior(x + sigma * rng.normal(), y + sigma * rng.normal(), sigma, 0.9)
        given = {
            "place": {},
            "energy": {
                "weights": energy,
                "shares": expected_shares(decays=False),
                "background": BackgroundDensities(background_spectra(photons.pha, calibration)),
            },
            "energy, time": both,
            "ECLAIRs": {"prior": prior},
            "all": {**both, "prior": prior},
        }  # fmt: skip
        for name, (tally, honesty) in ways.items():
            found = localise(photons.x, photons.y, **given[name])
            tally.add(found, x, y)
            honesty.add(found, x, y, case.counts)
        bound.add(x, y)
    for name, row in ways.items():
        start = f"{case.name:22s} {case.counts:5.0f} /{case.background:5.0f}"
        yield f"{start}  {name:12s} {measured(*row, bound)}"


def drifting(drift: float, case: Case, trials: int, seed: int) -> Iterator[str]:
    """Compare treatments of bad pixels that drift over the sky; yield a table row for each."""
    rng, alignment = np.random.default_rng(seed + 3), default_calibration().alignment
    pointing = Pointing(83.6, 22.0, 30.0)
    attitude = moving_attitude(pointing, START, STOP, drift_arcsec=drift)
    spread = 0.5 * drift
    bound, sky = Bound(case, seed), replace(case, bad_columns=())
    ways = {"looked past for a part of the time": (Tally(), Honesty()), "taken as good": (Tally(), Honesty())}
    for x, y, photons in sky.bursts(trials, seed):
        seen = seen_with(attitude, pointing, photons, rng)
        seen = seen.selected(~case.mask[seen.y, seen.x])
        events = EventFile(seen, GTI, pointing, spread, attitude, {}, START)
        steady = events.drift_corrected_pixels(alignment)
        column, row = steady.x[steady.on_detector], steady.y[steady.on_detector]
        looking = events.exposure_map(~case.mask, alignment)
        for exposure, (tally, honesty) in zip((looking, None), ways.values(), strict=True):
            found = localise(column, row, exposure=exposure)
            tally.add(found, x, y)
            honesty.add(found, x, y, case.counts)
        bound.add(x, y)
    for name, row in ways.items():
        yield f"{drift:5.0f} {case.counts:5.0f} /{case.background:5.0f}  {name:35s} {measured(*row, bound)}"


def all_sources(photons: PhotonList) -> SourceLocalisation:
    """Find all sources with energies, times and the interval of a possible flare, as the workflow does."""
    energy, fading = energy_weights(photons.pha, default_calibration()), time_weights(photons.time, GTI, 0.0)
    stretch = best_stretch(
        photons.x, photons.y, np.average(energy, axis=0, weights=expected_shares(decays=False)), photons.time,
        GTI, np.ones((SIZE, SIZE)), default_psf(),
    )  # fmt: skip
    arrival = np.vstack([fading, stretch.weights])
    return localise(
        photons.x, photons.y, weights=joint_weights(energy, arrival),
        shares=expected_shares(decays=True, stretch=stretch.share),
        background=background_of(photons, arrival), candidates=[stretch.position],
    )  # fmt: skip


def speed(case: Case, trials: int, seed: int, *, rivals: int) -> str:
    """Compare the CPU time of positions alone, of the full list and of sherpa's fit; return a table row."""
    alone, full, sherpa = Tally(), Tally(), Tally()

    def with_r90(find: Callable[[], SourceLocalisation]) -> SourceLocalisation:
        found = find()
        _ = [source.r90 for source in (found, *found.others)]
        return found

    for k, (x, y, photons) in enumerate(case.bursts(trials, seed)):
        alone.time(partial(with_r90, partial(localise, photons.x, photons.y)), x, y)
        full.time(partial(with_r90, partial(all_sources, photons)), x, y)
        if k < rivals:
            image = np.zeros((SIZE, SIZE))
            np.add.at(image, (photons.y, photons.x), 1.0)
            sherpa.time(partial(others.sherpa_fit, image, case.psf()), x, y)
    line = f"{case.counts:5.0f} /{case.background:5.0f}  {alone.milliseconds:9.1f} {full.milliseconds:9.1f}"
    return f"{line} {sherpa.milliseconds:9.1f}" if rivals else line


def false_alarms(trials: int, seed: int) -> Iterator[str]:
    """Yield how often pure background reaches a TS, with photon positions alone and with energy and time."""
    levels = (12.0, 14.0, 16.0, 18.0, 20.0, 22.0, 25.0)
    calibration = default_calibration()
    yield f"\nBackground only, {trials} fields each: fraction with TS above"
    yield "photons with         " + " ".join(f"{level:8.0f}" for level in levels)
    for background in (10, 50, 300, 1000):
        case = Case("none", 0.0, background)
        ts: dict[str, list[float]] = {"place": [], "energy, time": []}
        for _, _, photons in case.bursts(trials, seed):
            if not len(photons):
                continue
            arrival = time_weights(photons.time, GTI, 0.0)
            weights = joint_weights(energy_weights(photons.pha, calibration), arrival)
            ts["place"].append(localise(photons.x, photons.y).ts)
            found = localise(
                photons.x, photons.y, weights=weights, shares=expected_shares(decays=True),
                background=background_of(photons, arrival),
            )  # fmt: skip
            ts["energy, time"].append(found.ts)
        for name, values in ts.items():
            shares = " ".join(f"{np.mean(np.asarray(values) >= level):8.5f}" for level in levels)
            yield f"{background:7d} {name:12s} {shares}   highest {max(values):.1f}"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=400, help="bursts per row (default 400)")
    parser.add_argument(
        "--rivals", type=int, default=100, help="bursts per row for the other methods (0: none)"
    )
    parser.add_argument("--only", default="", help="only rows whose name contains this text")
    parser.add_argument("--table", choices=TABLES, help="only this table")
    parser.add_argument("--false-alarms", type=int, default=400, help="empty fields per background level")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    tables = (arguments.table,) if arguments.table else TABLES
    print(f"{arguments.trials} bursts per row, seed {arguments.seed}, detection at TS >= {ts_threshold():g}")
    if "spatial" in tables:
        print(
            "                                   bound   error/bound       held by, %    seen  (r90) (limit)"
            "    r90       ms of   on the same bursts: ours, cross-correlation, photutils, sherpa\n"
            '                     source/back. median" median   90 %     r50    r90      %      %      %'
            ' median"  place   r90    ours  median   90 %     ms  median   90 %     ms  median   90 %     ms'
        )
        for case in SPATIAL:
            if arguments.only in case.name:
                print(spatial(case, arguments.trials, arguments.seed, rivals=arguments.rivals), flush=True)
    if "sharper" in tables:
        print(
            "\nWith energy, time and prior: error / bound of photon positions alone\n"
            "source                  source/back.  with         median   90 %     r50    r90   seen"
            '  (r90) (limit)   r90"'
        )
        for case in SHARPER:
            if arguments.only in case.name:
                print("\n".join(sharper(case, arguments.trials, arguments.seed)), flush=True)
    if "drifting" in tables:
        print(
            f"\nDead columns {DEAD[0]}-{DEAD[-1]} that drift over the sky: "
            "error / bound without drift\n"
            "drift  source/back.  dead columns are                   median   90 %     r50    r90   seen"
            '  (r90) (limit)   r90"'
        )
        for drift, case in DRIFTING:
            if arguments.only in case.name:
                print("\n".join(drifting(drift, case, arguments.trials, arguments.seed)), flush=True)
    if "speed" in tables:
        print("\nMedian CPU time with R90, ms\nsource/back.   position  all sources  sherpa's position")
        for case in SPEED:
            if arguments.only in case.name:
                print(speed(case, arguments.trials, arguments.seed, rivals=arguments.rivals), flush=True)
    if "false-alarms" in tables:
        for line in false_alarms(arguments.false_alarms, arguments.seed):
            print(line, flush=True)


if __name__ == "__main__":
    main()
