"""The ledger of notifications: occurrences, addressees, deliveries and acknowledgements by subject.

::

    notifications/<subject>/occurrences/<key>.json    an occurrence, written once
    notifications/<subject>/addressed.jsonl           addressees of an occurrence, one line per stage
    notifications/<subject>/attempts.jsonl            attempts to deliver it by a channel
    notifications/<subject>/acknowledged.jsonl        people who acknowledged the subject
    notifications/<subject>/drill-order.json          order that a test burst notifies like a live one

The listener, a task of Airflow or a command writes the file of an occurrence. The notifier does the rest.
Deliveries are recorded here, so that no restart delivers a message twice.
"""

from __future__ import annotations

import fcntl
import os
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
    """The ledger's record of a subject."""

    subject: str
    occurrences: tuple[Occurrence, ...] = ()
    """Occurrences in the order of their times."""
    addressed: tuple[Addressed, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    acknowledgement: Acknowledgement | None = None
    """The last acknowledgement; None before the first one."""
    is_drill: bool = False

    @property
    def kind(self) -> EventKind:
        """Return ``live``, ``test``, or ``drill`` for a test with a drill order."""
        if not any(occurrence.is_test for occurrence in self.occurrences):
            return "live"
        return "drill" if self.is_drill else "test"

    def undelivered(self, since: datetime, until: datetime) -> list[tuple[str, str]]:
        """Return the undelivered notifications of a time span as pairs (key, tag)."""
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
        """Return the attempts to deliver an occurrence by a channel."""
        return [one for one in self.attempts if (one.key, one.channel) == (key, channel)]


class Ledger:
    """The ledger of an installation. Any number of processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def raise_occurrence(self, occurrence: Occurrence) -> bool:
        """Record an occurrence. Return True if it is new."""
        path = self.folder / occurrence.subject / OCCURRENCES / f"{occurrence.key}.json"
        return write_once(path, _content(occurrence))

    def order_drill(self, subject: str, order: DrillOrder) -> bool:
        """Order that a test burst notifies like a live one. Return True if the order is new."""
        return write_once(self.folder / subject / DRILL_ORDER, _content(order))

    def subjects(self, since: datetime | None = None) -> Iterator[str]:
        """Yield the subjects with an occurrence, optionally only those with one after ``since``."""
        earliest = since.timestamp() if since else 0.0
        for name in sorted(os.listdir(self.folder) if self.folder.exists() else ()):
            changed = changed_at(f"{self.folder}/{name}/{OCCURRENCES}")
            if changed is not None and changed >= earliest and re.fullmatch(SUBJECT_PATTERN, name):
                yield name

    def has(self, subject: str) -> bool:
        """Return True if the ledger has an occurrence of a subject."""
        return (self.folder / subject / OCCURRENCES).is_dir()

    def record(self, subject: str) -> SubjectRecord:
        """Read the record of a subject. Unreadable parts are set aside and logged."""
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
        """Record the addressees of an occurrence."""
        append_record(self.folder / subject / ADDRESSED, addressed)

    def log_attempt(self, subject: str, attempt: Attempt) -> None:
        """Record an attempt to deliver an occurrence."""
        append_record(self.folder / subject / ATTEMPTS, attempt)

    def acknowledge(self, subject: str, by: str, *, instead_of: str | None, now: datetime) -> Acknowledgement:
        """Record that a person acknowledges a subject.

        Parameters
        ----------
        subject
            Subject of a notification.
        by
            Login name of the person.
        instead_of
            Person who had acknowledged it according to the page; None if nobody had.
        now
            Current time, UTC.

        Raises
        ------
        InvalidInput
            No notification of the subject exists, or another person acknowledged it meanwhile. The message
            names this person.
        """
        if not self.has(subject):
            raise InvalidInput(f"{subject}: no notification was sent about it")
        with self._alone(subject):
            before = self.record(subject).acknowledgement
            if before is not None and before.by == by:
                return before
            if (before.by if before else None) != instead_of:
                holder = (
                    f"acknowledged by {before.by} at {before.time:%H:%M:%S} UTC"
                    if before
                    else "not acknowledged by anybody"
                )
                raise InvalidInput(f"{subject}: {holder}; reload the page")
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
