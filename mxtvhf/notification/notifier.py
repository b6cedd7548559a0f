"""The notifier loop: detect occurrences, choose the addressees and send the messages.

The notifier runs in a thread of the listener. It never waits for a service, because a separate process sends
each message (`mxtvhf.notification.sending`). All of its state is in the ledger.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mxtvhf.archive.archive import Archive
from mxtvhf.archive.failures import OTHER_MISSIONS, failing_parts
from mxtvhf.errors import InvalidInput
from mxtvhf.models.files import safe_name
from mxtvhf.models.kept import log_once
from mxtvhf.models.times import utc_text
from mxtvhf.notification.answers import answers_about
from mxtvhf.notification.burst_events import BurstWatch
from mxtvhf.notification.channels import Channel, read_channels
from mxtvhf.notification.escalation import People, due_addresses
from mxtvhf.notification.ledger import Ledger, SubjectRecord
from mxtvhf.notification.message import plain_body
from mxtvhf.notification.model import INSTALLATION, Addressed, Attempt, Occurrence
from mxtvhf.notification.rota import Rota, read_rota
from mxtvhf.notification.sending import TIMEOUT_S, Sending, warm_up
from mxtvhf.notification.sky_events import SkyWatch
from mxtvhf.settings import NotificationPolicy, Settings

log = logging.getLogger(__name__)

ROUND_S = 0.5
"""Pause between two rounds, seconds."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 300.0
"""First and longest pause between two attempts by one channel, seconds; each pause is twice the last one."""
TRIES = 10
"""Largest number of attempts by a channel for an occurrence, which take half an hour."""
SENDING_AT_ONCE = 8
"""Largest number of sending processes."""
ACTIVE = timedelta(days=2)
"""Time after the last occurrence up to which a subject is checked."""
OWN_PART = "notifications"
"""Name of this part of the listener."""


@dataclass(frozen=True)
class Message:
    """An occurrence that is sent by a channel."""

    occurrence: Occurrence
    addressed: Addressed
    channel: Channel

    @property
    def title(self) -> str:
        """Return the title, after an escalation with its reason."""
        later = f" ({self.addressed.reason})" if self.addressed.stage else ""
        return f"{self.occurrence.title}{later}"

    @property
    def identity(self) -> tuple[str, str, str]:
        """Return the key by which equal messages are recognised."""
        return self.occurrence.subject, self.occurrence.key, self.channel.name


