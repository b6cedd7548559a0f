"""The table of ``docs/performance.md``, section Under a real sky.

Run from the root of the project: ``python -m benchmarks.realsky [--case TEXT] [--trials N] [--seed S] [--json
FILE]``. Every line draws its observations from the seed and its own name: a line is the same alone and in the
whole table.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
from contextlib import ExitStack
from pathlib import Path

from benchmarks.realsky.cases import cases
from benchmarks.realsky.measure import heading, line, record, run


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", default="", help="only cases with this text in their name")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="file for all trials, a line of JSON for each case")
    given = parser.parse_args()
    print(f"{given.trials} trials for each case, seed {given.seed}\n\n{heading()}")
    with ExitStack() as stack:
        file = stack.enter_context(given.json.open("w", encoding="utf-8")) if given.json else None
        for case in cases():
            if given.case not in case.name:
                continue
            trials = run(case, given.trials, given.seed)
            print(line(case, trials), flush=True)
            if file is not None:
                print(json.dumps(record(case, trials)), file=file, flush=True)


if __name__ == "__main__":
    main()
