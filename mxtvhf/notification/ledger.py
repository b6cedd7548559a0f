"""The ledger: what occurred, who was notified of it, and who has it in hand, by subject.

::

    notifications/<subject>/occurrences/<key>.json    written once
    notifications/<subject>/addressed.jsonl           to whom it goes, decided once for each stage
    notifications/<subject>/attempts.jsonl            each try to deliver it by a channel
    notifications/<subject>/acknowledged.jsonl        who has it in hand
    notifications/<subject>/drill-order.json          a test burst that notifies as a live one

Whoever raises an occurrence (the listener, a step or run of Airflow, a command) writes its file; the
notifier does the rest. What was delivered stands here, so that no restart delivers it twice.
"""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mxtvhf.errors import InvalidInput
from mxtvhf.models.files import changed_at, write_once
from mxtvhf.models.kept import KeptModel, read_or_set_aside
from mxtvhf.models.kept_lines import append_record, read_records
from mxtvhf.notification.model import (
    SUBJECT_PATTERN,
    Acknowledgement,
    Addressed,
    Attempt,
    DrillOrder,
    Occurrence,
)
from mxtvhf.settings import EventKind

OCCURRENCES = "occurrences"
ADDRESSED, ATTEMPTS, ACKNOWLEDGED = "addressed.jsonl", "attempts.jsonl", "acknowledged.jsonl"
DRILL_ORDER = "drill-order.json"


@dataclass(frozen=True)
class SubjectRecord:
    """All that the ledger holds of a subject."""

    subject: str
    occurrences: tuple[Occurrence, ...] = ()
    """In the order in which they were raised."""
    addressed: tuple[Addressed, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    acknowledgement: Acknowledgement | None = None
    """The last one."""
    is_drill: bool = False

    @property
    def kind(self) -> EventKind:
        """Live, test, or a test that was made a drill."""
        if not any(occurrence.is_test for occurrence in self.occurrences):
            return "live"
        return "drill" if self.is_drill else "test"

    def undelivered(self, since: datetime, until: datetime) -> list[tuple[str, str]]:
        """Return the occurrences of a span of time that a tag was not reached with, as (key, tag)."""
        return [
            (addressed.key, tag)
            for addressed in self.addressed
            if since <= addressed.time <= until
            for tag in addressed.to
            if not any(
                one.key == addressed.key and tag in one.to and one.state == "sent" for one in self.attempts
            )
        ]

    def attempts_of(self, key: str, channel: str) -> list[Attempt]:
        """Return the tries to deliver an occurrence by a channel."""
        return [one for one in self.attempts if (one.key, one.channel) == (key, channel)]


class Ledger:
    """The ledger of an installation, for any number of processes at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def raise_occurrence(self, occurrence: Occurrence) -> bool:
        """Keep an occurrence; tell whether it was new."""
        path = self.folder / occurrence.subject / OCCURRENCES / f"{occurrence.key}.json"
        return write_once(path, _content(occurrence))

    def order_drill(self, subject: str, order: DrillOrder) -> bool:
        """Let a test burst notify as a live one does; tell whether that is new."""
        return write_once(self.folder / subject / DRILL_ORDER, _content(order))

    def subjects(self, since: datetime | None = None) -> Iterator[str]:
        """Yield the subjects of which something is kept; with a moment, of which something occurred since."""
        earliest = since.timestamp() if since else 0.0
        for path in sorted(self.folder.glob(f"*/{OCCURRENCES}")):
            if re.fullmatch(SUBJECT_PATTERN, path.parent.name) and (changed_at(path) or 0.0) >= earliest:
                yield path.parent.name

    def has(self, subject: str) -> bool:
        """Tell whether something of a subject occurred."""
        return (self.folder / subject / OCCURRENCES).is_dir()

    def record(self, subject: str) -> SubjectRecord:
        """Read all of a subject; what cannot be read is set aside and logged."""
        folder = self.folder / subject
        paths = (folder / OCCURRENCES).glob("[!.]*.json")
        found = [one for path in paths if (one := read_or_set_aside(path, Occurrence)) is not None]
        acknowledged = read_records(folder / ACKNOWLEDGED, Acknowledgement)
        return SubjectRecord(
            subject=subject,
            occurrences=tuple(sorted(found, key=lambda one: (one.raised, one.key))),
            addressed=tuple(read_records(folder / ADDRESSED, Addressed)),
            attempts=tuple(read_records(folder / ATTEMPTS, Attempt)),
            acknowledgement=acknowledged[-1] if acknowledged else None,
            is_drill=read_or_set_aside(folder / DRILL_ORDER, DrillOrder) is not None,
        )

    def address(self, subject: str, addressed: Addressed) -> None:
        """Keep to whom an occurrence goes."""
        append_record(self.folder / subject / ADDRESSED, addressed)

    def log_attempt(self, subject: str, attempt: Attempt) -> None:
        """Keep a try to deliver an occurrence."""
        append_record(self.folder / subject / ATTEMPTS, attempt)

    def acknowledge(self, subject: str, by: str, *, instead_of: str | None, now: datetime) -> Acknowledgement:
        """Keep that somebody has a subject in hand.

        Parameters
        ----------
        subject
            Of which something was notified.
        by
            Login name.
        instead_of
            Who has it by what the page showed; None: nobody.
        now
            The moment, UTC.

        Raises
        ------
        InvalidInput
            Nobody was notified of such a subject, or another person took it meanwhile: the message names
            them.
        """
        if not self.has(subject):
            raise InvalidInput(f"{subject}: nobody was notified of it")
        with self._alone(subject):
            before = self.record(subject).acknowledgement
            if before is not None and before.by == by:
                return before
            if (before.by if before else None) != instead_of:
                holder = f"{before.by} has it since {before.time:%H:%M:%S} UTC" if before else "nobody has it"
                raise InvalidInput(f"{subject}: {holder}")
            acknowledgement = Acknowledgement(by=by, time=now)
            append_record(self.folder / subject / ACKNOWLEDGED, acknowledgement)
        return acknowledgement

    @contextmanager
    def _alone(self, subject: str) -> Iterator[None]:
        with (self.folder / subject / ".lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _content(record: KeptModel) -> bytes:
    return record.model_dump_json(indent=1).encode() + b"\n"
