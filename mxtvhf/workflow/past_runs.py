"""The event files of past runs, of which calibration files are made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mxtvhf.errors import InvalidInput
from mxtvhf.events.event_file import EventFile, read_event_file
from mxtvhf.models.files import write_atomically
from mxtvhf.models.text import escaped


def longest_runs(paths: Sequence[Path]) -> list[tuple[Path, EventFile]]:
    """Read event files; of several of one burst and data stream take the one with the longest exposure.

    They share their photons. Files without good time are left out.
    """
    found: dict[str, tuple[Path, EventFile]] = {}
    for path in paths:
        events = read_event_file(path)
        name = run_name(events)
        if events.exposure_s > 0.0 and (name not in found or events.exposure_s > found[name][1].exposure_s):
            found[name] = path, events
    return [found[name] for name in sorted(found)]


def run_name(events: EventFile) -> str:
    """Return the burst and the data stream of an event file."""
    return f"{events.header['BURST_ID']} {events.header['DSTREAM']}"


def write_calibration_file(path: Path, text: str) -> Path:
    """Write a new calibration file, and return its path.

    Raises
    ------
    InvalidInput
        There is a file of that name.
    """
    if path.exists():
        raise InvalidInput(f"{escaped(path)}: exists; use the folder as MXTVHF_CALIBRATION for a new version")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.encode())
    return path
