"""The rota: the people who take shifts, and who is on duty at a moment.

A TOML file names the people and their time zones. Shifts stand in it, too, or in an iCalendar file
(RFC 5545) that it names. A shift is kept in the local time of its person, also over a clock change.
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
"""How far the rota is looked ahead for the next shift and for gaps."""
LONGEST_SHIFT = timedelta(days=7)
"""A shift that began longer ago is over."""


class Person(Model):
    """Somebody who takes shifts; the key in the rota is the login name, and the tag of their channels."""

    name: str = Field(min_length=1, max_length=100)
    zone: ZoneInfo = Field(default=ZoneInfo("UTC"), description="IANA time zone, e.g. Europe/Paris")

    @field_validator("zone", mode="before")
    @classmethod
    def _is_zone(cls, zone: object) -> object:
        try:
            return ZoneInfo(zone) if isinstance(zone, str) else zone
        except (KeyError, ValueError, OSError):
            raise ValueError(f"found {zone!r}, expected a time zone such as Europe/Paris") from None


class ShiftEntry(Model):
    """A shift as written in the file; times without an offset are local times of its person."""

    person: str
    start: datetime
    end: datetime
    repeat_days: int | None = Field(default=None, ge=1, le=366, description="again after so many days")
    until: date | None = Field(default=None, description="last day on which a repeated shift begins")

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> ShiftEntry:
        if (self.start.tzinfo is None) != (self.end.tzinfo is None):
            raise ValueError("expected an offset for both start and end, or for neither")
        length = self.end - self.start
        if not timedelta(0) < length <= LONGEST_SHIFT:
            raise ValueError(
                f"the shift of {self.start:%Y-%m-%d %H:%M} lasts {length}; expected up to 7 days"
            )
        if self.repeat_days is None and self.until is not None:
            raise ValueError("until needs repeat_days")
        return self


class RotaFile(Model):
    """What the TOML file holds."""

    people: dict[str, Person] = Field(min_length=1)
    shifts: tuple[ShiftEntry, ...] = ()
    calendar: Path | None = Field(
        default=None, description="iCalendar file; the summary of an event is the person's key or name"
    )

    @model_validator(mode="after")
    def _names_people(self) -> RotaFile:
        unknown = sorted({shift.person for shift in self.shifts} - self.people.keys())
        if unknown:
            raise ValueError(f"shifts of {', '.join(unknown)}, who is missing in [people]")
        return self


@dataclass(frozen=True, order=True)
class Shift:
    """One shift, UTC."""

    start: datetime
    end: datetime
    person: str


@dataclass(frozen=True)
class Duty:
    """Who is on duty at a moment."""

    people: tuple[str, ...]
    """Keys; exactly one in good order."""
    until: datetime | None
    """When the shift, the gap or the overlap ends; None: not within `HORIZON`."""
    following: Shift | None
    """The next shift of somebody who is not on duty now."""

    @property
    def person(self) -> str | None:
        """Who is on duty; None for nobody or several people."""
        return self.people[0] if len(self.people) == 1 else None


class Rota:
    """The people and shifts of an installation.

    Parameters
    ----------
    people
        By their keys.
    entries
        Shifts of the TOML file.
    calendar
        An ``icalendar.Calendar`` with further shifts; None: there is none.
    """

    def __init__(
        self, people: dict[str, Person], entries: tuple[ShiftEntry, ...], calendar: Any = None
    ) -> None:
        self.people = people
        self._entries = entries
        self._calendar = calendar

    def duty(self, now: datetime) -> Duty:
        """Tell who is on duty at a moment, UTC."""
        shifts = self.shifts(now - LONGEST_SHIFT, now + HORIZON)
        people = tuple(sorted(_on_duty(shifts, now)))
        changes = sorted({moment for shift in shifts for moment in (shift.start, shift.end) if moment > now})
        until = next((moment for moment in changes if _on_duty(shifts, moment) != set(people)), None)
        following = (shift for shift in shifts if shift.start > now and shift.person not in people)
        return Duty(people=people, until=until, following=next(following, None))

    def problem(self, now: datetime) -> str | None:
        """Return in one line why not exactly one person is on duty; None in good order."""
        duty = self.duty(now)
        if duty.person is not None:
            return None
        until = f"until {duty.until:%Y-%m-%d %H:%M} UTC" if duty.until else f"for {HORIZON.days} days"
        who = " and ".join(map(self.name, duty.people)) + " are" if duty.people else "nobody is"
        return f"{who} on duty {until}; everybody is notified"

    def faults(self, start: datetime, end: datetime) -> list[str]:
        """Return the gaps and overlaps between two moments, a line each."""
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
        """Return the shifts that touch a span of time, in order; UTC."""
        found = [*self._written(start, end), *self._of_calendar(start, end)]
        return sorted(shift for shift in found if shift.end > start and shift.start < end)

    def name(self, key: str) -> str:
        """Return the name of a person, or the key of somebody who is not in the rota."""
        return self.people[key].name if key in self.people else key

    def local(self, moment: datetime, key: str) -> datetime:
        """Return a moment in the local time of a person."""
        return moment.astimezone(self.people[key].zone if key in self.people else UTC)

    def _written(self, start: datetime, end: datetime) -> Iterator[Shift]:
        for entry in self._entries:
            zone, step = self.people[entry.person].zone, entry.repeat_days
            first, last = entry.start, entry.end
            if step is not None:
                # In local time: a shift of 8 h to 20 h stays one, whatever the clock does between.
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
        raise InvalidInput(f"rota: event {summary!r} of the calendar names nobody of [people]")


def read_rota(path: Path) -> Rota:
    """Read a rota and its calendar.

    Raises
    ------
    InvalidInput
        A file cannot be read, a shift is of nobody, a time zone is unknown: file, key and cause.
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
        rota.shifts(now - HORIZON, now + HORIZON)  # names nobody else than people of the file
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read: {error.strerror}") from None
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error}") from None
    except (ValueError, KeyError, IndexError, AttributeError) as error:
        raise InvalidInput(f"{path}: not iCalendar: {one_line(error, 200)}") from None
    return rota


def _on_duty(shifts: list[Shift], moment: datetime) -> set[str]:
    return {shift.person for shift in shifts if shift.start <= moment < shift.end}


def _utc(moment: datetime | date, zone: ZoneInfo) -> datetime:
    """Return a moment in UTC; one without an offset is local time of a zone, a day begins at midnight."""
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
