"""Compare sherpa's fit of our spectral products with our own fit.

Run ``python -m benchmarks.sherpa_spectrum`` with sherpa installed (``tests/requirements.txt``). Each
simulated burst is measured and written as spectrum, background, ARF and RMF. Sherpa reads these files and
fits both spectra with the C statistic: an absorbed power law in both, and the smooth background spectrum of
our fit with a free level in each of its pieces. Neither fit has a prior: the column is fixed to the true
value, or free from 1000 photons on. Our result is the maximum of the likelihood on a fine grid. Both errors
are those of a parabola at the maximum. The table gives the median and largest difference in units of our
error, and the ratios of the errors.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import logging
import tempfile
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sherpa.astro.instrument import RSPModelPHA
from sherpa.astro.io import read_pha
from sherpa.data import DataSimulFit
from sherpa.estmethods import Covariance
from sherpa.fit import Fit
from sherpa.models import ArithmeticModel, Parameter, SimulFitModel
from sherpa.stats import CStat

from benchmarks.spectrum import Case, burst
from mxtvhf.analysis.absorption import cross_section
from mxtvhf.analysis.measure import SourceMeasurements
from mxtvhf.analysis.spectral_fit import Spectrum
from mxtvhf.analysis.spectrum import ARF, RMF, SPECTRUM, write_spectra
from mxtvhf.events.ogip import ProductHeader
from mxtvhf.events.ogip_response import write_arf, write_rmf
from mxtvhf.instrument.calibration import default_calibration
from mxtvhf.instrument.response import channel_edges
from mxtvhf.models.arrays import Floats

logging.getLogger("sherpa").setLevel(logging.ERROR)

INDEX, COLUMN = 2.0, 3e21
CASES = ((120, 135), (300, 300), (1000, 300), (3000, 300))
"""Source and background photons."""
FREE_COLUMN_FROM = 1000
_UNIT = 1e22
_ROUNDS, _NODES, _COLUMNS = 6, 15, 121
_CONVERGED = 1e-4
"""Tolerance of the statistic: Levenberg-Marquardt stops early if levels are at their bounds."""


class Best(NamedTuple):
    """A maximum of the likelihood: photon index and norm with standard errors."""

    index: float
    norm: float
    index_sigma: float
    norm_sigma: float


class AbsorbedPowerLaw(ArithmeticModel):  # type: ignore[misc]  # sherpa is not typed
    """The model of our fit, per bin, in sherpa's form; the column in 1e22/cm2."""

    def __init__(self) -> None:
        self.index = Parameter("absorbed", "index", 1.7)
        self.norm = Parameter("absorbed", "norm", 0.1, min=1e-9)
        self.column = Parameter("absorbed", "column", COLUMN / _UNIT, min=0.0)
        super().__init__("absorbed", (self.index, self.norm, self.column))

    def calc(self, p: Any, low: Floats, high: Floats, *_: Any, **__: Any) -> Floats:
        """Return the photons of each bin."""
        middle = 0.5 * (low + high)
        through = np.exp(-_UNIT * p[2] * cross_section(middle))
        return np.asarray(p[1] * middle ** -p[0] * through * (high - low))


class Levels(ArithmeticModel):  # type: ignore[misc]
    """The background's smooth spectrum in all channels, with a free level in each piece."""

    def __init__(self, spectrum: Spectrum) -> None:
        first = np.rint(spectrum.edges / np.diff(channel_edges())[0]).astype(int)
        per_channel = spectrum.data.shape * spectrum.data.counts[1].sum() / np.diff(first)
        self.shape = np.zeros(channel_edges().size - 1)
        self.shape[first[0] : first[-1]] = np.repeat(per_channel, np.diff(first))
        starts = first[spectrum.data.pieces]
        self.piece = np.searchsorted(starts[1:], np.arange(self.shape.size), side="right")
        super().__init__(
            "levels", [Parameter("levels", f"level{k}", 1.0, min=1e-6) for k in range(starts.size)]
        )

    def calc(self, p: Any, *_: Any, **__: Any) -> Floats:
        """Return the photons of each channel of the background region."""
        return np.asarray(np.asarray(p)[self.piece] * self.shape)


