"""How near the localisation comes to the Cramer-Rao bound, whether its radii are true, and how long it takes.

Run from the root of the project: ``python -m benchmarks.localisation [--trials N] [--only TEXT]
[--false-alarms N]``. Seeds are fixed. The errors of a plain cross-correlation of the photons with the PSF,
as an on-board computer does it, stand beside ours, from the same photons.

The bound: the errors that an unbiased estimator of two Gaussian coordinates would have with the covariance
given by the Fisher information of position, source and background. ``error / bound`` compares medians, and
90th percentiles, of the two sets of distances.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import time
from dataclasses import dataclass, field

import numpy as np
from scipy import fft

from mxtvhf.instrument import pixel_scale_arcsec
from mxtvhf.localisation import default_psf, localise, ts_threshold
from mxtvhf.psf import LobsterEyePsf
from mxtvhf.simulator.sky import simulate_photons

SIZE = 256


@dataclass(frozen=True)
class Case:
    """One line of the table: how many photons, where, with which bad columns and true PSF."""

    name: str
    counts: float
    background: float
    low: float = 20.0
    high: float = 235.0
    bad_columns: tuple[int, ...] = ()
    true_width: float = 1.0
    """Width of the core of the simulated PSF over that of the assumed one."""
    mask: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        """Make the mask."""
        mask = np.zeros((SIZE, SIZE), dtype=bool)
        mask[:, list(self.bad_columns)] = True
        object.__setattr__(self, "mask", mask)

    def psf(self) -> LobsterEyePsf:
        """Return the PSF that photons are drawn from."""
        return LobsterEyePsf(core_fwhm_arcmin=self.true_width * default_psf().core_fwhm_arcmin)


BAD = (*range(30, 33), 77, 100, *range(126, 130), 160, 161, 200, 201, 202, 203, 240)
CASES = (
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
    Case("core 20 % narrower", 120, 300, true_width=0.8),
    Case("core 40 % narrower", 120, 300, true_width=0.6),
)

HEADER = (  # Widths of `run`.
    "                                   bound   error / bound   cross-correl.   coverage %     detected %\n"
    '                     source/back. median"  median  90 %   median   90 %    r50   r90     all  (r90)'
    '  r90 "  time ms'
)


def covariance(case: Case, x: float, y: float) -> np.ndarray:
    """Cramer-Rao bound of (x, y), pixels squared, with source and background free."""
    psf, good = case.psf(), ~case.mask
    image = psf.image(x, y) / psf.enclosed(x, y)
    slopes = psf.gradient(x, y) / psf.enclosed(x, y)
    rate = (case.counts * image + case.background / SIZE**2)[good]
    derivative = np.stack(
        [case.counts * slopes[0][good], case.counts * slopes[1][good], image[good], np.ones(good.sum())]
    )
    return np.linalg.inv((derivative / rate) @ derivative.T)[:2, :2]


def cross_correlation(x: np.ndarray, y: np.ndarray, transform: np.ndarray) -> tuple[float, float]:
    """Highest pixel of the photon image correlated with the PSF's central part."""
    image = np.bincount(y.astype(int) * SIZE + x, minlength=SIZE * SIZE).reshape(SIZE, SIZE)
    map_ = fft.irfft2(fft.rfft2(image, s=(2 * SIZE, 2 * SIZE)) * transform, s=(2 * SIZE, 2 * SIZE))
    row, column = divmod(int(map_[:SIZE, :SIZE].argmax()), SIZE)
    return float(column), float(row)


def template() -> np.ndarray:
    """Transform of the PSF by offset, for ``cross_correlation``."""
    offset = np.arange(2 * SIZE)
    offset[SIZE:] -= 2 * SIZE
    profile = default_psf().profile(offset)
    return fft.rfft2(np.outer(profile, profile)).conj()


def run(case: Case, trials: int, seed: int, transform: np.ndarray) -> str:
    """Simulate and localise; one line of the table."""
    rng = np.random.default_rng(seed)
    ours, plain, bound, r50, r90, seconds, found = [], [], [], [], [], [], []
    for _ in range(trials):
        x = rng.uniform(case.low, case.high)
        y = rng.uniform(20.0, 235.0)
        photons = simulate_photons(
            x=x, y=y, counts=case.counts, background=case.background, start=0.0, stop=600.0,
            rng=rng, psf=case.psf(), bad_pixels=case.mask,
        )  # fmt: skip
        begun = time.perf_counter()
        result = localise(photons.x, photons.y, bad_pixels=case.mask)
        seconds.append(time.perf_counter() - begun)
        ours.append(np.hypot(result.x - x, result.y - y))
        column, row = cross_correlation(photons.x, photons.y, transform)
        plain.append(np.hypot(column - x, row - y))
        drawn = rng.multivariate_normal((0.0, 0.0), covariance(case, x, y), 50)
        bound.append(np.hypot(drawn[:, 0], drawn[:, 1]))
        r50.append(result.r50)
        r90.append(result.r90)
        found.append(result.detected)
    distance = pixel_scale_arcsec() * np.asarray(ours)
    limit = pixel_scale_arcsec() * np.quantile(bound, (0.5, 0.9))
    ratio = np.quantile(distance, (0.5, 0.9)) / limit
    other = pixel_scale_arcsec() * np.quantile(plain, (0.5, 0.9)) / limit
    seen = np.asarray(found)
    inside = distance <= np.asarray(r90)
    return (
        f"{case.name:19s} {case.counts:5.0f} /{case.background:5.0f} {limit[0]:7.1f} "
        f"{ratio[0]:6.3f} {ratio[1]:6.3f}   {other[0]:6.3f} {other[1]:6.3f}   "
        f"{100 * np.mean(distance <= r50):5.1f} {100 * inside.mean():5.1f}   "
        f"{100 * seen.mean():5.1f} {100 * inside[seen].mean() if seen.any() else float('nan'):5.1f}   "
        f"{np.median(r90):6.1f} {1e3 * np.median(seconds):6.2f}"
    )


def false_alarms(trials: int, seed: int) -> None:
    """Print how often background alone reaches a ts."""
    levels = (12.0, 14.0, 16.0, 18.0, 20.0, 22.0, 25.0)
    print(f"\nBackground only, {trials} fields each: part of them with ts above")
    print("photons " + " ".join(f"{level:8.0f}" for level in levels))
    for background in (10, 50, 300, 1000):
        rng = np.random.default_rng(seed)
        ts = []
        for _ in range(trials):
            column, row = rng.integers(0, SIZE, (2, max(1, rng.poisson(background))))
            ts.append(localise(column, row).ts)
        shares = " ".join(f"{np.mean(np.asarray(ts) >= level):8.5f}" for level in levels)
        print(f"{background:7d} {shares}   99.9 %: {np.quantile(ts, 0.999):.1f}, highest {max(ts):.1f}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=200, help="bursts of each kind (default 200)")
    parser.add_argument("--only", default="", help="only the kinds whose name contains this text")
    parser.add_argument("--false-alarms", type=int, default=200, help="empty fields of each background")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    transform = template()
    print(f"{arguments.trials} bursts each, seed {arguments.seed}, detection at ts >= {ts_threshold():g}")
    print(HEADER)
    for case in CASES:
        if arguments.only in case.name:
            print(run(case, arguments.trials, arguments.seed, transform), flush=True)
    if arguments.false_alarms:
        false_alarms(arguments.false_alarms, arguments.seed)


if __name__ == "__main__":
    main()
