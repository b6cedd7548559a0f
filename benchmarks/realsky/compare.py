"""Comparison of two runs of the table.

``python -m benchmarks.realsky.compare BEFORE.json AFTER.json [--plot PNG]``; the files are those that
``python -m benchmarks.realsky --json`` writes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

Record = dict[str, Any]
"""A line of the file: a case with its trials."""
Key = tuple[str, str]
"""Name, and source and background photons."""

MEASURES: tuple[tuple[str, str, Callable[[list[float]], str]], ...] = (
    ("detected, %", "detected", lambda values: f"{100.0 * np.mean(values):.0f}"),
    ("error", "error", lambda values: f"{np.median(values):.0f}"),
    ("R90 holds, %: stat.", "in_stat", lambda values: f"{100.0 * np.mean(values):.0f}"),
    ("total", "in_misaligned", lambda values: f"{100.0 * np.mean(values):.0f}"),
    ("photons", "source_ratio", lambda values: f"{np.median(values):.2f}"),
    ("found", "found", lambda values: f"{100.0 * np.mean(values):.0f}"),
    ("index off by", "index_error", lambda values: f"{np.median(values):+.2f}"),
    ("flux", "flux_ratio", lambda values: f"{np.median(values):.2f}"),
    ("in 68 %", "flux_in", lambda values: f"{100.0 * np.mean(values):.0f}"),
    ("decay off by", "decay_error", lambda values: f"{np.median(values):+.2f}"),
    ("in 68 %", "decay_in", lambda values: f"{100.0 * np.mean(values):.0f}"),
)
"""Heading, field of a trial, and how its values become a number."""


def read(path: Path) -> dict[Key, Record]:
    """Read a file of trials."""
    records = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {key_of(record): record for record in records}


def key_of(record: Record) -> Key:
    """Return the name and the photon numbers that identify a case."""
    counts = " + ".join(f"{counts:g}" for counts in record["sources"][:2]) or "0"
    more = " + ..." if len(record["sources"]) > 2 else ""
    return record["case"], f"{counts}{more} / {record['background']:g}"


def table(before: dict[Key, Record], after: dict[Key, Record]) -> str:
    """Return a Markdown table of the cases of both: ``before -> after``, once where both are the same."""
    heads = ["case", "source / background", *(heading for heading, _, _ in MEASURES)]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for key in before:
        if key in after:
            cells = [_cell(before[key], after[key], name, text) for _, name, text in MEASURES]
            lines.append(f"| {' | '.join([*key, *cells])} |")
    return "\n".join(lines)


def _cell(before: Record, after: Record, name: str, text: Callable[[list[float]], str]) -> str:
    values = (values_of(record, name) for record in (before, after))
    old, new = (text(these) if these else "" for these in values)
    return old if old == new else f"{old or '-'} -> {new or '-'}"


def values_of(record: Record, name: str) -> list[float]:
    """Return a measured quantity of all trials that have it."""
    return [float(trial[name]) for trial in record["trials"] if trial[name] is not None]


def picture(before: dict[Key, Record], after: dict[Key, Record]) -> Figure:
    """Draw false alarms of empty fields and the coverage of R90, before and after.

    A row for each name, a point for each number of photons: the larger, the more background.
    """
    both = [key for key in before if key in after]
    empty = [key for key in both if key[0].startswith("empty")]
    bursts = [key for key in both if key not in empty and not key[0].startswith(("limit", "odd"))]
    rows = max(len({case for case, _ in keys}) for keys in (empty, bursts))
    figure = Figure(figsize=(10.0, 1.5 + 0.16 * rows), layout="constrained")
    panels = figure.subplots(1, 2)
    _draw(panels[0], empty, "detected", before, after)
    _draw(panels[1], bursts, "in_misaligned", before, after)
    panels[0].set_title("False alarms in empty fields, %", fontsize=10)
    panels[1].set_title("Total R90 holds the burst, %", fontsize=10)
    panels[1].axvspan(88.0, 93.0, color="0.85", zorder=0)
    panels[0].legend(loc="upper right", fontsize=8)
    return figure


def _draw(
    panel: Any, keys: list[Key], name: str, before: dict[Key, Record], after: dict[Key, Record]
) -> None:
    names = list(dict.fromkeys(case for case, _ in keys))
    for records, colour, shift in ((before, "tab:red", -0.15), (after, "tab:blue", 0.15)):
        panel.scatter(
            [100.0 * np.mean(values_of(records[key], name) or [np.nan]) for key in keys],
            [names.index(key[0]) + shift for key in keys],
            s=[3.0 + 0.03 * records[key]["background"] for key in keys],
            color=colour,
            linewidths=0.0,
            alpha=0.7,
            label="before" if records is before else "after",
        )
    panel.set_yticks(range(len(names)), [case.removeprefix("empty: ") for case in names], fontsize=6)
    panel.set_ylim(len(names) - 0.5, -0.5)
    panel.set_xlim(-3.0, 103.0)
    panel.grid(linewidth=0.3)


def main() -> None:
    """Print the table; draw the picture where one is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--plot", type=Path, help="picture of false alarms and coverage")
    given = parser.parse_args()
    before, after = read(given.before), read(given.after)
    print(table(before, after))
    if given.plot is not None:
        picture(before, after).savefig(given.plot, dpi=150)


if __name__ == "__main__":
    main()
