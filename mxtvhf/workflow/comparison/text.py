"""Format comparisons as a text table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from mxtvhf.workflow.comparison.model import ComparisonSummary, Outcome, PositionShift


def comparisons_text(found: Iterable[ComparisonSummary]) -> list[str]:
    """Format comparisons as a table, changed ones first, with a last line that counts the outcomes.

    Parameters
    ----------
    found
        Comparisons in any order.
    """
    rows = sorted(found, key=lambda one: (list(Outcome).index(one.outcome) != 1, one.new_run))
    lines = [f"{'outcome':8} {'best position moved':22} {'version':16} run: what differs"]
    lines += [
        f"{one.outcome:8} {_shift(one.best):22} {_versions(one):16} {one.new_run}: {one.reason}"
        for one in rows
    ]
    counts = Counter(one.outcome for one in rows)
    numbers = ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome)
    return [*lines, f"{len(rows)} replays: {numbers}"]


def _shift(best: PositionShift | None) -> str:
    if best is None:
        return "-"
    part = "" if best.part_of_r90 is None else f" ({100.0 * best.part_of_r90:.3g} % of R90)"
    return f'{best.separation_arcsec:.3g}"{part}'


def _versions(one: ComparisonSummary) -> str:
    if one.archived_version == one.new_version:
        return one.new_version or "-"
    return f"{one.archived_version or '-'} -> {one.new_version or '-'}"