def ours(spectrum: Spectrum, *, free_column: bool) -> Best:
    """Return the maximum of our likelihood without priors, found on successively finer grids."""
    index = np.linspace(-1.0, 6.0, _NODES)
    column = np.linspace(0.0, 4.0 * COLUMN, _COLUMNS) if free_column else np.array([COLUMN])
    for _ in range(_ROUNDS):
        fits = spectrum.data.best(spectrum.folded(index, column))
        i, j = np.unravel_index(int(fits.statistic.argmin()), fits.statistic.shape)
        profile = fits.statistic.min(axis=1)
        inside = np.flatnonzero(profile < profile.min() + 4.0)
        if inside.size > 6:
            break
        index = _around(index, int(i))
    at = fits.statistic.argmin(axis=1)
    log_norm = np.log(fits.amplitude[np.arange(index.size), at])
    near = index[inside] - index[i]
    curve = np.polyfit(near, profile[inside], 2)
    shift, sigma = -0.5 * curve[1] / curve[0], curve[0] ** -0.5
    slope, at_best = np.polyfit(near, log_norm[inside], 1)
    norm = float(np.exp(at_best + slope * shift))
    log_sigma = np.hypot(fits.information[i, j] ** -0.5, slope * sigma)
    return Best(float(index[i] + shift), norm, float(sigma), float(norm * log_sigma))


def _around(nodes: Floats, best: int) -> Floats:
    return np.linspace(nodes[max(best - 3, 0)], nodes[min(best + 3, nodes.size - 1)], nodes.size)


def sherpas(folder: Path, found: SourceMeasurements, spectrum: Spectrum, *, free_column: bool) -> Best:
    """Let sherpa fit the files in a folder."""
    data = read_pha(str(folder / SPECTRUM))
    background, regions = data.get_background(), found.photons.regions
    levels, source = Levels(spectrum), AbsorbedPowerLaw()
    source.column.frozen = not free_column
    models = []
    for one, fraction, area in (
        (data, regions.source_fraction, data.get_background_scale()),
        (background, regions.background_fraction, 1.0),
    ):
        one.units = "energy"
        one.notice(0.3, 10.0)
        scale = found.photons.exposure * fraction / regions.effective_fraction
        models.append(RSPModelPHA(data.get_arf(), data.get_rmf(), one, source * scale) + area * levels)
    both = DataSimulFit("both", (data, background)), SimulFitModel("both", models)
    fit = Fit(*both, stat=CStat(), estmethod=Covariance())
    before, after = np.inf, fit.fit().statval
    while before - after > _CONVERGED:
        before, after = after, fit.fit().statval
    errors = fit.est_errors()
    # Sherpa returns None if it cannot compute the covariance.
    found_sigma = (np.nan if error is None else error for error in errors.parmaxes)
    sigma = dict(zip(errors.parnames, found_sigma, strict=True))
    return Best(source.index.val, source.norm.val, sigma["absorbed.index"], sigma["absorbed.norm"])


def trial(case: Case, number: int, folder: Path) -> tuple[Best, Best]:
    """Return our maximum and sherpa's for one burst."""
    found, _ = burst(case, np.random.default_rng([7, number]))
    header, regions = ProductHeader({}, {}), found.photons.regions
    write_spectra(folder, found.photons, found.counts[0], found.counts[1], header)
    write_arf(folder / ARF, found.response, regions.effective_fraction, header)
    write_rmf(folder / RMF, found.response, header)
    spectrum = Spectrum.of(found.photons, *found.counts, found.response, default_calibration().background)
    free = case.counts >= FREE_COLUMN_FROM
    return ours(spectrum, free_column=free), sherpas(folder, found, spectrum, free_column=free)


def main() -> None:
    """Print a table row for each case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10)
    options = parser.parse_args()
    print("| source / background | index: difference, sigma | norm | index: sherpa's error / ours | norm |")
    print("|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for counts, background in CASES:
            case = Case("burst", counts, background, index=INDEX, nh_cm2=COLUMN)
            pairs = [trial(case, number, Path(name)) for number in range(options.trials)]
            index = [abs(one.index - other.index) / one.index_sigma for one, other in pairs]
            norm = [abs(one.norm - other.norm) / one.norm_sigma for one, other in pairs]
            errors = [
                [other.index_sigma / one.index_sigma for one, other in pairs],
                [other.norm_sigma / one.norm_sigma for one, other in pairs],
            ]
            cells = [f"{np.median(one):.3f}, {max(one):.3f}" for one in (index, norm)]
            cells += [
                f"{np.nanmedian(one):.2f} ({np.nanmin(one):.2f}-{np.nanmax(one):.2f})" for one in errors
            ]
            print(f"| {counts} / {background} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
