"""Detection of other missions' notices that change what is known about a burst of ours."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from mxtvhf.archive.archive import Archive
from mxtvhf.errors import InvalidInput
from mxtvhf.models.files import changed_at, safe_name
from mxtvhf.models.kept import log_once
from mxtvhf.models.position import Position, current_positions
from mxtvhf.notices.alert import Alert
from mxtvhf.notices.burst import burst_trigger_time, in_order, notice_positions
from mxtvhf.notices.voevent import read_alert
from mxtvhf.notification.burst_events import FRESH, desk_link, subject_name, subject_of
from mxtvhf.notification.ledger import Ledger, SubjectRecord
from mxtvhf.notification.message import plain_body
from mxtvhf.notification.model import Occurrence
from mxtvhf.sky_notices.coincidence import SkyCoincidence, Withdrawal, is_in_window, other_missions
from mxtvhf.sky_notices.missions import longest_window_s, mission_facts
from mxtvhf.sky_notices.model import SkyNotice
from mxtvhf.sky_notices.store import SkyStore

MOST_NOTICES = 500
"""Largest number of notices compared in a round, so that a storm never delays other notifications."""


class SkyWatch:
    """Compares new notices of other missions with the bursts of the last days.

    Parameters
    ----------
    archive
        Archive of the notices.
    ledger
        Ledger that records the occurrences.
    desk
        Address of the Burst Advocate's desk; None if it is unknown.
    """

    def __init__(self, archive: Archive, ledger: Ledger, desk: str | None) -> None:
        self._archive = archive
        self._store = SkyStore(archive.root)
        self._ledger = ledger
        self._desk = desk
        self._number = 0
        self._read: dict[str, tuple[float | None, list[Alert]]] = {}

    def look(self, now: datetime) -> None:
        """Record the new occurrences.

        A burst is compared only if people were notified of it: they know the picture that changes.
        """
        try:
            number, notices = self._store.received_since(now - FRESH, self._number, limit=MOST_NOTICES)
        except OSError as error:
            log_once(f"{error}; notices of other missions are not compared")
            return
        days = self._days(now) if notices else {}
        bursts = {burst_id: notice for notice in notices for burst_id in _near(notice, days)}
        for burst_id, notice in bursts.items():
            self._look_at(burst_id, notice)
        self._number = number

    def _days(self, now: datetime) -> dict[str, datetime]:
        """Return the beginning of the day of each burst that is compared with new notices, UTC."""
        oldest = now - timedelta(days=mission_facts().search.days)
        days = {}
        for burst_id in self._archive.bursts():
            try:
                day = datetime.strptime(burst_id[2:8], "%y%m%d").replace(tzinfo=UTC)
            except ValueError:
                continue
            if day >= oldest:
                days[burst_id] = day
        return days

    def _look_at(self, burst_id: str, notice: SkyNotice) -> None:
        alerts = [alert for alert in self._alerts(burst_id) if alert.is_test == notice.is_test]
        trigger = burst_trigger_time(alerts)
        if trigger is None:
            return
        seconds = (notice.time - trigger).total_seconds()
        if not notice.is_retraction and not is_in_window(notice.mission, notice.instrument, seconds):
            return
        subject = subject_of(burst_id, is_test=notice.is_test)
        record = self._ledger.record(subject)
        if not record.occurrences:
            return
        position = _position(record, alerts)
        found = other_missions(self._store, burst_id, trigger, position, is_test=notice.is_test)
        named = _named(record)
        for one in found.coincidences:
            if one.association == "probable" and (what := _news(one, named, position)):
                event = f"{one.detector}-{one.event_id}"
                self._raise(
                    burst_id, subject, notice, _seen_key(event, _withdrawals(record, event)), what, one
                )
        sent = {one.key for one in record.occurrences}
        for lost in found.withdrawn:
            event = f"{lost.detector}-{lost.event_id}"
            times = _withdrawals(record, event)
            is_first = not times and lost.detector in named - set(found.seen_by)
            if is_first or _seen_key(event, times) in sent:
                what = f"{lost.words}; {found.summary}"
                self._raise(burst_id, subject, notice, _withdrawn_key(event, times), what, lost)

    def _alerts(self, burst_id: str) -> list[Alert]:
        """Return the notices of a burst, which are read again only if new ones arrived."""
        changed = changed_at(self._archive.root / burst_id / "alerts" / "received.jsonl")
        known = self._read.get(burst_id)
        if known is None or known[0] != changed:
            known = self._read[burst_id] = changed, list(self._readable(burst_id))
        return known[1]

    def _readable(self, burst_id: str) -> Iterator[Alert]:
        for path in self._archive.first_notices(burst_id):
            try:
                yield read_alert(path.read_bytes(), name=str(path))
            except (InvalidInput, OSError) as error:
                log_once(f"{error}; ignored in the comparison with other missions")

    def _raise(
        self,
        burst_id: str,
        subject: str,
        notice: SkyNotice,
        key: str,
        what: str,
        one: SkyCoincidence | Withdrawal,
    ) -> None:
        is_lost = isinstance(one, Withdrawal)
        self._ledger.raise_occurrence(
            Occurrence(
                key=key,
                event="other_mission",
                subject=subject,
                raised=notice.received,
                title=f"{subject_name(subject)}: {what.partition(';')[0]}",
                body=plain_body(
                    what=what,
                    do="Compare the positions on the page.",
                    link=desk_link(self._desk, burst_id),
                ),
                seen_by=() if is_lost else (one.detector,),
                no_longer_seen_by=(one.detector,) if is_lost else (),
            )
        )


def _near(notice: SkyNotice, days: dict[str, datetime]) -> Iterator[str]:
    """Return the ids of the bursts whose day can be that of a notice."""
    before, after = (timedelta(days=1, seconds=seconds) for seconds in longest_window_s())
    earliest, latest = notice.time - after, notice.time + before
    return (burst_id for burst_id, day in days.items() if earliest <= day <= latest)


def _key(text: str) -> str:
    return safe_name(f"other-{text.replace(' ', '-')}")


def _seen_key(event: str, withdrawals: int) -> str:
    """Return the key of the message that an event was seen; another one after each withdrawal."""
    return _key(event if not withdrawals else f"{event}-again-{withdrawals}")


def _withdrawn_key(event: str, withdrawals: int) -> str:
    """Return the key of the message that an event was withdrawn once more."""
    return _key(f"{event}-withdrawn" if not withdrawals else f"{event}-withdrawn-{withdrawals + 1}")


def _withdrawals(record: SubjectRecord, event: str) -> int:
    """Return how often people were notified that an event was withdrawn."""
    sent, number = {one.key for one in record.occurrences}, 0
    while _withdrawn_key(event, number) in sent:
        number += 1
    return number


def _named(record: SubjectRecord) -> set[str]:
    """Return the instruments that the messages about a burst name, without those of withdrawn detections."""
    named: set[str] = set()
    for one in record.occurrences:
        named = (named | set(one.seen_by)) - set(one.no_longer_seen_by)
    return named


def _news(one: SkyCoincidence, named: set[str], position: Position | None) -> str | None:
    """Return what a coincidence adds to the messages sent before; None if nothing."""
    if one.detector not in named:
        return f"also seen by {one.detector}; {one.explanation}"
    ours = position.r90_arcsec if position else None
    if one.r90_arcsec is not None and ours is not None and one.r90_arcsec < 0.5 * ours:
        return f"better position from {one.detector}; {one.explanation}"
    return None


def _position(record: SubjectRecord, alerts: list[Alert]) -> Position | None:
    """Return the position of the last notified result, or else the most precise one of the notices."""
    results = [one for one in record.occurrences if one.position is not None]
    if results:
        return max(results, key=lambda one: one.raised).position
    current = current_positions(notice_positions(in_order(alerts))).values()
    return min(
        (one for one in current if one.r90_arcsec), key=lambda one: one.r90_arcsec or 0.0, default=None
    )
