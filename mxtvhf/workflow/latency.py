"""Measure processing times: distributions over all reports of an installation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain
from statistics import median

from mxtvhf.archive.products import ReportSummary
from mxtvhf.models.base import Model
from mxtvhf.models.times import duration_text

STAGES = (
    ("T0 to report", "trigger", "report"),
    ("last photon to report", "last_photon", "report"),
    ("received to run created", "received", "run_created"),
    ("run created to preliminary report", "run_created", "preliminary"),
    ("preliminary report to report", "preliminary", "report"),
    ("run created to report", "run_created", "report"),
    ("received to preliminary report", "received", "preliminary"),
    ("received to report", "received", "report"),
)
"""Name, first and last moment of each stage; ``received`` is the arrival of both alert and packets."""
LONG_S = 7200.0
"""Durations from this one on are printed in hours or days, seconds."""
GROUPS = ("live", "test", "replay")


class Distribution(Model):
    """Durations of one stage, seconds."""

    group: str
    """``live``, ``test`` or ``replay``."""
    stage: str
    n: int
    median_s: float
    p90_s: float
    """90th percentile."""
    max_s: float


def latency(reports: Iterable[ReportSummary]) -> list[Distribution]:
    """Return the distribution of every stage and step, separately for live, test and replayed runs.

    Parameters
    ----------
    reports
        Preliminary and final reports of any runs, in any order.

    Returns
    -------
    list of Distribution
        Sorted by group; within a group the stages, then the steps in time order. Stages without data are left
        out.
    """
    found = durations(reports)
    order = [name for name, _, _ in STAGES]
    known = sorted(found, key=lambda key: order.index(key[1]) if key[1] in order else len(order))
    return [
        _distribution(group, stage, found[group, stage])
        for wanted in GROUPS
        for group, stage in known
        if group == wanted
    ]


def durations(reports: Iterable[ReportSummary]) -> dict[tuple[str, str], list[float]]:
    """Return all durations in seconds: (group, stage) -> one for each run.

    Parameters
    ----------
    reports
        Preliminary and final reports of any runs, in any order.
    """
    runs: dict[tuple[str, str], dict[str, ReportSummary]] = defaultdict(dict)
    for report in reports:
        runs[report.burst_id, report.run_id][report.status] = report
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for run in runs.values():
        latest = run.get("final") or run["preliminary"]
        for stage, seconds in chain(_stages(run), _steps(latest)):
            found[_group(latest), stage].append(seconds)
    return found


def latency_text(found: Iterable[Distribution]) -> list[str]:
    """Format distributions as a text table, one line for each.

    Parameters
    ----------
    found
        Distributions, as from `latency`.
    """
    lines = [f"{'':7} {'stage':36} {'runs':>5} {'median':>11} {'90 %':>11} {'max':>11}"]
    for row in found:
        seconds = " ".join(f"{_duration(value):>11}" for value in (row.median_s, row.p90_s, row.max_s))
        lines.append(f"{row.group:7} {row.stage:36} {row.n:5} {seconds}")
    return lines


def _duration(seconds: float) -> str:
    """Format a duration in seconds, or in hours or days if it is long (replays and old tests)."""
    return f"{seconds:.2f} s" if abs(seconds) < LONG_S else duration_text(seconds)


def _group(report: ReportSummary) -> str:
    if report.is_replay:
        return "replay"
    return "test" if report.is_test else "live"


def _stages(run: dict[str, ReportSummary]) -> Iterator[tuple[str, float]]:
    latest = run.get("final") or run["preliminary"]
    moments = {name: latest.time_of(name) for name in ("trigger", "last_photon", "run_created")}
    inputs = [latest.time_of("alert_received"), latest.time_of("packets_received")]
    moments["received"] = max((moment for moment in inputs if moment is not None), default=None)
    moments["preliminary"] = run["preliminary"].written if "preliminary" in run else None
    moments["report"] = run["final"].written if "final" in run else None
    for stage, first, last in STAGES:
        begin, end = moments[first], moments[last]
        if begin is not None and end is not None:
            yield stage, (end - begin).total_seconds()


def _steps(report: ReportSummary) -> Iterator[tuple[str, float]]:
    """Yield the duration of each completed step."""
    for entry in report.timeline:
        step, _, word = entry.name.rpartition("_")
        if word == "started" and (ended := report.time_of(f"{step}_ended")):
            yield f"step {step}", (ended - entry.time).total_seconds()


def _distribution(group: str, stage: str, seconds: list[float]) -> Distribution:
    ordered = sorted(seconds)
    # Nearest-rank percentile: the smallest duration that 90 % of the runs do not exceed.
    p90 = ordered[-(-9 * len(ordered) // 10) - 1]
    return Distribution(
        group=group, stage=stage, n=len(ordered), median_s=median(ordered), p90_s=p90, max_s=ordered[-1]
    )
