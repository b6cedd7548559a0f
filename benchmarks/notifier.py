"""Measure a round of the notifier in which nothing is new.

Run ``python -m benchmarks.notifier [--bursts N]`` in the root of the project. Twice a second the notifier
looks for new reports of all bursts of half a day. Each burst has a notice and two runs with both reports. The
baseline is the same search with `Path.glob`; compare the ratio, because times depend on the machine.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.timing import in_turn, print_times
from mxtvhf.archive.archive import Archive
from mxtvhf.archive.products import FINAL_REPORT, PRELIMINARY_REPORT
from mxtvhf.notification.burst_events import BurstWatch
from mxtvhf.notification.ledger import OCCURRENCES, Ledger

NOW = datetime.now(UTC)


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bursts", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    logging.disable()  # the reports are empty
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_bursts(root, options.bursts)
        ledger = Ledger(root / "notifications")
        watch = BurstWatch(Archive(root / "archive"), root / "products", ledger, desk=None)
        watch.look(NOW)
        times = in_turn(
            {
                "search with Path.glob": lambda: search(root),
                "look for new reports": lambda: watch.look(NOW),
                "subjects of the ledger": lambda: list(ledger.subjects(since=NOW - timedelta(days=1))),
            },
            options.rounds,
        )
    print(f"{options.bursts} bursts, ms:")
    print_times(times)
    baseline, look, _ = times.values()
    print(f"look / search: {look / baseline:.2f}")


def make_bursts(root: Path, number: int) -> None:
    """Make the folders of bursts with two runs each."""
    for index in range(number):
        burst_id = f"sb{260101 + index // 40}{1 + index % 40:02d}"
        notices = root / "archive" / burst_id / "alerts"
        notices.mkdir(parents=True)
        (notices / "received.jsonl").touch()
        for run in (1, 2):
            for report in (FINAL_REPORT, PRELIMINARY_REPORT):
                path = root / "products" / burst_id / f"{burst_id}__{run}" / report
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        (root / "notifications" / burst_id / OCCURRENCES).mkdir(parents=True)


def search(root: Path) -> None:
    """Read the times of change of all files that can show something new."""
    for burst in (root / "products").iterdir():
        paths = [root / "archive" / burst.name / "alerts" / "received.jsonl"]
        for report in (FINAL_REPORT, PRELIMINARY_REPORT):
            paths += burst.glob(f"*/{report}")
        for path in paths:
            path.stat()


if __name__ == "__main__":
    main()
