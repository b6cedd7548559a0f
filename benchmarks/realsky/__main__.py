"""Localisation under a real sky: the tables of ``docs/explanation/real-sky.md``.

Run from the root of the project: ``python -m benchmarks.realsky [--case TEXT] [--trials N] [--seed S] [--json
FILE]``. Every line draws its observations from the seed and its own name: a line is the same alone and in the
whole table.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from benchmarks.realsky.cases import cases
from benchmarks.realsky.measure import run
from benchmarks.realsky.table import print_table


def main() -> None:
    """Print the table."""
    print_table(__doc__, cases(), run)


if __name__ == "__main__":
    main()
