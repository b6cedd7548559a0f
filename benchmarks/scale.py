"""Simulate the throughput of one machine and of installations with 10 and 100 workers (discrete events).

``python -m benchmarks.scale`` measures the CPU time of each step on this machine, adds the measured CPU times
of Airflow per task (``scale.toml``), and simulates how alerts pass the tasks of ``mxt_vhf``: 1000 alerts in
10 s, and a steady load of 80 % of the capacity. It prints the times of the reports, the utilisation of each
kind of process, and which of them is the bottleneck. On one machine all processes share its cores. A last
table is for a storm on one machine with different limits of the intake (``analyses_at_once``).
"""

from __future__ import annotations

import argparse
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import simpy

from mxtvhf.simulator.scenario import scenario_of, write_scenario
from mxtvhf.workflow import local

AIRFLOW: dict[str, float] = tomllib.loads((Path(__file__).with_suffix(".toml")).read_text())
TASKS: dict[str, tuple[str, ...]] = {
    "reception_message": (),
    "photons_extraction": ("reception_message",),
    "fits_feed": ("photons_extraction",),
    "vhf_localisation": ("fits_feed",),
    "preliminary_report": ("vhf_localisation",),
    "source_analysis": ("vhf_localisation",),
    "start_mxt_gp_pipeline": ("fits_feed",),
    "wait_mxt_gp": ("start_mxt_gp_pipeline",),
    "crosscheck_positions": ("vhf_localisation", "wait_mxt_gp"),
    "update_BA": ("crosscheck_positions", "source_analysis"),
    "ask_ba": ("preliminary_report",),
    "run_complete": ("update_BA", "preliminary_report"),
}
"""The tasks of ``mxt_vhf`` and their upstream tasks."""
STORM, STORM_S = 1000, 10.0
SMALL_STORM = 40
"""Alerts of the storm that ``benchmarks.storm --alerts 40`` measures."""
LIMITS = (1, 2, 3, 4, 6, SMALL_STORM)
SLICE_S = 0.01
"""Time for which a process has a core of a shared machine until the next one has it, seconds."""
STEADY = 1000
LOAD = 0.8
STATIONS = ("scheduler", "api", "database", "worker")
"""Kinds of processes, in the order in which a task needs them."""
COLUMNS = (
    "workers", "schedulers, API servers", "alerts/s", "preliminary: median, s", "95 %, s", "final: median, s",
    "95 %, s", *(f"{station} busy" for station in STATIONS), "bottleneck",
)  # fmt: skip


def step_costs(rounds: int) -> dict[str, float]:
    """Return the CPU time of each step in seconds, the smallest of several rounds."""
    costs: dict[str, float] = {}

    class CpuTimeline(local.Timeline):
        @contextmanager
        def step(self, name: str) -> Iterator[None]:
            with super().step(name):
                begin = time.process_time()
                yield
                self.last = time.process_time()
            costs[name] = min(costs.get(name, np.inf), self.last - begin)
            last["ended"] = self.last

    last: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, patch.object(local, "Timeline", CpuTimeline):
        burst = Path(folder) / "burst"
        write_scenario(scenario_of("sb26030704", counts=150, seed=7), burst)
        for number in range(rounds):
            out = Path(folder) / str(number)
            local.process_burst(burst / "alert.xml", burst / "packets.bin", out, figures=False)
            final = time.process_time() - last["ended"]
            costs["update_BA"] = min(costs.get("update_BA", np.inf), final)
    return costs


@dataclass
class Outcome:
    """Times of the simulated alerts, seconds."""

    arrived: list[float] = field(default_factory=list)
    preliminary: dict[int, float] = field(default_factory=dict)
    final: dict[int, float] = field(default_factory=dict)
    busy: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STATIONS, 0.0))


@dataclass(frozen=True)
class Site:
    """The machines of an installation.

    Attributes
    ----------
    workers
        Number of worker machines; 0 if everything runs on one machine.
    schedulers
        Number of schedulers, and of API servers.
    at_once
        Limit of the intake for the runs without a preliminary report, for each scheduler.
    """

    workers: int
    schedulers: int = 1
    at_once: int = 2

    @property
    def places(self) -> dict[str, int]:
        """Return the number of processes of each kind that can work at the same time."""
        cores = int(AIRFLOW["cores"])
        return {
            "scheduler": self.schedulers,
            "api": self.schedulers,
            "database": int(AIRFLOW["database_cores"]) if self.workers else cores,
            "worker": max(1, self.workers) * cores,
        }

    def capacity(self, costs: Mapping[str, float]) -> dict[str, float]:
        """Return the alerts per second that each kind of process can handle, and the cores of one machine."""
        needed = {station: len(TASKS) * AIRFLOW[station] for station in STATIONS}
        needed["worker"] += sum(costs.get(task, 0.0) for task in TASKS)
        found = {station: places / needed[station] for station, places in self.places.items()}
        return found if self.workers else {**found, "cores": AIRFLOW["cores"] / sum(needed.values())}


