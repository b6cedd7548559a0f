"""Select the event files of past runs from which calibration files are made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mxtvhf.errors import InvalidInput
from mxtvhf.events.event_file import EventFile, read_event_file
from mxtvhf.models.files import write_atomically
from mxtvhf.models.text import escaped


def longest_runs(paths: Sequence[Path]) -> list[tuple[Path, EventFile]]:
    """Read event files and keep the longest exposure of each burst and data stream.

    Event files of the same burst and data stream share their photons. Files without good time are left out.

    Parameters
    ----------
    paths
        Event files written by ``fits_feed``.

    Raises
    ------
    InvalidInput
        An event file is unreadable.
    """
    found: dict[str, tuple[Path, EventFile]] = {}
    for path in paths:
        events = read_event_file(path)
        name = run_name(events)
        if events.exposure_s > 0.0 and (name not in found or events.exposure_s > found[name][1].exposure_s):
            found[name] = path, events
    return [found[name] for name in sorted(found)]


def run_name(events: EventFile) -> str:
    """Return the burst id and data stream of an event file as one name.

    Parameters
    ----------
    events
        The event file.
    """
    return f"{events.header['BURST_ID']} {events.header['DSTREAM']}"


def write_calibration_file(path: Path, text: str) -> Path:
    """Write a new calibration file and return its path.

    Parameters
    ----------
    path
        The file; its folder is created.
    text
        Content, TOML.

    Raises
    ------
    InvalidInput
        The file exists.
    """
    if path.exists():
        raise InvalidInput(
            f"{escaped(path)}: the file exists; set MXTVHF_CALIBRATION to its folder to make the next version"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.encode())
    return path
