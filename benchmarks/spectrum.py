"""Whether photon index, flux and decay index of simulated bursts come out true, with true errors.

Run from the root of the project: ``python -m benchmarks.spectrum [--trials N] [--only TEXT]``. Seeds are
fixed. Every burst has its own place on the detector, photon index, absorption and decay. Of each quantity the
table has the part of the bursts (in %) whose 68 % interval holds the truth, and the median of (found - true)
over the error on the side of the truth: 0 is unbiased, its statistical error 1.25/sqrt(N).
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import time
from dataclasses import dataclass, replace

import numpy as np

from mxtvhf.analysis.measure import SourceMeasurements, measure_source
from mxtvhf.analysis.model import Measurement
from mxtvhf.analysis.powerlaw import PowerLaw
from mxtvhf.analysis.throughput import expected_counts
from mxtvhf.events.drift_corrected import DriftCorrectedPhotons
from mxtvhf.instrument.calibration import default_calibration
from mxtvhf.instrument.pixels import RawMask
from mxtvhf.instrument.psf import LobsterEyePsf
from mxtvhf.simulator.photons import simulate_photons

START, T0 = 1000.0, 700.0
PULLS = ("photon index", "flux", "unabsorbed", "decay", "mean rate")


@dataclass(frozen=True)
class Case:
    """One line of the table."""

    name: str
    counts: float
    background: float
    exposure: float = 600.0
    gap: bool = False
    """Half of the observation is no good time."""
    true_width: float = 1.0
    """Width of the core of the simulated PSF over that of the assumed one."""


CASES = (
    Case("faint", 40, 50),
    Case("strong", 60, 50),
    Case("strong", 120, 300),
    Case("strong", 300, 1000),
    Case("bright", 1000, 300),
    Case("very bright", 10_000, 300),
    Case("gap in good time", 120, 300, gap=True),
    Case("PSF core 15 % wider", 300, 300, true_width=1.15),
    Case("PSF core 15 % narrower", 300, 300, true_width=0.85),
)


def burst(case: Case, rng: np.random.Generator) -> tuple[SourceMeasurements, dict[str, float]]:
    """Simulate and analyse one burst; return what was found and what is true."""
    calibration = default_calibration()
    psf = LobsterEyePsf.of(calibration.psf)
    x, y = rng.uniform(30.0, 225.0, 2)
    law = PowerLaw(rng.uniform(1.5, 2.6), 1e21 if case.counts < 600 else rng.uniform(0.5e21, 4e21))
    decay, stop = rng.uniform(0.8, 1.8), START + case.exposure
    photons = simulate_photons(
        x=x, y=y, counts=case.counts, background=case.background, start=START, stop=stop, rng=rng,
        burst_time=T0, decay_index=decay, spectrum=law,
        psf=replace(psf, core_fwhm_arcmin=case.true_width * psf.core_fwhm_arcmin),
    )  # fmt: skip
    gti = np.array([[START, stop]])
    part = 1.0
    if case.gap:
        edges = START + case.exposure * np.array([0.0, 0.2, 0.7, 1.0])
        gti = edges.reshape(2, 2)
        grown = (edges - T0) ** (1.0 - decay)
        part = float((grown[1] - grown[0] + grown[3] - grown[2]) / (grown[3] - grown[0]))
    live = float((gti[:, 1] - gti[:, 0]).sum())
    expected = part * case.counts, case.background * live / case.exposure
    steady = DriftCorrectedPhotons.of_steady(photons, RawMask(~calibration.bad_pixels.mask()))
    found = measure_source(steady, gti, x, y, *expected, t0=T0, calibration=calibration)
    unit = expected_counts(1.0, live, x, y, law)
    flux = expected[0] / unit
    middle = expected_counts(1.0, live, 127.5, 127.5, law)
    truth = {
        "photon index": law.photon_index,
        "flux": flux,
        "unabsorbed": flux * unabsorbed_over_absorbed(law),
        "decay": decay,
        "mean rate": flux * middle / live * counted_in_band(law),
    }
    return found, truth


def unabsorbed_over_absorbed(law: PowerLaw) -> float:
    """Ratio of the energy fluxes in 0.3-10 keV."""
    energy = np.geomspace(0.3, 10.0, 4001)
    weight = energy**2  # per ln E
    bare = replace(law, nh_cm2=0.0)
    return float((weight * bare.density(energy)).sum() / (weight * law.density(energy)).sum())


def counted_in_band(law: PowerLaw) -> float:
    """Part of the counts of the detector's 0.2-10 keV that is in the 0.3-10 keV of the light curve."""
    energy = np.linspace(0.2, 10.0, 9801)
    counts = law.density(energy) * default_calibration().effective_area.at(energy)
    return float(counts[energy >= 0.3].sum() / counts.sum())


def measured(found: SourceMeasurements) -> dict[str, Measurement]:
    """Pick the quantities out of a result."""
    quantities = {"mean rate": found.light_curve.mean}
    if found.light_curve.decay is not None:
        quantities["decay"] = found.light_curve.decay.index
    if found.spectrum is not None:
        fit = found.spectrum
        quantities |= {"photon index": fit.photon_index, "flux": fit.flux, "unabsorbed": fit.unabsorbed_flux}
    return quantities


def pull(found: Measurement, truth: float) -> float | None:
    """(found - true) in units of the error on the side of the truth; None without that error."""
    away = found.value - truth
    error = found.error_low if away > 0.0 else found.error_high
    return None if error is None else away / error


def run(case: Case, trials: int, seed: int) -> dict[str, list[float]]:
    """Return the pulls of all bursts by quantity."""
    pulls: dict[str, list[float]] = {name: [] for name in PULLS}
    for trial in range(trials):
        found, truth = burst(case, np.random.default_rng([seed, trial]))
        for name, value in measured(found).items():
            one = pull(value, truth[name])
            if one is not None:
                pulls[name].append(one)
    return pulls


def line(case: Case, trials: int, seed: int) -> str:
    """Return a case's line of the table."""
    started = time.perf_counter()
    pulls = run(case, trials, seed)
    each = 1e3 * (time.perf_counter() - started) / trials
    cells = [f"{case.name:22} {case.counts:6.0f} / {case.background:4.0f}"]
    for name in PULLS:
        values = np.array(pulls[name])
        held = 100.0 * float((np.abs(values) <= 1.0).mean()) if values.size else float("nan")
        bias = float(np.median(values)) if values.size else float("nan")
        cells.append(f"{held:5.1f} {bias:+5.2f} ({values.size})")
    return "  ".join([*cells, f"{each:6.0f} ms"])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--only", default="", help="only cases whose name holds this")
    options = parser.parse_args()
    print("case                    source / background; held %, median pull (bursts): " + ", ".join(PULLS))
    for case in CASES:
        if options.only in case.name:
            print(line(case, options.trials, seed=1), flush=True)


if __name__ == "__main__":
    main()