def simulate(site: Site, costs: Mapping[str, float], arrivals: np.ndarray) -> Outcome:
    """Simulate alerts that arrive at the given times (seconds).

    The intake starts the newest alert first. Later tasks of an alert have priority, as in the project.
    """
    env, outcome = simpy.Environment(), Outcome()
    stations = {station: simpy.PriorityResource(env, places) for station, places in site.places.items()}
    cores = None if site.workers else simpy.Resource(env, int(AIRFLOW["cores"]))
    slots = simpy.PriorityResource(env, max(1, site.workers) * int(AIRFLOW["slots"]))
    waiting, unreported = list[int](), set[int]()
    order = {task: -number for number, task in enumerate(TASKS)}

    def work(station: str, priority: tuple[int, int], seconds: float) -> Iterator[Any]:
        with stations[station].request(priority=priority) as turn:
            yield turn
            yield from compute(seconds)
            outcome.busy[station] += seconds

    def compute(seconds: float) -> Iterator[Any]:
        if cores is None:
            yield env.timeout(seconds)
            return
        for part in np.diff(np.append(np.arange(0.0, seconds, SLICE_S), seconds)):
            with cores.request() as core:
                yield core
                yield env.timeout(part)

    def task(number: int, name: str, done: dict[str, Any]) -> Iterator[Any]:
        yield env.all_of([done[before] for before in TASKS[name]])
        with slots.request(priority=(order[name], number)) as slot:
            yield slot
            for station in STATIONS:
                seconds = AIRFLOW[station] + (costs.get(name, 0.0) if station == "worker" else 0.0)
                yield env.process(work(station, (order[name], number), seconds))
        if name == "wait_mxt_gp":
            yield env.timeout(AIRFLOW["gp"])
        done[name].succeed()
        if name == "preliminary_report":
            outcome.preliminary[number] = env.now
            unreported.remove(number)
            start_runs()
        elif name == "update_BA":
            outcome.final[number] = env.now

    def start_runs() -> None:
        while waiting and len(unreported) < site.at_once * site.schedulers:
            number = waiting.pop()
            unreported.add(number)
            done = {name: env.event() for name in TASKS}
            for name in TASKS:
                env.process(task(number, name, done))

    def alerts() -> Iterator[Any]:
        for number, moment in enumerate(arrivals):
            yield env.timeout(moment - env.now)
            outcome.arrived.append(env.now)
            waiting.append(number)
            start_runs()

    env.process(alerts())
    env.run()
    return outcome


def table_row(site: Site, costs: Mapping[str, float], arrivals: np.ndarray) -> str:
    """Simulate an installation and return its table row."""
    outcome = simulate(site, costs, arrivals)
    began = np.array(outcome.arrived)
    first, last = (
        np.array([ends[number] for number in range(len(began))]) - began
        for ends in (outcome.preliminary, outcome.final)
    )
    span = max(outcome.final.values()) - began[0]
    busy = {name: seconds / span / site.places[name] for name, seconds in outcome.busy.items()}
    figures = [np.median(first), np.percentile(first, 95), np.median(last), np.percentile(last, 95)]
    cells = [
        site.workers or "one machine",
        site.schedulers,
        f"{len(began) / span:.2f}",
        *(f"{value:.1f}" for value in figures),
    ]
    cells += [f"{busy[name]:.0%}" for name in STATIONS]
    capacity = site.capacity(costs)
    return "| " + " | ".join(map(str, [*cells, min(capacity, key=capacity.__getitem__)])) + " |"


def print_limits(costs: Mapping[str, float]) -> None:
    """Print the first ten reports of a storm on one machine, as multiples of a single alert's."""
    single = simulate(Site(0), costs, np.zeros(1))
    print(f"\nstorm of {SMALL_STORM} alerts on one machine: first ten reports / single, median")
    print("| at once | preliminary | final | last run, s |\n" + "|---" * 4 + "|")
    for limit in LIMITS:
        outcome = simulate(Site(0, at_once=limit), costs, np.linspace(0.0, STORM_S, SMALL_STORM))
        ratios = [
            np.median([ends[number] - outcome.arrived[number] for number in sorted(ends, key=ends.get)[:10]])
            / alone[0]
            for ends, alone in (
                (outcome.preliminary, single.preliminary),
                (outcome.final, single.final),
            )
        ]
        print(
            f"| {limit} | {ratios[0]:.1f} | {ratios[1]:.1f} | {max(outcome.final.values()):.0f} |", flush=True
        )


def main() -> None:
    """Measure the steps, simulate the installations, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the measurement of the steps")
    costs = step_costs(parser.parse_args().rounds)
    print(
        "CPU time of the steps, s: " + ", ".join(f"{name} {seconds:.3f}" for name, seconds in costs.items())
    )
    sites = [Site(0), Site(10, 1, 3), Site(100, 1, 3), Site(10, 4, 3), Site(100, 16, 3)]
    generator = np.random.default_rng(1)
    for name in ("storm", "steady"):
        print(f"\n{name}\n| {' | '.join(COLUMNS)} |\n" + "|---" * len(COLUMNS) + "|")
        for site in sites:
            rate = LOAD * min(site.capacity(costs).values())
            steady = np.cumsum(generator.exponential(1.0 / rate, STEADY))
            arrivals = np.linspace(0.0, STORM_S, STORM) if name == "storm" else steady
            print(table_row(site, costs, arrivals), flush=True)
    print_limits(costs)


if __name__ == "__main__":
    main()
