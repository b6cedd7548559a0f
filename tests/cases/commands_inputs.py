"""Inputs of commands that once ended in a traceback, or said what helps nobody."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from mxtvhf.simulator.scenario import scenario_of, write_scenario


@cache
def burst():
    """The files of a small burst, by name."""
    with TemporaryDirectory() as folder:
        files = write_scenario(scenario_of("sb26030704", counts=60, background=30, seed=2), Path(folder))
        return {path.name: path.read_bytes() for path in files}


INPUTS = {
    "alert.xml": lambda: burst()["alert.xml"],
    "packets.bin": lambda: burst()["packets.bin"],
    "junk.bin": lambda: b"\xff" * 100,
    "other.json": lambda: b'{"a": 1}',
    "list.json": lambda: b"[1]",
    "empty.toml": lambda: b"",
    "latin1.toml": lambda: b'state = "\xe9"\n',
}
