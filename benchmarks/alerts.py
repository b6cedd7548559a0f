"""Write simulated alerts of many bursts and drop them into the inbox."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from mxtvhf.simulator.scenario import scenario_of, write_scenario

FIRST_DAY = datetime(2027, 1, 1, tzinfo=UTC)
A_DAY = 40
COUNTS, BACKGROUND = 80, 30
"""Photons of a strong source; the first run has all of them (`IntakePolicy.first_photons`)."""


def burst_ids() -> Iterator[str]:
    """Yield an endless sequence of different burst ids."""
    for number in count():
        day, of_day = divmod(number, A_DAY)
        yield f"sb{FIRST_DAY + timedelta(days=day):%y%m%d}{of_day + 1:02d}"


def write_alerts(folder: Path, bursts: Iterable[str]) -> list[Path]:
    """Simulate bursts; each folder has the name of its burst and holds its notice and packets."""
    folders = [folder / burst_id for burst_id in bursts]
    for seed, burst in enumerate(folders):
        scenario = scenario_of(
            burst.name,
            ra_deg=120.0,
            dec_deg=-20.0,
            counts=COUNTS,
            background=BACKGROUND,
            seed=seed,
            role="observation",
        )
        write_scenario(scenario, burst)
    return folders


def lay(burst: Path, inbox: Path) -> datetime:
    """Drop packets, then the notice of a burst into the inbox, so that one run gets both; return the time."""
    for name, suffix in (("packets.bin", "bin"), ("eclairs-wakeup.xml", "xml")):
        part = inbox / f".{burst.name}.part"
        part.write_bytes((burst / name).read_bytes())
        part.rename(inbox / f"{burst.name}.{suffix}")
    return datetime.now(UTC)


def lay_all(bursts: list[Path], inbox: Path, seconds: float) -> dict[str, datetime]:
    """Drop bursts into the inbox at equal intervals; return the time of each."""
    began, laid = time.monotonic(), dict[str, datetime]()
    for number, burst in enumerate(bursts):
        time.sleep(max(0.0, began + number * seconds / len(bursts) - time.monotonic()))
        laid[burst.name] = lay(burst, inbox)
    return laid
