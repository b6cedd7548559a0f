"""Statistics of the service by month: latency, lost packets, decisions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles

from mxtvhf.archive.products import ReportSummary
from mxtvhf.desk.burst_list import first_report_latency
from mxtvhf.desk.charts import Axis, Chart, Series, limits
from mxtvhf.desk.files import DeskFiles
from mxtvhf.desk.states import kind_of
from mxtvhf.models.ids import RunKind
from mxtvhf.workflow.runs import Run


@dataclass
class Month:
    """Statistics of a calendar month (UTC)."""

    name: str
    """Year and month, ``2026-05``."""
    bursts: set[str] = field(default_factory=set)
    runs: int = 0
    latencies_s: list[float] = field(default_factory=list)
    """Times from the arrival of both alert and packets to the first report of a run, s."""
    packets: int = 0
    """Number of packets, good and missing ones."""
    missing: int = 0
    approved: int = 0
    rejected: int = 0
    released: int = 0

    @property
    def median_s(self) -> float | None:
        """Median latency, s; None without a report."""
        return median(self.latencies_s) if self.latencies_s else None

    @property
    def p90_s(self) -> float | None:
        """90th percentile of the latency, s; None without a report."""
        if len(self.latencies_s) < 2:
            return self.median_s
        return quantiles(self.latencies_s, n=10, method="inclusive")[-1]

    @property
    def lost_percent(self) -> float | None:
        """Percentage of the packets that were not received; None without packets."""
        return 100.0 * self.missing / self.packets if self.packets else None


def months(runs: Iterable[Run], files: DeskFiles, kind: RunKind) -> list[Month]:
    """Return the statistics of the runs of a kind by month of creation, oldest first."""
    found: dict[str, Month] = {}
    for run in runs:
        if run.burst_id is None:
            continue
        report = files.summary(run.burst_id, run.run_id)
        if kind_of(run.run_id, report, is_test=run.is_test) is not kind:
            continue
        name = f"{run.created:%Y-%m}"
        _count(found.setdefault(name, Month(name)), run, report, files)
    return [found[name] for name in sorted(found)]


def _count(month: Month, run: Run, report: ReportSummary | None, files: DeskFiles) -> None:
    burst_id = str(run.burst_id)
    month.bursts.add(burst_id)
    month.runs += 1
    decided = files.decided(burst_id, run.run_id)
    if decided.decision is not None:
        month.approved += decided.decision.choice == "approve"
        month.rejected += decided.decision.choice == "reject"
    month.released += decided.release is not None
    if report is None:
        return
    latency = first_report_latency(report, files.first_written(burst_id, run.run_id))
    if latency is not None:
        month.latencies_s.append(latency)
    if report.packets:
        month.missing += report.packets.get("missing", 0)
        month.packets += report.packets.get("good", 0) + report.packets.get("missing", 0)


def statistics_charts(every: Sequence[Month]) -> list[Chart]:
    """Return the charts of latency, lost packets and decisions by month; empty without a month."""
    if not every:
        return []
    across = Axis(
        "Month (UTC)",
        -0.6,
        len(every) - 0.4,
        names=tuple((float(n), month.name) for n, month in enumerate(every) if n % -(-len(every) // 8) == 0),
    )
    bars: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    dots: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for number, month in enumerate(every):
        if month.median_s is not None and month.p90_s is not None:
            dots["median"].append((number, month.median_s))
            dots["90 %"].append((number, month.p90_s))
        if month.lost_percent is not None:
            bars["lost"].append((number - 0.3, number + 0.3, month.lost_percent))
        bars["approved"].append((number - 0.3, number, float(month.approved)))
        bars["rejected"].append((number, number + 0.3, float(month.rejected)))
    seconds = [value for series in dots.values() for _, value in series]
    return [
        Chart(
            title="Latency to the first report",
            description="Median and 90th percentile of the latency by month; the numbers are in the table.",
            across=across,
            upward=Axis("s", *limits(seconds, zero=True)),
            series=(
                Series("median", "c-data", dots=dots["median"], lines=_line(dots["median"])),
                Series("90 %", "c-model", dots=dots["90 %"], lines=_line(dots["90 %"])),
            ),
        ),
        Chart(
            title="Packets lost",
            description="Percentage of VHF packets not received, by month; the numbers are in the table.",
            across=across,
            upward=Axis("%", *limits([height for _, _, height in bars["lost"]], zero=True)),
            series=(Series("lost", "c-steps", bars=bars["lost"]),),
        ),
        Chart(
            title="Decisions",
            description="Approved and rejected announcements by month; the numbers are in the table.",
            across=across,
            upward=Axis(
                "Decisions",
                *limits([1.0, *(h for name in ("approved", "rejected") for *_, h in bars[name])], zero=True),
            ),
            series=(
                Series("approved", "c-good", bars=bars["approved"]),
                Series("rejected", "c-model", bars=bars["rejected"]),
            ),
        ),
    ]


def _line(points: Sequence[tuple[float, float]]) -> list[Sequence[tuple[float, float]]]:
    return [points] if len(points) > 1 else []
