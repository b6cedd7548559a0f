"""The Burst Advocate's reactions to a burst, from the archive of decisions and announcements."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from mxtvhf.errors import InvalidInput
from mxtvhf.models.ids import RunKind, kind_of_run
from mxtvhf.models.kept import KeptModel, log_once, read_kept
from mxtvhf.notification.escalation import Answers
from mxtvhf.notification.ledger import SubjectRecord
from mxtvhf.reporting.announcement.model import DECISION, RELEASE, Decision, Release

Kept = TypeVar("Kept", bound=KeptModel)


def answers_about(record: SubjectRecord, releases: Path) -> Answers:
    """Return the decisions and announcements about the burst of a subject."""
    burst_id = record.occurrences[0].burst_id if record.occurrences else None
    if burst_id is None:
        return Answers()
    is_test = record.occurrences[0].is_test
    decided = [
        decision.decided_at
        for decision in _readable(releases, burst_id, DECISION, Decision)
        if (kind_of_run(decision.run_id) is RunKind.TEST) == is_test
    ]
    published = _readable(releases, burst_id, RELEASE, Release)
    own = (release for release in published if release.is_test == is_test)
    last = max(own, key=lambda release: release.number, default=None)
    return Answers(
        decided=max(decided, default=None),
        is_announced=last is not None and not last.is_retraction,
    )


def _readable(releases: Path, burst_id: str, name: str, model: type[Kept]) -> Iterator[Kept]:
    for path in releases.glob(f"{burst_id}/*/{name}"):
        try:
            yield read_kept(path, model)
        except (InvalidInput, OSError) as error:
            log_once(f"{error}; escalations continue")
