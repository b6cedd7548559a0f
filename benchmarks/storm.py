"""An alert storm through the real intake, against as many chains of tasks that do nothing.

``python -m benchmarks.storm --alerts 1000`` starts the embedded stack in a temporary folder. Some single
alerts come first, then all of the storm within ``--seconds``, each with a notice and packets through the
inbox; then as many runs of the DAG of the same shape whose tasks do nothing. Meanwhile the API is asked what
its pages ask. A report is there when its task has ended.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.alerts import burst_ids, lay, lay_all, write_alerts
from benchmarks.latency import NOOP, project_with_baseline
from mxtvhf.errors import MxtVhfError
from mxtvhf.operation.stack.embedded import Stack, embedded_stack
from mxtvhf.operation.stack.processes import wait_until
from mxtvhf.settings import ADMIN, Settings
from mxtvhf.workflow.airflow_api import DAG_ID, AirflowApi

REPORTS = {
    "preliminary report": ("preliminary_report", "preliminary"),
    "final report": ("update_BA", "update"),
}
"""What -> the task that writes it, and the task that stands for it in the other DAG."""
PAGES = {
    "runs of the DAG": f"/api/v2/dags/{DAG_ID}/dagRuns?limit=25&order_by=-run_after",
    "bursts": "/mxtvhf/bursts",
    "health": "/api/v2/monitor/health",
}
SINGLES = 4
"""Single alerts before the storm; the first one warms up and does not count."""
ASK_EVERY_S = 1.0
A_CHAIN_S = 30.0
"""Of patience for each chain."""


Times = NDArray[np.float64]


@dataclass(frozen=True)
class Chains:
    """What became of some runs of one DAG.

    Attributes
    ----------
    began
        When each alert came, seconds since 1970.
    reported
        Report -> when the task that writes it ended, of each alert.
    ended
        When each run ended.
    tasks
        Tasks that ran.
    """

    began: Times
    reported: dict[str, Times]
    ended: Times
    tasks: int

    @property
    def seconds(self) -> float:
        """From the first alert to the last end of a run."""
        return float(self.ended.max() - self.began.min())

    def took(self, report: str) -> Times:
        """Return how long a report took, seconds after each alert."""
        return self.reported[report] - self.began

    def first(self, report: str, number: int) -> Times:
        """Return the same of those that came first, whichever alert they are of."""
        return self.took(report)[np.argsort(self.reported[report])[:number]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10.0, help="within which they come")
    parser.add_argument("--port", type=int, default=18080)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        storm(Path(folder), options.alerts, options.seconds, options.port)


def storm(folder: Path, alerts: int, seconds: float, port: int) -> None:
    """Run the storm and the chains that do nothing, and print the tables."""
    # Each burst gets one run: no update comes while it lasts.
    settings = Settings(state=folder / "var", intake={"quiet_seconds": 7200, "close_seconds": 14400})
    bursts = write_alerts(folder / "bursts", islice(burst_ids(), SINGLES + alerts))
    project = project_with_baseline(folder)
    with embedded_stack(settings, project=project, port=port, gp_port=port + 1) as stack:
        wait_until(lambda: stack.api.unpause(NOOP), what=NOOP, timeout=60)
        singles = [alerts_ended(stack, settings, [burst], 0.0) for burst in bursts[:SINGLES]][1:]
        with answer_times(stack) as answers:
            ours = alerts_ended(stack, settings, bursts[SINGLES:], seconds)
        print_once(stack.api, settings, bursts)
        noop_single = [noop_ended(stack.api, [f"single-{number}"]) for number in range(SINGLES)][1:]
        noop = noop_ended(stack.api, [f"noop-{number}" for number in range(alerts)])
    print_reports(ours, singles, noop, noop_single)
    print_throughput(ours, noop)
    print_answers(answers)


def alerts_ended(stack: Stack, settings: Settings, bursts: list[Path], seconds: float) -> Chains:
    """Lay alerts into the inbox and wait until all have been dealt with."""
    came = (
        lay_all(bursts, settings.inbox, seconds)
        if seconds
        else {bursts[0].name: lay(bursts[0], settings.inbox)}
    )
    moments = {f"{burst_id}__1": moment for burst_id, moment in came.items()}
    return chains_ended(stack.api, DAG_ID, moments, [task for task, _ in REPORTS.values()])


def noop_ended(api: AirflowApi, run_ids: list[str]) -> Chains:
    """Start runs that do nothing, as fast as Airflow takes them, and wait for their end."""
    moments = {}
    for run_id in run_ids:
        moments[run_id] = datetime.now(UTC)
        api.start_run(run_id, {}, dag_id=NOOP)
    return chains_ended(api, NOOP, moments, [task for _, task in REPORTS.values()])


def chains_ended(
    api: AirflowApi, dag_id: str, moments: dict[str, datetime], reports: Iterable[str]
) -> Chains:
    """Wait for the end of runs and tell how long they took, from a moment given for each."""
    patience = 300.0 + A_CHAIN_S * len(moments)
    for run_id in moments:
        wait_until(lambda: has_ended(api, dag_id, run_id), what=run_id, timeout=patience)  # noqa: B023
    ended, tasks, reported = [], 0, {name: list[float]() for name in REPORTS}
    for run_id in moments:
        ended.append(seconds_of(api.run(run_id, dag_id=dag_id)["end_date"]))
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        ends = {ti["task_id"]: ti["end_date"] for ti in api.get(path)["task_instances"] if ti["hostname"]}
        tasks += len(ends)
        for name, task in zip(REPORTS, reports, strict=True):
            reported[name].append(seconds_of(ends[task]))
    return Chains(
        began=np.array([moment.timestamp() for moment in moments.values()]),
        reported={name: np.array(times) for name, times in reported.items()},
        ended=np.array(ended),
        tasks=tasks,
    )


def has_ended(api: AirflowApi, dag_id: str, run_id: str) -> bool:
    """Tell whether a run has ended, else pause; False, too, while the intake has not started it."""
    with suppress(MxtVhfError):
        if api.run(run_id, dag_id=dag_id)["state"] in ("success", "failed"):
            return True
    # An answer takes about 15 ms of a core: often asked, the question would slow what it waits for.
    time.sleep(ASK_EVERY_S)
    return False


def seconds_of(text: str) -> float:
    """Read a time of Airflow's, seconds since 1970."""
    return datetime.fromisoformat(text).timestamp()


@contextmanager
def answer_times(stack: Stack) -> Iterator[dict[str, list[float]]]:
    """Ask for the pages again and again meanwhile, and give how long each answer took, seconds."""
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
    """Print which alerts have no report, and which have more than one run."""
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
    """Print how long the reports took."""
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
    """Print runs and tasks per time, and the ratio to chains that do nothing."""
    for name, chains in ((DAG_ID, ours), (NOOP, noop)):
        runs = len(chains.began)
        print(
            f"{name:8} {runs} runs in {chains.seconds:.0f} s: {60 * runs / chains.seconds:.1f} runs/min,"
            f" {chains.tasks / chains.seconds:.2f} tasks/s"
        )
    print(f"throughput against chains that do nothing: {noop.seconds / ours.seconds:.2f}")


def print_answers(answers: dict[str, list[float]]) -> None:
    """Print how fast the pages answered."""
    for page, times in answers.items():
        middle, high, last = np.quantile(times, (0.5, 0.9, 1.0))
        print(f"{page:18} answered in {middle:.2f} s (median), {high:.2f} (90 %), {last:.2f} (longest)")


if __name__ == "__main__":
    main()
