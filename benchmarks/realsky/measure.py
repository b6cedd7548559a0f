"""Measurements of a trial, and the row of the table for the trials of a case."""

from __future__ import annotations

import sys
import zlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.realsky.facts import Floats, alignment_r90_arcsec
from benchmarks.realsky.pipeline import POINTING, Outcome, process, working_folder
from benchmarks.realsky.scene import Case, Drawn, draw
from benchmarks.realsky.spectra import flux_per_count
from benchmarks.realsky.times import Fading
from mxtvhf.analysis.model import Measurement
from mxtvhf.models.position import Position

R90_PER_SIGMA = float(np.sqrt(2.0 * np.log(10.0)))
NEAR = 2.0
"""A listed source is a true one when it is nearer than this times its total R90."""


@dataclass
class Trial:
    """Measurements of one observation; None where there is nothing to measure."""

    detected: bool | None = False
    failed: bool = False
    """The pipeline raised an error: it is on stderr."""
    ts: float | None = None
    """TS of the most significant source, detected or not."""
    error: float | None = None
    """Distance of the position from the burst, arcsec."""
    r90: float | None = None
    """Total 90 % radius, arcsec."""
    in_stat: bool | None = None
    """The statistical radius holds the burst."""
    in_total: bool | None = None
    in_misaligned: bool | None = None
    """The total radius holds it when the alignment is wrong by an error drawn with its systematic R90."""
    source_ratio: float | None = None
    """Source photons of the pipeline over those in the list."""
    found: float | None = None
    """Part of the true sources that the list of sources holds."""
    spurious: float = 0.0
    """Listed sources that are no true one."""
    under_limit: bool | None = None
    """The upper limit is above the expected source photons."""
    index_error: float | None = None
    """Photon index less the true one."""
    index_in: bool | None = None
    """Its 68 % interval holds the true one."""
    flux_ratio: float | None = None
    """Mean absorbed flux over the true one; of limits the limit's flux over that of as many photons."""
    flux_in: bool | None = None
    decay_error: float | None = None
    decay_in: bool | None = None
    trusted: bool | None = None
    milliseconds: float | None = None
    """Time of the localisation."""


def run(case: Case, trials: int, seed: int) -> list[Trial]:
    """Draw and measure the observations of a case; they depend on the seed and the case only."""
    label = f"{case.name} {[source.counts for source in case.sources]} {case.background.counts}"
    measured = []
    with working_folder() as folder:
        for number in range(trials):
            rng = np.random.default_rng((seed, zlib.crc32(label.encode()), number))
            measured.append(_trial(case, rng, Path(folder)))
    return measured


def _trial(case: Case, rng: np.random.Generator, folder: Path) -> Trial:
    try:
        if case.at_limit:
            return _at_limit(case, rng, folder)
        drawn = draw(case, rng)
        return _measured(case, drawn, process(case, drawn, folder), rng)
    except Exception as error:
        # The table goes on, and counts it.
        print(f"{case.name}: {type(error).__name__}: {error}", file=sys.stderr)
        return Trial(detected=None, failed=True)


def _at_limit(case: Case, rng: np.random.Generator, folder: Path) -> Trial:
    """Measure a source as strong as the upper limit of a field without one."""
    empty = replace(case, sources=())
    limit = process(empty, draw(empty, rng), folder).localisation
    if limit.upper_limit_photons is None:
        return Trial(detected=None)
    case = replace(case, sources=(replace(case.sources[0], counts=limit.upper_limit_photons),))
    drawn = draw(case, rng)
    trial = _measured(case, drawn, process(case, drawn, folder), rng)
    if limit.upper_limit_flux is not None:
        trial.flux_ratio = limit.upper_limit_flux / true_flux(case, drawn)
    return trial


def _measured(case: Case, drawn: Drawn, outcome: Outcome, rng: np.random.Generator) -> Trial:
    found = outcome.localisation
    trial = Trial(detected=found.detected, ts=found.ts, milliseconds=1e3 * outcome.seconds)
    if not found.detected and case.sources and found.upper_limit_photons is not None:
        trial.under_limit = found.upper_limit_photons >= case.sources[0].counts
    positions = _positions(outcome)
    distances = np.array([[apart(position, place) for position in positions] for place in drawn.places])
    distances = distances.reshape(len(drawn.places), len(positions))
    near = distances < NEAR * np.array([position.r90_arcsec or 0.0 for position in positions])
    if case.sources:
        trial.found = float(near.any(axis=1).mean())
    trial.spurious = float((~near.any(axis=0)).sum())
    if not found.detected or not case.sources:
        return trial
    # The position that the pipeline chose counts; where nothing tells it which, the one nearest to the burst.
    chosen = found.position
    if len(case.sources) > 1 and case.eclairs_r90_arcmin is None and positions:
        chosen = positions[int(distances[0].argmin())]
    if chosen is not None:
        _measure_position(trial, chosen, drawn.places[0], rng)
    if len(case.sources) == 1:
        trial.source_ratio = found.n_source / max(1, int(drawn.counts[0]))
    _measure_flux(trial, case, drawn, outcome)
    return trial


def _positions(outcome: Outcome) -> list[Position]:
    found = outcome.localisation
    listed = [source.position for source in getattr(found, "sources", ())]
    return listed or ([] if found.position is None else [found.position])


