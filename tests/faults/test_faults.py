"""Whatever dies among the alerts, each has exactly one report and at most one announcement.

``MXTVHF_FAULT_ALERTS`` is the number of alerts for each fault.
"""

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress

import psutil
import pytest

from faults.trial import ALERTS
from mxtvhf.operation.stack.embedded import gp_connection
from mxtvhf.operation.stack.processes import wait_until
from support.fake_gp import running_fake_gp

pytestmark = [pytest.mark.integration, pytest.mark.timeout(7200)]

SERVICES = ("scheduler", "triggerer", "api-server", "dag-processor", "listen", "gp")


@pytest.mark.parametrize("service", SERVICES)
def test_a_killed_service(trial, stack, service):
    def kill():
        killed = stack.processes.pid(service)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: stack.processes.pid(service) != killed, what=service, timeout=60)

    trial.endure(f"SIGKILL of {service}", ALERTS, kill)


def executor_processes(stack, which):
    """Processes of the LocalExecutor: ``idle`` or ``busy`` workers, or the ``task`` of a busy one."""
    found = []
    for worker in psutil.Process(stack.processes.pid("scheduler")).children():
        with suppress(psutil.NoSuchProcess):
            title = " ".join(worker.cmdline())
            if "LocalExecutor" in title:
                is_idle = "<idle>" in title
                found += {
                    "idle": [worker] if is_idle else [],
                    "busy": [] if is_idle else [worker],
                    "task": [] if is_idle else worker.children(),
                }[which]
    return found


@pytest.mark.parametrize(("which", "name"), [("task", "the process of a task"), ("busy", "a busy worker")])
def test_a_killed_worker(trial, stack, which, name):
    def kill():
        wait_until(lambda: bool(executor_processes(stack, which)), what=name, timeout=120)
        for process in executor_processes(stack, which)[:1]:
            process.kill()

    trial.endure(f"SIGKILL of {name}", ALERTS, kill)


def test_all_idle_workers_killed(trial, stack):
    """One of them holds the lock of the executor's queue, which is never released."""

    def kill():
        wait_until(lambda: bool(executor_processes(stack, "idle")), what="idle worker", timeout=600)
        for process in executor_processes(stack, "idle"):
            process.kill()

    trial.endure("SIGKILL of the idle workers", ALERTS, kill)


@pytest.mark.parametrize("down_s", [0, 30])
def test_killed_nats(trial, nats_server, down_s):
    def kill():
        nats_server.kill()
        time.sleep(down_s)
        nats_server.start()

    trial.endure(f"SIGKILL of NATS, down for {down_s} s", ALERTS, kill)


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGINT, "fast"), (signal.SIGQUIT, "immediate"), (signal.SIGKILL, "SIGKILL")]
)
def test_postgresql_ends(trial, stack, number, name):
    """The signals are those of ``pg_ctl stop -m fast`` and ``-m immediate``."""

    def end():
        ended = stack.database.pid
        os.kill(ended, number)
        wait_until(lambda: stack.database.pid not in (None, ended), what="PostgreSQL", timeout=120)

    trial.endure(f"restart of PostgreSQL, {name}", ALERTS, end)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may mount a small file system")
def test_a_full_disk_for_products(trial, settings):
    def resize(size):
        subprocess.run(["mount", "-o", f"remount,size={size}", settings.products], check=True)

    def fill():
        size = shutil.disk_usage(settings.products)
        resize(size.used + (16 << 20))
        ballast = settings.products / ".ballast"
        with ballast.open("wb") as file, suppress(OSError):
            while True:
                file.write(bytes(1 << 16))
        assert shutil.disk_usage(settings.products).free < 1 << 16
        time.sleep(20)
        ballast.unlink()
        resize(size.total)

    trial.endure("full disk for products, 20 s", ALERTS, fill)


@pytest.mark.parametrize(
    ("states", "name"),
    [
        (["running"] * 20 * ALERTS + ["completed"], "slow GP"),
        (["html"], "GP that answers HTML"),
        (["truncated"], "GP that truncates its JSON"),
        # The number is limited: a run would otherwise wait until its gp_timeout_s, half an hour.
        (["hang up"] * 5 * ALERTS + ["completed"], "GP that closes connections for a while"),
    ],
)
def test_a_bad_gp(trial, stack, states, name):
    with running_fake_gp() as gp:
        gp.states = list(states)
        stack.api.put_connection(gp_connection(gp.url))
        try:
            row = trial.endure(name, ALERTS, lambda: None)
        finally:
            stack.api.put_connection(gp_connection(stack.gp_url))
        assert len(gp.posts) == ALERTS
        assert row["without GP"] == (0 if states[-1] == "completed" else ALERTS)


@pytest.mark.skipif(shutil.which("faketime") is None, reason="needs Debian's faketime")
@pytest.mark.parametrize("jump_s", [90, -90])
def test_a_clock_jump_of_the_listener(trial, stack, jump_s):
    service = stack.processes._running["listen"]
    own = service.command

    def start_anew(command):
        # The supervisor starts it with what stands here.
        killed = stack.processes.pid("listen")
        stack.processes._running["listen"].command = command
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: stack.processes.pid("listen") != killed, what="listen", timeout=120)

    try:
        faked = ["faketime", "-f", f"{jump_s:+d}s", *own]
        trial.endure(f"clock of the listener {jump_s:+d} s", ALERTS, lambda: start_anew(faked))
    finally:
        start_anew(own)
