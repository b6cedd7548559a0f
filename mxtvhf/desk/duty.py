"""People on duty, the person who handles a burst, and its notifications, for the pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from mxtvhf.errors import InvalidInput
from mxtvhf.notification.burst_events import subject_of
from mxtvhf.notification.ledger import Ledger, SubjectRecord
from mxtvhf.notification.rota import Rota, read_rota
from mxtvhf.settings import Settings


@dataclass(frozen=True)
class NotifiedLine:
    """Notification of one recipient about one event."""

    time: datetime
    title: str
    to: str
    """Person or tag of the recipient."""
    channel: str
    """Name of the channel; empty before the first attempt."""
    state: str
    """``sent``, ``failed`` or ``queued``."""
    reason: str
    tries: int


@dataclass(frozen=True)
class DutyBox:
    """Content of the duty box."""

    on_duty: tuple[str, ...]
    """Names of the people on duty."""
    until: datetime | None
    following: str | None
    """Name of the next person on duty."""
    begins: datetime | None
    """Start of the next shift, UTC."""
    problem: str | None
    """Reason why not exactly one person is on duty, or why the rota cannot be read."""
    has_rota: bool
    subject: str | None = None
    """Key of the burst in the ledger; None on the list, and if nobody was notified."""
    holder: str | None = None
    """Login name of the person who handles the burst."""
    holder_name: str | None = None
    held_since: datetime | None = None
    notified: tuple[NotifiedLine, ...] = ()
    """Newest first."""


def duty_box(
    settings: Settings, *, now: datetime, burst_id: str | None = None, is_test: bool = False
) -> DutyBox | None:
    """Return the content of the duty box; None if no notifications are configured.

    Parameters
    ----------
    settings
        Settings with the rota and the state folder.
    now
        Current time, UTC.
    burst_id, is_test
        Burst of the page, or its tests; None for the list of bursts.
    """
    policy = settings.notification
    if policy is None:
        return None
    rota, fault = None, None
    try:
        rota = read_rota(policy.rota) if policy.rota is not None else None
    except InvalidInput as error:
        fault = f"{error}; everybody is notified"
    duty = rota.duty(now) if rota else None
    following = duty.following if duty else None
    subject = subject_of(burst_id, is_test=is_test) if burst_id else None
    ledger = Ledger(settings.notifications)
    record = ledger.record(subject) if subject and ledger.has(subject) else None
    holder = record.acknowledgement if record else None
    return DutyBox(
        on_duty=tuple(rota.name(key) for key in duty.people) if rota and duty else (),
        until=duty.until if duty else None,
        following=rota.name(following.person) if rota and following else None,
        begins=following.start if following else None,
        problem=fault or (rota.problem(now) if rota else None),
        has_rota=policy.rota is not None,
        subject=subject if record else None,
        holder=holder.by if holder else None,
        holder_name=_name(rota, holder.by) if holder else None,
        held_since=holder.time if holder else None,
        notified=tuple(sorted(_lines(record, rota), key=lambda line: line.time, reverse=True))
        if record
        else (),
    )


def _lines(record: SubjectRecord, rota: Rota | None) -> Iterator[NotifiedLine]:
    titles = {one.key: one.title.partition(": ")[2] or one.title for one in record.occurrences}
    for addressed in record.addressed:
        for tag in addressed.to:
            tries = [one for one in record.attempts if one.key == addressed.key and tag in one.to]
            common = {"title": titles.get(addressed.key, addressed.key), "to": _name(rota, tag)}
            if not tries:
                yield NotifiedLine(
                    time=addressed.time, channel="", state="queued", reason="", tries=0, **common
                )
            for channel in dict.fromkeys(one.channel for one in tries):
                by_it = [one for one in tries if one.channel == channel]
                last = by_it[-1]
                yield NotifiedLine(
                    time=last.time,
                    channel=channel,
                    state=last.state,
                    reason=last.reason,
                    tries=len(by_it),
                    **common,
                )


def _name(rota: Rota | None, key: str) -> str:
    return rota.name(key) if rota else key
