"""Measure the CPU time and the API requests of a run, and compare them with those of a no-op chain.

``python -m benchmarks.cost`` starts the embedded stack in a temporary folder. It runs the no-op chain and
``mxt_vhf`` one after the other, then ``--at-once`` runs of each at the same time. CPU times are those of the
processes of the stack. Requests are counted in the access log of the API server; the requests of this program
are left out. The load of the idle stack is measured first; it is part of the CPU times of the runs.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.latency import BURST, NOOP, project_with_baseline
from benchmarks.runs import Runs
from mxtvhf.operation.stack.embedded import Stack, embedded_stack
from mxtvhf.operation.stack.processes import wait_until
from mxtvhf.settings import Settings
from mxtvhf.simulator.scenario import scenario_of, write_scenario
from mxtvhf.workflow.airflow_api import DAG_ID

SERVICES = ("api-server", "scheduler", "dag-processor", "triggerer", "gp", "listen")
KINDS = (
    "api-server",
    "postgresql",
    "scheduler",
    "workers",
    "tasks",
    "dag-processor",
    "triggerer",
    "gp",
    "listen",
)
"""Kinds of processes. A worker forks a process for each task, whose time is that of its ended children."""
REQUEST = re.compile(r" method=(?P<method>\w+) path=/execution/(?P<path>\S+) ")
REQUESTS = {
    "start": r"PATCH task-instances/[^/]+/run",
    "heartbeat": r"PUT task-instances/[^/]+/heartbeat",
    "end": r"PATCH task-instances/[^/]+/state",
    "skip of other tasks": r"PATCH task-instances/[^/]+/skip-downstream",
    "states": r"GET task-instances/states",
    "XCom read": r"(GET|HEAD) xcoms/",
    "XCom write": r"(POST|DELETE) xcoms/",
    "state store": r"\w+ store/",
    "connection": r"GET connections/",
    "other": r".",
}
"""Kind of a request of a task -> pattern of its method and path; the first match counts."""
IDLE_S = 20.0
"""Duration of the measurement of the idle stack, seconds."""
SETTLE_S = 3.0
"""Pause before and after a measurement, in which the last processes end, seconds."""


@dataclass(frozen=True)
class Cost:
    """What a number of runs cost.

    Attributes
    ----------
    cpu_s
        Kind of process -> CPU time per run, seconds.
    requests
        Kind of request -> number per run.
    wall_s
        Time from the first start to the last end, seconds.
    """

    cpu_s: Mapping[str, float]
    requests: Mapping[str, float]
    wall_s: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="runs of each DAG, one after the other")
    parser.add_argument("--at-once", type=int, default=20, help="runs of each DAG at the same time (0: none)")
    parser.add_argument("--port", type=int, default=18080)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        measure(Path(folder), options.runs, options.at_once, options.port)


def measure(folder: Path, runs: int, at_once: int, port: int) -> None:
    """Measure both DAGs and print the tables."""
    settings = Settings(state=folder / "var")
    project = project_with_baseline(folder)
    burst = settings.inputs / BURST
    write_scenario(scenario_of(BURST), burst)
    confs = {
        NOOP: {},
        DAG_ID: {"burst_id": BURST, "alert": str(burst / "alert.xml"), "packets": str(burst / "packets.bin")},
    }
    with (
        embedded_stack(settings, project=project, port=port, gp_port=port + 1) as stack,
        closing(Runs(stack)) as ran,
    ):
        wait_until(lambda: stack.api.unpause(NOOP), what=NOOP, timeout=60)
        meter = Meter(stack, settings.home / "log" / "api-server.log")
        for dag_id, conf in confs.items():
            ran.start(dag_id, "first", conf)
            ran.wait(dag_id, ["first"])
        meter.measure_idle()
        print_idle(meter)
        for number, name in ((runs, "one after the other"), (at_once, "at once")):
            if number:
                is_at_once = name == "at once"
                costs = [
                    meter.cost(ran, dag_id, conf, number, at_once=is_at_once)
                    for dag_id, conf in confs.items()
                ]
                print_costs(f"{number} runs of each DAG {name}", *costs)


class Meter:
    """Reads CPU times and requests of a stack.

    Parameters
    ----------
    stack
        The running stack.
    log
        Log of its API server.
    """

    def __init__(self, stack: Stack, log: Path) -> None:
        self._stack, self._log = stack, log
        self.idle: Mapping[str, float] = dict.fromkeys(KINDS, 0.0)
        """Load of the idle stack by kind of process, fractions of a core."""

    def measure_idle(self) -> None:
        """Measure the load of the idle stack."""
        time.sleep(SETTLE_S)
        before, began = self._cpu(), time.monotonic()
        time.sleep(IDLE_S)
        took = time.monotonic() - began
        self.idle = {kind: (spent - before[kind]) / took for kind, spent in self._cpu().items()}

    def cost(self, ran: Runs, dag_id: str, conf: dict[str, Any], number: int, *, at_once: bool) -> Cost:
        """Run a DAG a number of times and return the cost of a run."""
        run_ids = [f"{'at-once' if at_once else 'single'}-{one}" for one in range(number)]
        time.sleep(SETTLE_S)
        cpu, start, began = self._cpu(), self._log.stat().st_size, time.monotonic()
        for run_id in run_ids:
            ran.start(dag_id, run_id, conf)
            if not at_once:
                ran.wait(dag_id, [run_id])
        ran.wait(dag_id, run_ids)
        wall_s = time.monotonic() - began
        time.sleep(SETTLE_S)
        spent = {kind: now - cpu[kind] for kind, now in self._cpu().items()}
        return Cost(
            {kind: seconds / number for kind, seconds in spent.items()},
            {kind: count / number for kind, count in self._requests(start).items()},
            wall_s,
        )

    def memory_bytes(self) -> dict[str, int]:
        """Return the proportional set size (PSS) of each kind of process, bytes."""
        found: Counter[str] = Counter()
        for kind, process in self._processes():
            with suppress(psutil.NoSuchProcess):
                found[kind] += process.memory_full_info().pss
        return dict(found)

    def _processes(self) -> list[tuple[str, psutil.Process]]:
        roots = {name: self._stack.processes.pid(name) for name in SERVICES}
        if (pid := self._stack.database.pid) is not None:
            roots["postgresql"] = pid
        found = []
        for kind, pid in roots.items():
            root = psutil.Process(pid)
            child_kind = "workers" if kind == "scheduler" else kind
            # The children of a worker are the tasks that run now, which end before the next reading.
            children = root.children(recursive=kind != "scheduler")
            found += [(kind, root), *((child_kind, child) for child in children)]
        return found

    def _cpu(self) -> dict[str, float]:
        """Return the CPU time of each kind of process so far, seconds."""
        spent = dict.fromkeys(KINDS, 0.0)
        for kind, process in self._processes():
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                spent[kind] += times.user + times.system
                of_children = times.children_user + times.children_system
                if kind != "scheduler":
                    spent["tasks" if kind == "workers" else kind] += of_children
        return spent

    def _requests(self, start: int) -> Counter[str]:
        """Return the number of requests of tasks by kind, from a position in the log on."""
        with self._log.open("rb") as log:
            log.seek(start)
            lines = log.read().decode(errors="replace")
        found: Counter[str] = Counter()
        for match in REQUEST.finditer(lines):
            request = f"{match['method']} {match['path']}"
            found[next(kind for kind, pattern in REQUESTS.items() if re.match(pattern, request))] += 1
        return found


def print_idle(meter: Meter) -> None:
    """Print load and memory of the idle stack."""
    memory = meter.memory_bytes()
    print("idle stack         load, cores     PSS, MB")
    for kind in KINDS:
        print(f"  {kind:18} {meter.idle[kind]:9.3f} {memory.get(kind, 0) / 1e6:11.0f}")
    print(f"  {'total':18} {sum(meter.idle.values()):9.3f} {sum(memory.values()) / 1e6:11.0f}")


def print_costs(title: str, noop: Cost, ours: Cost) -> None:
    """Print the costs of both DAGs and their ratios."""
    print(f"{title}                     {NOOP:>10} {DAG_ID:>10}      ratio")
    print("CPU time per run, s")
    for kind in KINDS:
        print_line(kind, noop.cpu_s[kind], ours.cpu_s[kind])
    print_line("total", sum(noop.cpu_s.values()), sum(ours.cpu_s.values()))
    print("requests per run")
    for kind in REQUESTS:
        print_line(kind, noop.requests.get(kind, 0.0), ours.requests.get(kind, 0.0))
    print_line("total", sum(noop.requests.values()), sum(ours.requests.values()))
    print_line("duration of all runs, s", noop.wall_s, ours.wall_s)


def print_line(name: str, noop: float, ours: float) -> None:
    """Print one quantity of both DAGs, and the ratio if it has a meaning."""
    ratio = f"{ours / noop:10.2f}" if noop > 0.005 else ""
    print(f"  {name:40} {noop:10.2f} {ours:10.2f} {ratio}")


if __name__ == "__main__":
    main()
