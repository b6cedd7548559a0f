"""The command line of a table of trials: a row for each case, and a file for all trials."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path

from benchmarks.realsky.measure import Trial, heading, line, record
from benchmarks.realsky.scene import Case


def print_table(
    description: str | None, cases: Iterable[Case], trials_of: Callable[[Case, int, int], list[Trial]]
) -> None:
    """Print the table of the cases that are selected on the command line.

    Parameters
    ----------
    description
        What the table is about, for ``--help``.
    cases
        Its lines; ``--case`` selects some of them.
    trials_of
        Makes the trials of a case, by their number and the seed.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--case", default="", help="only cases with this text in their name")
    parser.add_argument("--background", type=float, help="only cases with this number of background photons")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="file for all trials, a line of JSON for each case")
    given = parser.parse_args()
    print(f"{given.trials} trials for each case, seed {given.seed}\n\n{heading()}")
    with ExitStack() as stack:
        file = stack.enter_context(given.json.open("w", encoding="utf-8")) if given.json else None
        for case in cases:
            if given.case not in case.name or given.background not in (None, case.background.counts):
                continue
            trials = trials_of(case, given.trials, given.seed)
            print(line(case, trials), flush=True)
            if file is not None:
                print(json.dumps(record(case, trials)), file=file, flush=True)
