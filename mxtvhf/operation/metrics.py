"""The metrics of an installation for Prometheus, computed at each request from the files on disk.

Names follow the conventions of Prometheus (https://prometheus.io/docs/practices/naming/).
"""

from __future__ import annotations

import shutil
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from mxtvhf.archive.archive import Archive
from mxtvhf.archive.products import ReportSummary, report_summaries
from mxtvhf.desk.decision import AskedQuestion
from mxtvhf.notification.ledger import Ledger
from mxtvhf.operation.announcements import RECENT, live_releases, open_decisions, undelivered
from mxtvhf.operation.health import Health, oldest_waiting_s
from mxtvhf.reporting.messages import Outbox
from mxtvhf.settings import Settings
from mxtvhf.sky_notices.store import SkyStore
from mxtvhf.workflow.latency import durations

BUCKETS_S = (1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 300.0, 1800.0)
STAGES = {"received to preliminary report": "preliminary", "received to report": "final"}
NEWEST_RUNS = 200
"""Number of the newest runs whose reports are read."""
DELIVERED_WITHIN = timedelta(minutes=1)
"""Longest normal delivery time of a notification."""
PACKETS = ("received", "good", "repeated", "missing", "corrupt")


def exposition(
    settings: Settings, runs: Mapping[str, int], health: Health, questions: Iterable[AskedQuestion] = ()
) -> bytes:
    """Return all metrics in the text format of Prometheus.

    Parameters
    ----------
    settings
        Settings with the path of the state folder.
    runs
        Number of runs of ``mxt_vhf`` in Airflow by state.
    health
        Health of the parts of the installation.
    questions
        Open questions to the Burst Advocate.
    """
    registry = CollectorRegistry()
    registry.register(_Figures(settings, runs, health, tuple(questions)))
    return generate_latest(registry)


class _Figures(Collector):
    def __init__(
        self,
        settings: Settings,
        runs: Mapping[str, int],
        health: Health,
        questions: tuple[AskedQuestion, ...],
    ) -> None:
        self._settings, self._runs, self._health, self._questions = settings, runs, health, questions

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        parts = {check.name: float(check.is_healthy) for check in self._health.checks}
        yield _gauge("healthy", "1 if a part is healthy, else 0 (see mxtvhf health)", parts, "part")
        yield _gauge("runs", "Runs of mxt_vhf in Airflow by state", self._runs, "state")
        yield from _kept(self._settings)
        yield from _announcements(self._settings, self._questions)
        yield from _notifications(self._settings)
        reports = list(report_summaries(self._settings.products, newest=NEWEST_RUNS))
        counts = _packets(reports)
        text = f"Packets of the newest {NEWEST_RUNS} runs, replays excluded"
        yield _gauge("packets", text, counts, "kind")
        yield _latency(reports)


def _kept(settings: Settings) -> Iterator[Metric]:
    archive = Archive(settings.archive)
    for name, text, number in (
        ("alerts_received", "Distinct notices in the archive", archive.root.glob("sb*/alerts/*.xml")),
        ("quarantined", "Unreadable inputs in quarantine", (archive.root / "quarantine").glob("*.bin")),
    ):
        yield CounterMetricFamily(f"mxtvhf_{name}", text, value=sum(1 for _ in number))
    counts = SkyStore(archive.root).counts()
    yield _gauge("other_mission_notices", "Notices of other missions in the archive", counts, "state")
    for name, text, value in (
        ("outbox_waiting", "Messages queued for NATS", len(Outbox(settings.outbox).waiting())),
        ("oldest_input_seconds", "Age of the oldest input without a run", oldest_waiting_s(archive)),
        (
            "disk_free_bytes",
            "Free space on the disk of the state folder",
            shutil.disk_usage(settings.home).free,
        ),
    ):
        yield GaugeMetricFamily(f"mxtvhf_{name}", text, value=value)


def _announcements(settings: Settings, questions: Iterable[AskedQuestion]) -> Iterator[Metric]:
    now = datetime.now(UTC)
    waiting = open_decisions(questions, settings, now=now)
    text = "Released announcements of real bursts"
    yield CounterMetricFamily("mxtvhf_announcements", text, value=len(live_releases(settings)))
    late, text = undelivered(settings, now=now), "Announcements of the last day with an undelivered message"
    yield GaugeMetricFamily("mxtvhf_announcements_undelivered", text, value=len(late))
    text = "Real bursts waiting for a decision"
    yield GaugeMetricFamily("mxtvhf_decisions_open", text, value=len(waiting))
    text = "Age of the oldest open decision about a real burst"
    yield GaugeMetricFamily("mxtvhf_oldest_decision_seconds", text, value=max(waiting.values(), default=0.0))


def _notifications(settings: Settings) -> Iterator[Metric]:
    ledger, now = Ledger(settings.notifications), datetime.now(UTC)
    records = map(ledger.record, ledger.subjects(since=now - 2 * RECENT))
    late = [one for record in records for one in record.undelivered(now - RECENT, now - DELIVERED_WITHIN)]
    text = "Notifications of the last day that no channel delivered within a minute"
    yield GaugeMetricFamily("mxtvhf_notifications_undelivered", text, value=len(late))


def _packets(reports: Iterable[ReportSummary]) -> dict[str, float]:
    """Return the packet counts by kind, summed over the newest report of each burst."""
    newest: dict[str, ReportSummary] = {}
    for report in sorted(reports, key=lambda report: report.written):
        if report.packets and not report.is_replay:
            newest[report.burst_id] = report
    return {
        kind: sum(report.packets.get(kind, 0) for report in newest.values() if report.packets)
        for kind in PACKETS
    }


def _latency(reports: Iterable[ReportSummary]) -> Metric:
    family = HistogramMetricFamily(
        "mxtvhf_latency_seconds",
        f"Time from the input to the preliminary and final report of the newest {NEWEST_RUNS} runs",
        labels=("group", "report"),
    )
    for (group, stage), seconds in durations(reports).items():
        if stage in STAGES:
            family.add_metric((group, STAGES[stage]), _buckets(seconds), sum(seconds))
    return family


def _buckets(seconds: Iterable[float]) -> list[tuple[str, float]]:
    """Return the cumulative bucket counts of a Prometheus histogram."""
    ordered = sorted(seconds)
    limits = [(str(limit), float(bisect_right(ordered, limit))) for limit in BUCKETS_S]
    return [*limits, ("+Inf", float(len(ordered)))]


def _gauge(name: str, text: str, values: Mapping[str, float], label: str) -> Metric:
    family = GaugeMetricFamily(f"mxtvhf_{name}", text, labels=(label,))
    for key, value in values.items():
        family.add_metric((key,), value)
    return family
