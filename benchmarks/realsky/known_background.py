"""Fields with a background known from past runs, rightly or wrongly: the localisation alone, T0 is known.

``python -m benchmarks.realsky.known_background [--case TEXT] [--trials N] [--seed S]``. The past
runs are 20 fields of 300 photons without a source and with a flat background. Both lines of a field, with
nothing known and with these runs known, have the same photons. Where the sky is in the field the past runs
are wrong.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import zlib
from collections.abc import Iterator
from functools import cache

import numpy as np

from benchmarks.realsky.facts import pixel_arcmin
from benchmarks.realsky.measure import Trial
from benchmarks.realsky.scene import Background, Case, Drawn, Source, draw
from benchmarks.realsky.table import print_table
from mxtvhf.instrument.calibration import default_calibration
from mxtvhf.localisation.background import (
    BackgroundDensities,
    background_courses,
    background_groups,
    background_spectra,
    background_vignetting,
)
from mxtvhf.localisation.background_spectrum import KnownSpectrum, RunPhotons
from mxtvhf.localisation.photon_weights import energy_weights, expected_shares, joint_weights, time_weights
from mxtvhf.localisation.position import SourceLocalisation, default_psf, localise
from mxtvhf.localisation.stretch import best_stretch

FREE, KNOWN = "nothing known", "flat in past runs"
BURSTS = ((15, 50), (30, 300), (40, 1000))
"""Source and background photons."""
SKIES = (0.0, 0.1, 0.25, 0.5)
"""Part of the background that is sky."""
PAST_RUNS, PAST_PHOTONS = 20, 300.0


def known_cases() -> Iterator[Case]:
    """Return a case for each field, with nothing known and with the past runs known."""
    for sky in SKIES:
        field = f"sky {100 * sky:.0f} %" if sky else "flat"
        for counts, background in BURSTS:
            for sources in ((Source(counts),), ()):
                kind = "burst" if sources else "empty"
                for known in (FREE, KNOWN):
                    yield Case(f"{kind}: {field}, {known}", Background(background, sky=sky), sources)


@cache
def past_runs() -> KnownSpectrum:
    """Return what is known of the flat background of past runs."""
    rng, calibration = np.random.default_rng(0), default_calibration()
    fields = [draw(Case("past", Background(PAST_PHOTONS)), rng) for _ in range(PAST_RUNS)]
    spectra = [background_spectra(field.pha, calibration) for field in fields]
    return KnownSpectrum.of_runs([RunPhotons(one, np.ones(one.shape[1])) for one in spectra])


def located(case: Case, drawn: Drawn) -> SourceLocalisation:
    """Localise the photons with their energies and times, as the workflow does."""
    calibration, gti = default_calibration(), np.array([[case.start_s, case.stop_s]])
    energy = energy_weights(drawn.pha, calibration)
    fading = time_weights(drawn.time, gti, 0.0)
    mean = np.average(energy, axis=0, weights=expected_shares(decays=False))
    exposure = np.ones((256, 256))
    stretch = best_stretch(drawn.column, drawn.row, mean, drawn.time, gti, exposure, default_psf())
    time = np.vstack([fading, stretch.weights])
    known = past_runs()
    return localise(
        drawn.column,
        drawn.row,
        weights=joint_weights(energy, time),
        shares=expected_shares(decays=True, stretch=stretch.share),
        background=BackgroundDensities(
            background_spectra(drawn.pha, calibration),
            background_courses(drawn.time, gti, time),
            background_groups(calibration),
            background_vignetting(calibration),
            known.photons * known.parts if case.name.endswith(KNOWN) else None,
        ),
        candidates=[stretch.position],
        find_hot_pixels=False,
    )


def measured(case: Case, rng: np.random.Generator) -> Trial:
    """Draw one field and localise its source."""
    drawn = draw(case, rng)
    found = located(case, drawn)
    trial = Trial(detected=found.detected, ts=found.ts)
    if found.detected and case.sources:
        x, y = drawn.places[0]
        trial.error = float(60.0 * pixel_arcmin() * np.hypot(found.x - x, found.y - y))
        trial.source_ratio = found.n_source / max(1, int(drawn.counts[0]))
    return trial


def run(case: Case, trials: int, seed: int) -> list[Trial]:
    """Make the trials of a case."""
    field = case.name.partition(",")[0]
    own = zlib.crc32(f"{field} {case.background.counts}".encode())
    return [measured(case, np.random.default_rng((seed, own, k))) for k in range(trials)]


def main() -> None:
    """Print the table."""
    print(f"known as by {past_runs().photons:.0f} photons, parts {np.round(past_runs().parts, 3)}")
    print_table(__doc__, known_cases(), run)


if __name__ == "__main__":
    main()
