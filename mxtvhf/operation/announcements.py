"""The state of decisions and announcements of real bursts. Tests and replays are excluded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from mxtvhf.archive.archive import Archive
from mxtvhf.archive.products import report_summary
from mxtvhf.desk.decision import AskedQuestion
from mxtvhf.errors import InvalidInput
from mxtvhf.models.kept import KeptModel, log_once, read_kept
from mxtvhf.reporting.announcement.model import Decision, Release
from mxtvhf.settings import Settings

DELIVERED = ("sent", "off")
"""States of a delivery that need no attention."""
RECENT = timedelta(days=1)
"""Age up to which an undelivered announcement needs attention."""
RELEASED_WITHIN = timedelta(minutes=1)
"""Longest normal time from an approval to the announcement."""

Kept = TypeVar("Kept", bound=KeptModel)


def open_decisions(
    questions: Iterable[AskedQuestion], settings: Settings, *, now: datetime
) -> dict[str, float]:
    """Return the bursts that wait for a decision, with their waiting times in seconds.

    Parameters
    ----------
    questions
        The open questions. Ignored are questions about tests, replays and retracted bursts, and questions
        that were asked before a decision about their burst.
    settings
        Settings with the path of the state folder.
    now
        Time to which the waiting times are counted, UTC.
    """
    waiting: dict[str, float] = {}
    for question in questions:
        burst_id = question.run_id.partition("__")[0]
        if _is_settled(question, settings, burst_id):
            continue
        waiting[burst_id] = max(waiting.get(burst_id, 0.0), (now - question.asked).total_seconds())
    return waiting


def live_releases(settings: Settings) -> list[Release]:
    """Return the announcements of real bursts. An unreadable one is logged once and ignored."""
    found = _readable(settings.releases.glob("sb*/*/release.json"), Release)
    return [release for _, release in found if not release.is_test]


def undelivered(settings: Settings, *, now: datetime) -> list[str]:
    """Return the runs of the last day with an approved announcement that is not delivered completely."""
    since = now - RECENT
    late = [
        release.decision.run_id
        for release in live_releases(settings)
        if release.released >= since and any(way.state not in DELIVERED for way in release.deliveries)
    ]
    for path, decision in _readable(settings.releases.glob("sb*/*/decision.json"), Decision):
        if decision.choice != "approve" or not since <= decision.decided_at <= now - RELEASED_WITHIN:
            continue
        if not path.with_name("release.json").exists() and not _is_test_or_replay(decision.run_id, settings):
            late.append(decision.run_id)
    return late


def _is_settled(question: AskedQuestion, settings: Settings, burst_id: str) -> bool:
    """Return True if a question no longer needs an answer."""
    is_retracted = Archive(settings.archive).retraction(burst_id, is_test=False) is not None
    if is_retracted or _is_test_or_replay(question.run_id, settings):
        return True
    decisions = _readable(settings.releases.glob(f"{burst_id}/*/decision.json"), Decision)
    # The retraction of an announcement does not decide whether a newer result is announced.
    return any(
        decision.decided_at >= question.asked for _, decision in decisions if decision.action != "retract"
    )


def _is_test_or_replay(run_id: str, settings: Settings) -> bool:
    """Return True if a run is a test or a replay. A run without a readable report counts as real."""
    summary = report_summary(settings.products, run_id)
    return summary is not None and (summary.is_test or summary.is_replay)


def _readable(paths: Iterable[Path], model: type[Kept]) -> Iterator[tuple[Path, Kept]]:
    for path in paths:
        try:
            yield path, read_kept(path, model)
        except (InvalidInput, OSError) as error:
            log_once(f"{error}; the file is not counted")
