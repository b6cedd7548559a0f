"""Pictures of a run of the table: false alarms of empty fields, and coverage of the total R90.

``python -m benchmarks.realsky.figures FOLDER TRIALS.json ...`` writes ``false_alarms.png`` and
``coverage.png`` into the folder, as far as the files have such cases; ``python -m benchmarks.realsky
--json`` and ``python -m benchmarks.realsky.shapes --json`` write these.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import beta

from benchmarks.realsky.compare import Record, read, values_of

WANTED_COVERAGE = (88.0, 93.0)
ALLOWED_FALSE_ALARMS = 0.2
"""Percent, both."""
_ONE_SIGMA = 0.1587
"""Of a normal distribution, beyond one standard deviation on one side."""
_MARKERS = "osD^v<>phX*P"
_STEP = 1.04
"""Factor between the places of two cases of one number of photons, so that their bars can be seen."""


def false_alarms(records: Sequence[Record]) -> Figure:
    """Draw the false alarms of empty fields against their photons, a line for each kind of background."""
    figure, panel = _panel("background photons", "false alarms, %")
    empty = [record for record in records if record["case"].startswith("empty: ")]
    _draw(panel, empty, "detected", lambda record: float(record["background"]))
    panel.axhline(ALLOWED_FALSE_ALARMS, color="0.5", linestyle=":")
    panel.set_ylim(-0.3, None)
    return figure


def coverage(records: Sequence[Record]) -> Figure:
    """Draw the coverage of the total R90, with an alignment error, for bursts seen with another PSF."""
    figure, panel = _panel("source photons", "total R90 contains the burst, %")
    panel.axhspan(*WANTED_COVERAGE, color="0.9", zorder=0)
    bursts = [record for record in records if record["case"].startswith(("optics: ", "burst"))]
    shown = [
        record for record in bursts if record["case"].startswith("optics: ") or record["case"] == "burst"
    ]
    _draw(panel, shown, "in_misaligned", lambda record: float(record["sources"][0]))
    panel.set_ylim(60.0, 101.0)
    return figure


def _panel(x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(9.0, 4.8), layout="constrained")
    panel = figure.subplots()
    panel.set_xscale("log")
    panel.set_xlabel(x)
    panel.set_ylabel(y)
    panel.grid(linewidth=0.3)
    return figure, panel


def _draw(panel: Axes, records: Sequence[Record], name: str, photons: Callable[[Record], float]) -> None:
    cases = list(dict.fromkeys(record["case"] for record in records))
    for number, case in enumerate(cases):
        points = sorted((record for record in records if record["case"] == case), key=photons)
        values = [values_of(record, name) for record in points]
        part = np.array([100.0 * np.mean(one) for one in values])
        low, high = np.array([_interval(int(sum(one)), len(one)) for one in values]).T
        shift = _STEP ** (number - 0.5 * (len(cases) - 1))
        panel.errorbar(
            [shift * photons(record) for record in points], part, yerr=[part - low, high - part],
            marker=_MARKERS[number % len(_MARKERS)], color=f"C{number % 10}", markersize=4, linewidth=0.8,
            elinewidth=0.6, label=case.partition(": ")[2] or "as expected",
        )  # fmt: skip
    panel.set_xticks(sorted({photons(record) for record in records}))
    panel.xaxis.set_major_formatter("{x:g}")
    panel.minorticks_off()
    panel.figure.legend(loc="outside right upper", fontsize=8)


def _interval(found: int, trials: int) -> tuple[float, float]:
    """Return the 68 % interval of a proportion in percent, equal tails (Clopper and Pearson 1934)."""
    low = beta.ppf(_ONE_SIGMA, found, trials - found + 1) if found else 0.0
    high = beta.ppf(1.0 - _ONE_SIGMA, found + 1, trials - found) if found < trials else 1.0
    return 100.0 * float(low), 100.0 * float(high)


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("trials", type=Path, nargs="+")
    given = parser.parse_args()
    records = [record for path in given.trials for record in read(path).values()]
    if any(record["case"].startswith("empty: ") for record in records):
        false_alarms(records).savefig(given.folder / "false_alarms.png", dpi=110)
    if any(record["case"].startswith("optics: ") for record in records):
        coverage(records).savefig(given.folder / "coverage.png", dpi=110)


if __name__ == "__main__":
    main()
