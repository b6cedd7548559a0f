"""Compare an alert storm through the intake with the same number of no-op chains.

``python -m benchmarks.storm --alerts 1000`` starts the embedded stack in a temporary folder. It drops single
alerts into the inbox, then all alerts of the storm within ``--seconds``, each with a notice and packets. Then
it starts the same number of runs of the no-op DAG. Meanwhile it requests the pages of the API and times the
answers. A report counts as written when its task has ended.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.alerts import burst_ids, lay, lay_all, write_alerts
from benchmarks.latency import NOOP, project_with_baseline
from benchmarks.runs import Runs
from mxtvhf.operation.stack.embedded import Stack, embedded_stack
from mxtvhf.operation.stack.processes import wait_until
from mxtvhf.settings import ADMIN, Settings
from mxtvhf.workflow.airflow_api import DAG_ID, AirflowApi

REPORTS = {
    "preliminary report": ("preliminary_report", "preliminary"),
    "final report": ("update_BA", "update"),
}
"""Report -> the task that writes it, and the corresponding task of the no-op DAG."""
PAGES = {
    "runs of the DAG": f"/api/v2/dags/{DAG_ID}/dagRuns?limit=25&order_by=-run_after",
    "bursts": "/mxtvhf/bursts",
    "health": "/api/v2/monitor/health",
}
SINGLES = 4
"""Single alerts before the storm; the first one warms up and does not count."""
ASK_EVERY_S = 1.0

Times = NDArray[np.float64]


@dataclass(frozen=True)
class Chains:
    """The times of the runs of one DAG.

    Attributes
    ----------
    began
        Arrival of each alert, seconds since 1970.
    reported
        Report -> end of the task that writes it, for each alert.
    ended
        End of each run.
    tasks
        Number of executed tasks.
    """

    began: Times
    reported: dict[str, Times]
    ended: Times
    tasks: int

    @property
    def seconds(self) -> float:
        """Seconds from the first alert to the end of the last run."""
        return float(self.ended.max() - self.began.min())

    def took(self, report: str) -> Times:
        """Return the time from each alert to its report, seconds."""
        return self.reported[report] - self.began

    def first(self, report: str, number: int) -> Times:
        """Return the same for the reports that were written first."""
        return self.took(report)[np.argsort(self.reported[report])[:number]]


def main() -> None:
    """Run the measurement with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10.0, help="duration of the storm")
    parser.add_argument("--port", type=int, default=18080)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        storm(Path(folder), options.alerts, options.seconds, options.port)


def storm(folder: Path, alerts: int, seconds: float, port: int) -> None:
    """Run the storm and the no-op chains, and print the tables."""
    # Long pauses, so that each burst gets only one run.
    settings = Settings(state=folder / "var", intake={"quiet_seconds": 7200, "close_seconds": 14400})
    bursts = write_alerts(folder / "bursts", islice(burst_ids(), SINGLES + alerts))
    project = project_with_baseline(folder)
    with (
        embedded_stack(settings, project=project, port=port, gp_port=port + 1) as stack,
        closing(Runs(stack)) as ran,
    ):
        wait_until(lambda: stack.api.unpause(NOOP), what=NOOP, timeout=60)
        singles = [alerts_ended(ran, settings, [burst], 0.0) for burst in bursts[:SINGLES]][1:]
        with answer_times(stack) as answers:
            ours = alerts_ended(ran, settings, bursts[SINGLES:], seconds)
        print_once(stack.api, settings, bursts)
        noop_single = [noop_ended(ran, [f"single-{number}"]) for number in range(SINGLES)][1:]
        noop = noop_ended(ran, [f"noop-{number}" for number in range(alerts)])
    print_reports(ours, singles, noop, noop_single)
    print_throughput(ours, noop)
    print_answers(answers)


def alerts_ended(ran: Runs, settings: Settings, bursts: list[Path], seconds: float) -> Chains:
    """Drop alerts into the inbox and wait for the end of their runs."""
    came = (
        lay_all(bursts, settings.inbox, seconds)
        if seconds
        else {bursts[0].name: lay(bursts[0], settings.inbox)}
    )
    moments = {f"{burst_id}__1": moment for burst_id, moment in came.items()}
    return chains_ended(ran, DAG_ID, moments, [task for task, _ in REPORTS.values()])