def apart(position: Position, place: Floats) -> float:
    """Return the distance of a position from a place on the detector, arcsec (in the tangent plane)."""
    x, y = POINTING.sky_to_pixel(position.ra_deg, position.dec_deg)
    here, there = (np.stack(POINTING.plane_coordinates(*at)) for at in ((x, y), place))
    return float(3600.0 * np.hypot(*(here - there)))


def _measure_position(trial: Trial, position: Position, place: Floats, rng: np.random.Generator) -> None:
    x, y = POINTING.sky_to_pixel(position.ra_deg, position.dec_deg)
    here, there = (np.stack(POINTING.plane_coordinates(*at)) for at in ((x, y), place))
    offset = 3600.0 * (here - there)
    wrong = offset + alignment_r90_arcsec() / R90_PER_SIGMA * rng.standard_normal(2)
    trial.error, trial.r90 = float(np.hypot(*offset)), position.r90_arcsec
    statistical, total = position.r90_stat_arcsec or 0.0, position.r90_arcsec or 0.0
    trial.in_stat, trial.in_total = trial.error <= statistical, trial.error <= total
    trial.in_misaligned = bool(np.hypot(*wrong) <= total)


def _measure_flux(trial: Trial, case: Case, drawn: Drawn, outcome: Outcome) -> None:
    if outcome.analysis is None:
        return
    source, fit, curve = case.sources[0], outcome.analysis.spectrum, outcome.analysis.light_curve
    if fit is not None:
        trial.trusted = fit.trusted
        trial.index_error = fit.photon_index.value - source.index
        trial.index_in = _holds(fit.photon_index, source.index)
        true = true_flux(case, drawn)
        trial.flux_ratio, trial.flux_in = fit.flux.value / true, _holds(fit.flux, true)
    if curve is not None and curve.decay is not None and isinstance(source.times, Fading):
        trial.decay_error = curve.decay.index.value - source.times.index
        trial.decay_in = _holds(curve.decay.index, source.times.index)


def true_flux(case: Case, drawn: Drawn) -> float:
    """Return the mean absorbed flux of the first source while packets were received, erg/cm2/s."""
    source = case.sources[0]
    grid = source.times.draw(case.start_s, case.stop_s, 100_000, np.random.default_rng(0))
    lost = np.zeros(grid.size, bool)
    seconds = case.stop_s - case.start_s
    for first, last in drawn.gaps:
        lost |= (grid >= first) & (grid < last)
        seconds -= last - first
    optics = case.optics
    enclosed = optics.enclosed(*drawn.places[0]) / optics.enclosed_in_the_middle()
    rate = source.counts * (1.0 - lost.mean()) / seconds / enclosed
    return float(rate * flux_per_count(source.index, source.nh_cm2))


def _holds(measured: Measurement, true: float) -> bool:
    low = np.inf if measured.error_low is None else measured.error_low
    high = np.inf if measured.error_high is None else measured.error_high
    return bool(measured.value - low <= true <= measured.value + high)


COLUMNS = (
    "case", "source / background", "detected", "error, R90", "in stat., total, misaligned", "photons",
    "found, spurious", "under limit", "index: median error, in 68 %", "flux: median ratio, in 68 %",
    "decay: median error, in 68 %", "trusted", "failed", "ms",
)  # fmt: skip


def heading() -> str:
    """Return the head of the table (Markdown)."""
    return f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"


def line(case: Case, trials: list[Trial]) -> str:
    """Return a row of the table: percentages, and medians in arcsec; empty where nothing was measured."""
    counts = " + ".join(f"{source.counts:g}" for source in case.sources[:2]) or "0"
    counts += " + ..." if len(case.sources) > 2 else ""
    cells = (
        case.name,
        f"{'limit' if case.at_limit else counts} / {case.background.counts:g}",
        _percent(trials, "detected"),
        _joined(_median(trials, "error", 0), _median(trials, "r90", 0)),
        _joined(*(_percent(trials, name) for name in ("in_stat", "in_total", "in_misaligned"))),
        _median(trials, "source_ratio", 2),
        _joined(_percent(trials, "found"), f"{np.mean([trial.spurious for trial in trials]):.2f}"),
        _percent(trials, "under_limit"),
        _joined(_median(trials, "index_error", 2), _percent(trials, "index_in")),
        _joined(_median(trials, "flux_ratio", 2), _percent(trials, "flux_in")),
        _joined(_median(trials, "decay_error", 2), _percent(trials, "decay_in")),
        _percent(trials, "trusted"),
        _percent(trials, "failed"),
        _median(trials, "milliseconds", 0),
    )
    return f"| {' | '.join(cells)} |"


def record(case: Case, trials: list[Trial]) -> dict[str, Any]:
    """Return a case with all its trials, for a JSON file."""
    return {
        "case": case.name,
        "sources": [source.counts for source in case.sources],
        "background": case.background.counts,
        "trials": [asdict(trial) for trial in trials],
    }


def _values(trials: list[Trial], name: str) -> list[float]:
    return [float(value) for trial in trials if (value := getattr(trial, name)) is not None]


def _percent(trials: list[Trial], name: str) -> str:
    values = _values(trials, name)
    return f"{100.0 * np.mean(values):.1f}" if values else ""


def _median(trials: list[Trial], name: str, digits: int) -> str:
    values = _values(trials, name)
    return f"{np.median(values):.{digits}f}" if values else ""


def _joined(*texts: str) -> str:
    return ", ".join(texts) if texts[0] else ""
