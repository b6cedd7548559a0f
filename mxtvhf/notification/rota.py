"""The rota: people, shifts and the person on duty at a given time.

A TOML file lists the people and their time zones. It also lists the shifts or names an iCalendar file
(RFC 5545) with them. A repeated shift keeps its local time across a change of daylight saving time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from mxtvhf.errors import InvalidInput
from mxtvhf.models.base import Model
from mxtvhf.models.text import one_line
from mxtvhf.models.toml import read_toml

HORIZON = timedelta(days=14)
"""Time span after now that is searched for the next shift and for gaps."""
LONGEST_SHIFT = timedelta(days=7)
"""Longest allowed shift."""


class Person(Model):
    """A person who takes shifts. Its key in the rota is the login name and the tag of its channels."""

    name: str = Field(min_length=1, max_length=100)
    zone: ZoneInfo = Field(default=ZoneInfo("UTC"), description="IANA time zone, e.g. Europe/Paris")

    @field_validator("zone", mode="before")
    @classmethod
    def _is_zone(cls, zone: object) -> object:
        try:
            return ZoneInfo(zone) if isinstance(zone, str) else zone
        except (KeyError, ValueError, OSError):
            raise ValueError(f"unknown time zone {zone!r}; expected a name such as Europe/Paris") from None


class ShiftEntry(Model):
    """A shift as written in the file. Times without an offset are local times of the person."""

    person: str
    start: datetime
    end: datetime
    repeat_days: int | None = Field(default=None, ge=1, le=366, description="repetition interval, days")
    until: date | None = Field(default=None, description="last day on which a repeated shift begins")

    @field_validator("start", "end", "until", mode="before")
    @classmethod
    def _is_no_number(cls, value: Any) -> Any:
        """Refuse a number, such as ``20260101``, which would count as seconds since 1970."""
        if isinstance(value, int | float):
            raise ValueError(f"found {value}, expected a time such as 2026-03-07T08:00:00")
        return value

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> ShiftEntry:
        if (self.start.tzinfo is None) != (self.end.tzinfo is None):
            raise ValueError("only one of start and end has an offset; expected both or neither")
        length = self.end - self.start
        if not timedelta(0) < length <= LONGEST_SHIFT:
            raise ValueError(
                f"the shift of {self.start:%Y-%m-%d %H:%M} lasts {length}; expected a length of up to 7 days"
            )
        if self.repeat_days is None and self.until is not None:
            raise ValueError("until is set without repeat_days; add repeat_days or remove until")
        return self


class RotaFile(Model):
    """The content of the TOML file."""

    people: dict[str, Person] = Field(min_length=1)
    shifts: tuple[ShiftEntry, ...] = ()
    calendar: Path | None = Field(
        default=None, description="iCalendar file; the summary of an event is the person's key or name"
    )

    @model_validator(mode="after")
    def _names_people(self) -> RotaFile:
        unknown = sorted({shift.person for shift in self.shifts} - self.people.keys())
        if unknown:
            raise ValueError(f"unknown person {', '.join(unknown)} in [[shifts]]; add each to [people]")
        return self


@dataclass(frozen=True, order=True)
class Shift:
    """One shift with times in UTC."""

    start: datetime
    end: datetime
    person: str


@dataclass(frozen=True)
class Duty:
    """The people on duty at a moment."""

    people: tuple[str, ...]
    """Keys of the people on duty; a correct rota gives exactly one."""
    until: datetime | None
    """End of the shift, gap or overlap, UTC; None if it is not within `HORIZON`."""
    following: Shift | None
    """The next shift of a person who is not on duty now; None without one."""

    @property
    def person(self) -> str | None:
        """Return the key of the person on duty; None if nobody or several people are on duty."""
        return self.people[0] if len(self.people) == 1 else None


class Rota:
    """The people and shifts of an installation.

    Parameters
    ----------
    people
        People by their keys.
    entries
        Shifts of the TOML file.
    calendar
        ``icalendar.Calendar`` with further shifts; None without a calendar.
    """

    def __init__(
        self, people: dict[str, Person], entries: tuple[ShiftEntry, ...], calendar: Any = None
    ) -> None:
        self.people = people
        self._entries = entries
        self._calendar = calendar

    def duty(self, now: datetime) -> Duty:
        """Return the people on duty at the time ``now`` (UTC)."""
        shifts = self.shifts(now - LONGEST_SHIFT, now + HORIZON)
        people = tuple(sorted(_on_duty(shifts, now)))
        changes = sorted({moment for shift in shifts for moment in (shift.start, shift.end) if moment > now})
        until = next((moment for moment in changes if _on_duty(shifts, moment) != set(people)), None)
        following = (shift for shift in shifts if shift.start > now and shift.person not in people)
        return Duty(people=people, until=until, following=next(following, None))

    def problem(self, now: datetime) -> str | None:
        """Return a message if nobody or several people are on duty; None if exactly one person is."""
        duty = self.duty(now)
        if duty.person is not None:
            return None
        until = f"until {duty.until:%Y-%m-%d %H:%M} UTC" if duty.until else f"for {HORIZON.days} days"
        who = " and ".join(map(self.name, duty.people)) + " are" if duty.people else "nobody is"
        return f"{who} on duty {until}; everybody is notified"

    def faults(self, start: datetime, end: datetime) -> list[str]:
        """Return the gaps and overlaps of a time span, one line each."""
        shifts, found, moment = self.shifts(start - LONGEST_SHIFT, end), [], start
        changes = sorted({one for shift in shifts for one in (shift.start, shift.end) if start < one < end})
        for until in [*changes, end]:
            people = sorted(_on_duty(shifts, moment))
            if len(people) != 1:
                who = " and ".join(map(self.name, people)) or "nobody"
                found.append(f"{moment:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC: {who}")
            moment = until
        return found

    def shifts(self, start: datetime, end: datetime) -> list[Shift]:
        """Return the shifts that overlap with a time span (UTC), in the order of their starts."""
        found = [*self._written(start, end), *self._of_calendar(start, end)]
        return sorted(shift for shift in found if shift.end > start and shift.start < end)

    def name(self, key: str) -> str:
        """Return the name of a person, or the key itself if it is not in the rota."""
        return self.people[key].name if key in self.people else key

    def local(self, moment: datetime, key: str) -> datetime:
        """Return a time in the time zone of a person."""
        return moment.astimezone(self.people[key].zone if key in self.people else UTC)

    def _written(self, start: datetime, end: datetime) -> Iterator[Shift]:
        for entry in self._entries:
            zone, step = self.people[entry.person].zone, entry.repeat_days
            first, last = entry.start, entry.end
            if step is not None:
                # Computed in local time, so that a shift of 8 h to 20 h stays one after a clock change.
                behind = (start.date() - first.date()).days - LONGEST_SHIFT.days - 1
                skipped = timedelta(days=max(0, behind // step) * step)
                first, last = first + skipped, last + skipped
            while True:
                if entry.until is not None and first.date() > entry.until:
                    break
                shift = Shift(_utc(first, zone), _utc(last, zone), entry.person)
                if shift.start >= end:
                    break
                yield shift
                if step is None:
                    break
                first, last = first + timedelta(days=step), last + timedelta(days=step)

    def _of_calendar(self, start: datetime, end: datetime) -> Iterator[Shift]:
        if self._calendar is None:
            return
        import recurring_ical_events

        for event in recurring_ical_events.of(self._calendar).between(start, end):
            person = self._person(str(event.get("SUMMARY", "")).strip())
            zone = self.people[person].zone
            yield Shift(_utc(event.start, zone), _utc(event.end, zone), person)

    def _person(self, summary: str) -> str:
        for key, person in self.people.items():
            if summary.lower() in (key.lower(), person.name.lower()):
                return key
        raise InvalidInput(
            f"rota: the calendar event {summary!r} names no person of [people]; "
            "use a key or a name of [people]"
        )


def read_rota(path: Path) -> Rota:
    """Read a rota and its calendar.

    Raises
    ------
    InvalidInput
        A file is missing or invalid. The message names file, key and cause.
    """
    file = read_toml(path, RotaFile)
    if file.calendar is None:
        return Rota(file.people, file.shifts)
    return _with_calendar(file, path.parent / file.calendar)


def _with_calendar(file: RotaFile, path: Path) -> Rota:
    import icalendar

    try:
        calendar = icalendar.Calendar.from_ical(path.read_bytes())
        rota, now = Rota(file.people, file.shifts, calendar), datetime.now(UTC)
        rota.shifts(now - HORIZON, now + HORIZON)  # checks that the events name people of the file
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read: {error.strerror}") from None
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error}") from None
    except (ValueError, KeyError, IndexError, AttributeError) as error:
        raise InvalidInput(f"{path}: invalid iCalendar file: {one_line(error, 200)}") from None
    return rota


def _on_duty(shifts: list[Shift], moment: datetime) -> set[str]:
    return {shift.person for shift in shifts if shift.start <= moment < shift.end}


def _utc(moment: datetime | date, zone: ZoneInfo) -> datetime:
    """Return a time in UTC. Times without an offset are local times of ``zone``; a date means midnight."""
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
