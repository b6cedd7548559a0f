"""``mxtvhf up``: what ``make demo`` and ``make run`` call, as processes of their own."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from astropy.io import fits

from mxtvhf.operation.stack.processes import wait_until
from support.airflow_runs import state_folder
from support.nats_server import free_port
from support.project import PROJECT

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def command():
    """Return the command with its own state folder, and its environment."""
    ports = ["--port", str(free_port()), "--gp-port", str(free_port())]
    with state_folder() as state:
        environment = {**os.environ, "MXTVHF_STATE": str(state), "http_proxy": "http://127.0.0.1:9"}
        yield [sys.executable, "-m", "mxtvhf", "up", "--project", str(PROJECT), *ports], environment


def left_over(environment):
    """Return the processes that use the state folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "pid"]):
        if process.info["pid"] != os.getpid() and environment["MXTVHF_STATE"] in " ".join(
            process.info["cmdline"] or []
        ):
            found.append(process)
    return found


def test_the_demo_ends_by_itself_with_the_report(command):
    arguments, environment = command
    done = subprocess.run(
        [*arguments, "--demo", "--seed", "4"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(Path(done.stdout.splitlines()[-1]).read_text())
    assert report["status"] == "final"
    # The reference GP found the X-band file by the observation that the run names.
    assert report["gp"]["available"]
    events = fits.getheader(Path(done.stdout.splitlines()[-1]).with_name("events.fits"))
    assert events["OBS_ID"] == "0_sb26030704-4_0"
    assert "         password: " in done.stderr
    assert re.search(r"^Desk:    http://127\.0\.0\.1:\d+/mxtvhf/desk$", done.stderr, re.M)
    assert not left_over(environment)


def test_ctrl_c_ends_every_process_and_the_state_is_reused(command, tmp_path):
    arguments, environment = command
    log = tmp_path / "log"
    with log.open("w") as output:
        process = subprocess.Popen(arguments, env=environment, stderr=output)
    try:
        wait_until(
            lambda: "press Ctrl-C to stop" in log.read_text() or process.poll() is not None,
            what="second start",
            timeout=400,
        )
        # No command is told the port.
        words = [sys.executable, "-m", "mxtvhf", "info"]
        found = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        below = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        assert process.wait(90) == 0
    finally:
        process.terminate()
        process.wait(90)
    text = log.read_text()
    assert "run sb26030704__" not in text, "each burst asks for a decision: one is enough"
    assert "Desk:" in text
    assert "         password: " not in text
    assert found.returncode == 0, found.stderr
    assert "sb26030704" in found.stdout
    assert not (Path(environment["MXTVHF_STATE"]) / "airflow-url").exists()
    assert len(below) > 5
    assert not [child for child in below if child.is_running()]
    assert not left_over(environment)


def test_an_unknown_burst_is_rejected_before_anything_starts(command):
    arguments, environment = command
    done = subprocess.run(
        [*arguments, "--burst", "sb99010101"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("mxtvhf: burst 'sb99010101' is unknown")