class Notifier:
    """The notifier of an installation.

    Parameters
    ----------
    settings
        Settings with the path of the state folder.
    policy
        Channels, rota, rules and waiting times.
    timeout_s
        Time limit for a service to accept a message, seconds.
    """

    def __init__(
        self, settings: Settings, policy: NotificationPolicy, *, timeout_s: float = TIMEOUT_S
    ) -> None:
        self.ledger = Ledger(settings.notifications)
        self._policy = policy
        self._timeout_s = timeout_s
        self._archive = Archive(settings.archive)
        self._releases = settings.releases
        self._desk = settings.desk
        self._watch = BurstWatch(
            self._archive, settings.products, self.ledger, self._desk, settings.observatories
        )
        self._sky = SkyWatch(self._archive, self.ledger, self._desk)
        self._channels: list[Channel] = []
        self._rota: Rota | None = None
        self._minute: datetime | None = None
        self._failing: dict[str, datetime] = {}
        self._quiet: dict[str, tuple[object, datetime | None]] = {}
        self._sending: dict[tuple[str, str, str], tuple[Sending, Message]] = {}
        self._unwritten: list[tuple[str, Attempt]] = []

    def run(self, stop: threading.Event, works: Callable[[], None] = lambda: None) -> None:
        """Repeat rounds until ``stop`` is set. Of several notifiers on a state folder only one works.

        After an error the same notifier is to run again, since it knows what it has sent.

        Raises
        ------
        InvalidInput
            The channels file cannot be read.
        OSError
            The ledger cannot be written.
        """
        try:
            while not stop.is_set():
                with self._only_one() as is_alone:
                    if is_alone:
                        warm_up()
                    while is_alone and not stop.is_set():
                        self.round(datetime.now(UTC))
                        works()
                        stop.wait(ROUND_S)
                stop.wait(ROUND_S)
        finally:
            for sending, _ in self._sending.values():
                sending.stop()
            self._sending.clear()

    def round(self, now: datetime) -> None:
        """Perform one round at the time ``now`` (UTC). Errors are those of `run`."""
        self._collect(now)
        self._watch.look(now)
        self._sky.look(now)
        if (minute := now.replace(second=0, microsecond=0)) != self._minute:
            self._read_files()
            self._watch_intake(now)
            self._remind(now)
            self._minute = minute
        for subject in self.ledger.subjects(since=now - ACTIVE):
            if self._is_due(subject, now):
                self._notify(subject, now)

    @property
    def is_sending(self) -> bool:
        """True while a message is being sent."""
        return bool(self._sending)

    def _read_files(self) -> None:
        """Read the channels and the rota, which users may change at any time."""
        channels, faults = read_channels(self._policy.channels)
        for fault in faults:
            log_once(f"{fault}; the line is ignored")
        if channels != self._channels:
            self._quiet.clear()
        self._channels, self._rota = channels, _rota_or_none(self._policy.rota)

    def _people(self, now: datetime) -> People:
        tags = {tag for channel in self._channels for tag in channel.tags}
        # Without a rota every tag is a person. With a rota, tags of other names are chats used by rules.
        everybody = sorted(tags if self._rota is None else tags & self._rota.people.keys())
        return People(self._rota.duty(now) if self._rota else None, tuple(everybody))

    def _watch_intake(self, now: datetime) -> None:
        """Record an occurrence for each part of the listener that has been failing for too long."""
        failing = {
            failure.part: failure
            for failure in failing_parts(self._archive.root)
            if failure.part != OWN_PART and not failure.part.endswith(OTHER_MISSIONS)
        }
        # The record of a part that fails once a minute always shows a recent start of the failures.
        self._failing = {
            part: min(failure.since, self._failing.get(part, now)) for part, failure in failing.items()
        }
        for part, since in self._failing.items():
            minutes = (now - since).total_seconds() / 60.0
            if minutes < self._policy.silent_minutes:
                continue
            what = f"{part} of the listener failing since {utc_text(since)}: {failing[part].reason}"
            self.ledger.raise_occurrence(
                Occurrence(
                    key=f"silent-{safe_name(part)}-{since:%Y%m%dT%H%M}",
                    event="intake_silent",
                    subject=INSTALLATION,
                    raised=now,
                    title=f"Intake silent: {part}",
                    body=plain_body(
                        what=what,
                        do="Alerts may be delayed. Call the operator and see mxtvhf health.",
                        link=self._desk,
                    ),
                )
            )

    def _remind(self, now: datetime) -> None:
        """Record a reminder of each shift that begins soon."""
        before = timedelta(minutes=self._policy.reminder_minutes)
        if self._rota is None or not before:
            return
        for shift in self._rota.shifts(now, now + before):
            if shift.start <= now or shift.start > now + before:
                continue
            start, end = (self._rota.local(one, shift.person) for one in (shift.start, shift.end))
            self.ledger.raise_occurrence(
                Occurrence(
                    key=f"shift-{shift.start:%Y%m%dT%H%M}-{safe_name(shift.person)}",
                    event="shift_reminder",
                    subject=INSTALLATION,
                    raised=now,
                    to=shift.person,
                    title=f"MXT-VHF: your shift begins at {start:%H:%M %Z}",
                    body=plain_body(
                        what=f"You are on duty from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M %Z}",
                        do="Keep your phone on and check that you can open the page.",
                        link=self._desk,
                    ),
                )
            )

    def _is_due(self, subject: str, now: datetime) -> bool:
        """Return True if a subject changed or an action about it is due."""
        seen, again = self._quiet.get(subject, (None, None))
        return self._signature(subject) != seen or (again is not None and now >= again)

    def _signature(self, subject: str) -> object:
        with os.scandir(self.ledger.folder / subject) as entries:
            return sorted((one.name, one.stat().st_mtime_ns) for one in entries if one.name[0] != ".")

    def _notify(self, subject: str, now: datetime) -> None:
        # The signature is computed first, so that later changes are noticed in the next round.
        signature, record = self._signature(subject), self.ledger.record(subject)
        addresses, again = due_addresses(
            record,
            self._policy,
            self._people(now),
            answers_about(record, self._releases),
            is_unreached=lambda addressed: self._is_unreached(addressed, record),
            now=now,
        )
        for addressed in addresses:
            self.ledger.address(subject, addressed)
            log.info(
                "%s: %s addressed to %s (%s)",
                subject,
                addressed.key,
                ", ".join(addressed.to) or "nobody",
                addressed.reason,
            )
        moments = [again] if again else []
        for message in self._messages(record, [*record.addressed, *addresses]):
            due = self._next_try(message, record)
            if due is None:
                continue
            if due > now or not self._start(message):
                moments.append(max(due, now))
        self._quiet[subject] = signature, min(moments, default=None)

    def _messages(self, record: SubjectRecord, addressed: list[Addressed]) -> Iterator[Message]:
        """Yield the messages to send, each occurrence once by each channel."""
        occurrences, seen = {one.key: one for one in record.occurrences}, set()
        for one in addressed:
            for tag in one.to:
                for channel in self._channels_of(tag):
                    if one.key in occurrences and (one.key, channel.name) not in seen:
                        seen.add((one.key, channel.name))
                        yield Message(occurrences[one.key], one, channel)

    def _channels_of(self, tag: str) -> list[Channel]:
        return [channel for channel in self._channels if tag in channel.tags]

    def _next_try(self, message: Message, record: SubjectRecord) -> datetime | None:
        """Return the time of the next attempt; None if the message is delivered, given up or being sent."""
        tries = record.attempts_of(message.occurrence.key, message.channel.name)
        if message.identity in self._sending or any(one.state == "sent" for one in tries):
            return None
        if len(tries) >= TRIES:
            return None
        if not tries:
            return message.addressed.time
        pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** (len(tries) - 1))
        return tries[-1].time + timedelta(seconds=pause)

    def _start(self, message: Message) -> bool:
        """Start to send a message. Return False if it must wait, as each channel sends one at a time."""
        busy = {name for _, _, name in self._sending}
        if len(self._sending) >= SENDING_AT_ONCE or message.channel.name in busy:
            return False
        sending = Sending(message.channel, message.title, message.occurrence.body, timeout_s=self._timeout_s)
        self._sending[message.identity] = sending, message
        return True

    def _collect(self, now: datetime) -> None:
        """Record the outcomes of the messages that were being sent.

        An outcome stays in memory until the ledger has it, since without it the message is sent again.
        """
        for identity, (sending, message) in list(self._sending.items()):
            outcome = sending.outcome()
            if outcome is None:
                continue
            state, reason = outcome
            del self._sending[identity]
            subject, key, channel = identity
            attempt = Attempt(
                key=key, channel=channel, to=message.channel.tags, state=state, reason=reason, time=now
            )
            self._unwritten.append((subject, attempt))
            level = logging.INFO if state == "sent" else logging.WARNING
            log.log(level, "%s: %s by %s: %s %s", subject, key, channel, state, reason)
        while self._unwritten:
            self.ledger.log_attempt(*self._unwritten[0])
            del self._unwritten[0]

    def _is_unreached(self, addressed: Addressed, record: SubjectRecord) -> bool:
        """Return True if each channel of the addressees has failed to deliver a message."""
        tries = [
            record.attempts_of(addressed.key, channel.name)
            for tag in addressed.to
            for channel in self._channels_of(tag)
        ]
        return all(found and all(one.state == "failed" for one in found) for found in tries)

    @contextmanager
    def _only_one(self) -> Iterator[bool]:
        """Hold the lock of the notifiers. Yield False while another notifier holds it."""
        self.ledger.folder.mkdir(parents=True, exist_ok=True)
        with (self.ledger.folder / ".notifier").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True


def _rota_or_none(path: Path | None) -> Rota | None:
    """Read the rota. Return None if it is unreadable, so that everybody is notified."""
    if path is None:
        return None
    try:
        return read_rota(path)
    except InvalidInput as error:
        log_once(f"{error}; everybody is notified")
        return None
