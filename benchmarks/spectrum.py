"""Measure bias and coverage of photon index, flux and decay index of simulated bursts.

Run ``python -m benchmarks.spectrum [--trials N] [--only TEXT]`` in the root of the project. Seeds are fixed.
Every burst has its own detector position and decay; the name of a case lists its other fixed parameters. The
Galactic column is the true one unless the case says otherwise. For each quantity the table gives the coverage
of the 68 % interval (in %) and the median pull, (measured - true) / error on the side of the truth, whose
statistical error is 1.25/sqrt(N). Then follow the median ratio of measured to true flux, and the fraction of
trusted fits.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from mxtvhf.analysis.galactic_column import GalacticColumn
from mxtvhf.analysis.measure import SourceMeasurements, measure_source
from mxtvhf.analysis.model import Measurement
from mxtvhf.analysis.powerlaw import PowerLaw
from mxtvhf.analysis.throughput import expected_counts
from mxtvhf.events.drift_corrected import DriftCorrectedPhotons
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.calibration import default_calibration
from mxtvhf.instrument.pixels import RawMask
from mxtvhf.instrument.psf import LobsterEyePsf
from mxtvhf.simulator.photons import draw_pulse_heights, simulate_photons

START, T0 = 1000.0, 700.0
PULLS = ("photon index", "flux", "unabsorbed", "decay", "mean rate")


@dataclass(frozen=True)
class Case:
    """Parameters of a table row; None in a field draws the value for each burst."""

    name: str
    counts: float
    background: float
    exposure: float = 600.0
    gap: bool = False
    """True if half of the observation is not good time."""
    index: float | None = None
    """Photon index; None: 1.5-2.6."""
    nh_cm2: float | None = None
    """Hydrogen column; None: 0.3-4e21."""
    galactic_cm2: float | None = None
    """Galactic column; None: the true one."""
    core_arcmin: float | None = None
    """Width of the PSF's core; None: that of the calibration."""
    sky: float = 0.0
    """Fraction of the background that passes the optics."""
    decay: float | None = None
    """Decay index; None: 0.8-1.8."""


def _absorbed() -> Iterator[Case]:
    for nh in (3e20, 1e21, 3e21, 1e22, 2e22):
        for counts, background in ((60, 50), (120, 135), (300, 300), (3000, 300)):
            yield Case(f"N_H {nh:.0e}", counts, background, nh_cm2=nh, index=2.0)
    for index, nh in ((1.0, 3e20), (1.0, 1e22), (3.0, 3e20), (3.0, 1e22)):
        for counts, background in ((60, 50), (300, 300)):
            yield Case(f"index {index:g}, N_H {nh:.0e}", counts, background, nh_cm2=nh, index=index)
    for nh, galactic in ((3e21, 3e20), (1e22, 1e21), (1e21, 3e21), (3e20, 3e21)):
        for counts, background in ((60, 50), (300, 300)):
            name = f"N_H {nh:.0e}, Galactic {galactic:.0e}"
            yield Case(name, counts, background, nh_cm2=nh, galactic_cm2=galactic, index=2.0)


CASES = (
    Case("faint", 40, 50),
    Case("strong", 60, 50),
    Case("strong", 120, 300),
    Case("strong", 300, 1000),
    Case("bright", 1000, 300),
    Case("very bright", 10_000, 300),
    Case("gap in good time", 120, 300, gap=True),
    *_absorbed(),
    *(
        Case(f"core {core:g}'", counts, 300, core_arcmin=core)
        for core in (6.0, 8.0, 13.0)
        for counts in (120, 3000)
    ),
    *(Case(f"sky {100 * sky:.0f} %", 300, 300, sky=sky) for sky in (0.25, 0.5, 0.8)),
    *(
        Case(f"t^-{decay:g}", counts, 100, decay=decay)
        for decay in (0.0, 3.5, 6.0, 8.0)
        for counts in (60, 200)
    ),
)


def burst(case: Case, rng: np.random.Generator) -> tuple[SourceMeasurements, dict[str, float]]:
    """Simulate and analyse one burst; return the measurements and the true values."""
    calibration = default_calibration()
    psf = LobsterEyePsf.of(calibration.psf)
    x, y = rng.uniform(30.0, 225.0, 2)
    law = PowerLaw(
        rng.uniform(1.5, 2.6) if case.index is None else case.index,
        rng.uniform(0.3e21, 4e21) if case.nh_cm2 is None else case.nh_cm2,
    )
    decay, stop = rng.uniform(0.8, 1.8) if case.decay is None else case.decay, START + case.exposure
    true_psf = replace(psf, core_fwhm_arcmin=case.core_arcmin or psf.core_fwhm_arcmin)
    photons = simulate_photons(
        x=x, y=y, counts=case.counts, background=(1.0 - case.sky) * case.background, start=START, stop=stop,
        rng=rng, burst_time=T0, decay_index=decay, spectrum=law, psf=true_psf,
    ).merged(sky_photons(case.sky * case.background, stop, rng))  # fmt: skip
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
    found = measure_source(
        steady, gti, x, y, *expected, t0=T0, calibration=calibration,
        galactic=GalacticColumn(case.galactic_cm2 or law.nh_cm2, "of the case"),
    )  # fmt: skip
    # The counts of a case are those on the detector; the calibrated PSF is the reference for effective areas.
    middle, psf_seen = 127.5, true_psf.enclosed(x, y) / true_psf.enclosed(127.5, 127.5)
    flux = expected[0] / psf_seen / expected_counts(1.0, live, middle, middle, law)
    truth = {
        "photon index": law.photon_index,
        "flux": flux,
        "unabsorbed": flux * unabsorbed_over_absorbed(law),
        "decay": decay,
        "mean rate": expected[0] / psf_seen / live * counted_in_band(law),
    }
    return found, truth