def noop_ended(ran: Runs, run_ids: list[str]) -> Chains:
    """Start no-op runs as fast as Airflow accepts them, and wait for their end."""
    moments = {}
    for run_id in run_ids:
        moments[run_id] = datetime.now(UTC)
        ran.start(NOOP, run_id, {})
    return chains_ended(ran, NOOP, moments, [task for _, task in REPORTS.values()])


def chains_ended(ran: Runs, dag_id: str, moments: dict[str, datetime], reports: Iterable[str]) -> Chains:
    """Wait for the end of runs and return their times, counted from the given moments."""
    ran.wait(dag_id, moments)
    ended, tasks, reported = [], 0, {name: list[float]() for name in REPORTS}
    for run_id in moments:
        created, times = ran.created(dag_id, run_id).timestamp(), ran.times(dag_id, run_id)
        ended.append(created + times["run"][1])
        tasks += len(times) - 1
        for name, task in zip(REPORTS, reports, strict=True):
            reported[name].append(created + times[task][1])
    return Chains(
        began=np.array([moment.timestamp() for moment in moments.values()]),
        reported={name: np.array(times) for name, times in reported.items()},
        ended=np.array(ended),
        tasks=tasks,
    )


@contextmanager
def answer_times(stack: Stack) -> Iterator[dict[str, list[float]]]:
    """Request the pages repeatedly in a thread, and yield the duration of each answer, seconds."""
    api, stop = AirflowApi(stack.url, ADMIN, stack.password), threading.Event()
    times: dict[str, list[float]] = {page: [] for page in PAGES}

    def ask() -> None:
        while not stop.wait(ASK_EVERY_S):
            for page, path in PAGES.items():
                began = time.monotonic()
                api.get(path)
                times[page].append(time.monotonic() - began)

    thread = threading.Thread(target=ask, name="reader of the pages")
    thread.start()
    try:
        yield times
    finally:
        stop.set()
        thread.join()


def print_once(api: AirflowApi, settings: Settings, bursts: list[Path]) -> None:
    """Print the number of alerts without a report, without a run, and with more than one run."""
    runs: dict[str, int] = {burst.name: 0 for burst in bursts}
    offset = 0
    while page := api.get(f"/api/v2/dags/{DAG_ID}/dagRuns?limit=100&offset={offset}&order_by=id")["dag_runs"]:
        offset += len(page)
        for run in page:
            runs[run["dag_run_id"].partition("__")[0]] += 1
    reports = {path.parent.parent.name for path in settings.products.glob("sb*/*/report.json")}
    print(
        f"{len(bursts)} alerts: {len(runs.keys() - reports)} without a final report,"
        f" {sum(number == 0 for number in runs.values())} without a run,"
        f" {sum(number > 1 for number in runs.values())} with more than one run"
    )


def print_reports(ours: Chains, singles: list[Chains], noop: Chains, noop_single: list[Chains]) -> None:
    """Print the times of the reports."""
    print("seconds from the alert       single  first ten  ratio     median       90 %       last")
    for who, many, ones in ((DAG_ID, ours, singles), (NOOP, noop, noop_single)):
        for name in REPORTS:
            single = float(np.median([chains.took(name) for chains in ones]))
            first = float(np.median(many.first(name, 10)))
            middle, high, last = np.quantile(many.took(name), (0.5, 0.9, 1.0))
            print(
                f"{who:8} {name:18} {single:7.2f} {first:10.2f} {first / single:6.2f}"
                f" {middle:10.1f} {high:10.1f} {last:10.1f}"
            )


def print_throughput(ours: Chains, noop: Chains) -> None:
    """Print runs and tasks per time, and the ratio to the no-op chains."""
    for name, chains in ((DAG_ID, ours), (NOOP, noop)):
        runs = len(chains.began)
        print(
            f"{name:8} {runs} runs in {chains.seconds:.0f} s: {60 * runs / chains.seconds:.1f} runs/min,"
            f" {chains.tasks / chains.seconds:.2f} tasks/s"
        )
    print(f"throughput relative to no-op chains: {noop.seconds / ours.seconds:.2f}")


def print_answers(answers: dict[str, list[float]]) -> None:
    """Print the response times of the pages."""
    for page, times in answers.items():
        middle, high, last = np.quantile(times, (0.5, 0.9, 1.0))
        print(f"{page:18} answered in {middle:.2f} s (median), {high:.2f} (90 %), {last:.2f} (longest)")


if __name__ == "__main__":
    main()
