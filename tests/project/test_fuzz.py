"""A bounded run of the fuzzing; ``make fuzz`` runs longer."""

import re
import subprocess
import sys

import pytest

from fuzz.seeds import BURST, seeds
from fuzz.targets import TARGETS, seal
from mxtvhf.catalogues.readers import read_parts
from mxtvhf.events.event_file import read_event_file
from mxtvhf.notices.voevent import read_alert
from mxtvhf.reporting.messages.model import read_message
from mxtvhf.telemetry.decode import bursts_in

SECONDS = 1
"""For each target; with its start about twice that."""


def test_fuzzing_starts_with_valid_inputs(tmp_path):
    starts = seeds()
    assert starts.keys() == TARGETS.keys()
    for raw in starts["packets"] + [seal(start) for start in starts["sealed_packets"]]:
        assert list(bursts_in(raw, name="seed")) == [BURST]
    for raw in starts["notice"]:
        assert read_alert(raw).burst_id == BURST
    for number, raw in enumerate(starts["event_file"]):
        path = tmp_path / f"{number}.fits"
        path.write_bytes(raw)
        assert len(read_event_file(path).photons)
    for number, raw in enumerate(starts["catalogue"]):
        path = tmp_path / f"{number}.catalogue"
        path.write_bytes(raw)
        assert [part.rows["ra"].tolist() for part in read_parts(path)]
    for raw in starts["message"]:
        assert read_message(raw).burst_id == BURST


@pytest.mark.slow
def test_a_short_fuzzing_run_finds_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "fuzz", "--seconds", str(SECONDS), "--findings", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    tried = dict(re.findall(r"^ *(\w+) +([\d,]+)", done.stdout, re.MULTILINE))
    assert tried.keys() >= TARGETS.keys()
    assert all(int(tried[name].replace(",", "")) > 1 for name in TARGETS)


PLANTED = """
import sys
from pathlib import Path
from fuzz.engine import fuzz

def planted(raw):
    if raw[:1] == b"M":
        raise ValueError("planted")

fuzz(planted, *map(Path, sys.argv[1:]), 30)
"""


def test_an_injected_fault_is_found_and_stored(tmp_path):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "seed").write_bytes(b"L")
    done = subprocess.run(
        [sys.executable, "-c", PLANTED, str(tmp_path / "corpus"), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "planted" in done.stdout + done.stderr
    (kept,) = tmp_path.glob("crash-*")
    assert kept.read_bytes().startswith(b"M")