def sky_photons(counts: float, stop: float, rng: np.random.Generator) -> PhotonList:
    """Draw photons of a uniform sky: two thirds cosmic background, one third foreground."""
    number = rng.poisson(counts)
    time = START + 0.1 * np.floor(np.sort(rng.uniform(0.0, stop - START, number)) / 0.1)
    column, row = rng.integers(0, 256, (2, number)).astype(np.int16)
    kinds = [PowerLaw(1.4, 5e20), PowerLaw(4.0, 5e20)]
    heights = np.array([draw_pulse_heights(rng, number, law, default_calibration()) for law in kinds])
    kind = (rng.random(number) < 1.0 / 3.0).astype(int)
    return PhotonList(time, column, row, np.rint(heights[kind, np.arange(number)]).astype(np.int32))


def unabsorbed_over_absorbed(law: PowerLaw) -> float:
    """Return the ratio of unabsorbed to absorbed energy flux in 0.3-10 keV."""
    energy = np.geomspace(0.3, 10.0, 4001)
    weight = energy**2  # per ln E
    bare = replace(law, nh_cm2=0.0)
    return float((weight * bare.density(energy)).sum() / (weight * law.density(energy)).sum())


def counted_in_band(law: PowerLaw) -> float:
    """Return the fraction of the counts in 0.2-10 keV that lies in the light curve's band of 0.3-10 keV."""
    energy = np.linspace(0.2, 10.0, 9801)
    counts = law.density(energy) * default_calibration().effective_area.at(energy)
    return float(counts[energy >= 0.3].sum() / counts.sum())


def measured(found: SourceMeasurements) -> dict[str, Measurement]:
    """Return the quantities of a result by name."""
    quantities = {"mean rate": found.light_curve.mean}
    if found.light_curve.decay is not None:
        quantities["decay"] = found.light_curve.decay.index
    if found.spectrum is not None:
        fit = found.spectrum
        quantities |= {"photon index": fit.photon_index, "flux": fit.flux, "unabsorbed": fit.unabsorbed_flux}
    return quantities


def pull(found: Measurement, truth: float) -> float | None:
    """Return (measured - true) / error on the side of the truth; None without that error."""
    away = found.value - truth
    error = found.error_low if away > 0.0 else found.error_high
    return None if error is None else away / error


def run(case: Case, trials: int, seed: int) -> dict[str, list[float]]:
    """Return the pulls of all bursts by quantity, the flux ratios, and which fits are trusted."""
    pulls: dict[str, list[float]] = {name: [] for name in (*PULLS, "flux ratio", "trusted")}
    for trial in range(trials):
        found, truth = burst(case, np.random.default_rng([seed, trial]))
        for name, value in measured(found).items():
            one = pull(value, truth[name])
            if one is not None:
                pulls[name].append(one)
        if found.spectrum is not None:
            pulls["flux ratio"].append(found.spectrum.flux.value / truth["flux"])
            pulls["trusted"].append(float(found.spectrum.trusted))
    return pulls


def line(case: Case, trials: int, seed: int) -> str:
    """Return the table row of a case."""
    started = time.perf_counter()
    pulls = run(case, trials, seed)
    each = 1e3 * (time.perf_counter() - started) / trials
    cells = [f"{case.name:27} {case.counts:6.0f} / {case.background:4.0f}"]
    for name in PULLS:
        values = np.array(pulls[name])
        held = 100.0 * float((np.abs(values) <= 1.0).mean()) if values.size else float("nan")
        bias = float(np.median(values)) if values.size else float("nan")
        cells.append(f"{held:5.1f} {bias:+5.2f} ({values.size})")
    ratio = float(np.median(pulls["flux ratio"])) if pulls["flux ratio"] else float("nan")
    trusted = 100.0 * sum(pulls["trusted"]) / trials
    return "  ".join([*cells, f"x{ratio:4.2f}", f"{trusted:5.1f} %", f"{each:6.0f} ms"])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--only", default="", help="only cases whose name contains this text")
    options = parser.parse_args()
    print(
        "case                         source / background; coverage %, median pull (bursts): "
        + ", ".join(PULLS)
        + "; flux / true; trusted; time"
    )
    for case in CASES:
        if options.only in case.name:
            print(line(case, options.trials, seed=1), flush=True)


if __name__ == "__main__":
    main()
