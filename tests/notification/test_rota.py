"""The rota: shifts in local time, gaps, overlaps, clock changes and iCalendar files."""

from datetime import UTC, datetime, timedelta

import pytest

from mxtvhf.errors import InvalidInput
from mxtvhf.notification.rota import read_rota

PEOPLE = """
[people.ada]
name = "Ada Lovelace"
zone = "Europe/Paris"

[people.bob]
name = "Bob"
zone = "America/New_York"
"""
DAYS = f"""{PEOPLE}
[[shifts]]
person = "ada"
start = 2026-03-01T08:00:00
end = 2026-03-01T20:00:00
repeat_days = 1

[[shifts]]
person = "bob"
start = 2026-03-01T19:00:00Z
end = 2026-03-02T07:00:00Z
repeat_days = 1
"""


@pytest.fixture
def rota(tmp_path):
    def read(text, calendar=None):
        if calendar is not None:
            (tmp_path / "shifts.ics").write_text(calendar)
        (tmp_path / "rota.toml").write_text(text)
        return read_rota(tmp_path / "rota.toml")

    return read


def utc(month, day, hour=0, minute=0):
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def test_who_is_on_duty_and_who_is_next(rota):
    duty = rota(DAYS).duty(utc(3, 7, 12))
    assert (duty.people, duty.person, duty.until) == (("ada",), "ada", utc(3, 7, 19))
    assert (duty.following.person, duty.following.start) == ("bob", utc(3, 7, 19))
    assert rota(DAYS).duty(utc(3, 7, 19)).person == "bob", "a shift ends when the next one begins"


def test_a_repeated_shift_keeps_its_local_time_over_a_clock_change(rota):
    """In Paris the clock changes from 2 h to 3 h on 2026-03-29, so 8 h is first 7 h UTC and then 6 h UTC."""
    found = rota(DAYS)
    begins = [shift.start for shift in found.shifts(utc(3, 28), utc(3, 30)) if shift.person == "ada"]
    assert begins == [utc(3, 28, 7), utc(3, 29, 6)]
    assert found.duty(utc(3, 29, 6, 30)).people == ("ada", "bob")
    assert found.faults(utc(3, 29), utc(3, 30)) == [
        "2026-03-29 06:00 to 2026-03-29 07:00 UTC: Ada Lovelace and Bob",
        "2026-03-29 18:00 to 2026-03-29 19:00 UTC: nobody",
    ]


@pytest.mark.parametrize(
    ("moment", "line"),
    [
        (
            utc(3, 29, 6, 30),
            "Ada Lovelace and Bob are on duty until 2026-03-29 07:00 UTC; everybody is notified",
        ),
        (utc(3, 29, 18, 30), "nobody is on duty until 2026-03-29 19:00 UTC; everybody is notified"),
        (utc(3, 29, 12), None),
    ],
)
def test_gaps_and_overlaps_are_reported_in_one_line(rota, moment, line):
    assert rota(DAYS).problem(moment) == line


def test_a_rota_that_has_ended_leaves_nobody_on_duty(rota):
    found = rota(DAYS.replace("repeat_days = 1", "repeat_days = 1\nuntil = 2026-03-10"))
    assert found.duty(utc(3, 9, 12)).person == "ada"
    assert found.problem(utc(4, 1)) == "nobody is on duty for 14 days; everybody is notified"


def test_a_shift_far_from_its_first_day_is_found(rota):
    assert rota(DAYS).duty(datetime(2031, 7, 7, 12, tzinfo=UTC)).person == "ada"


def test_a_moment_in_the_local_time_of_a_person(rota):
    assert rota(DAYS).local(utc(3, 7, 12), "bob").strftime("%H:%M %Z") == "07:00 EST"


def calendar(*events):
    body = "".join(
        f"BEGIN:VEVENT\r\nDTSTAMP:20260301T000000Z\r\n{event}\r\nEND:VEVENT\r\n" for event in events
    )
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//\r\n{body}END:VCALENDAR\r\n"


WEEKS = calendar(
    "UID:1\r\nSUMMARY:Ada Lovelace\r\nDTSTART;TZID=Europe/Paris:20260302T080000\r\n"
    "DTEND;TZID=Europe/Paris:20260309T080000\r\nRRULE:FREQ=WEEKLY;INTERVAL=2",
    "UID:2\r\nSUMMARY:bob\r\nDTSTART;TZID=Europe/Paris:20260309T080000\r\n"
    "DTEND;TZID=Europe/Paris:20260316T080000\r\nRRULE:FREQ=WEEKLY;INTERVAL=2",
)


def test_shifts_of_a_calendar(rota):
    found = rota(f'calendar = "shifts.ics"\n{PEOPLE}', WEEKS)
    assert found.duty(utc(3, 5)).person == "ada"
    assert found.duty(utc(3, 12)).person == "bob"
    assert found.duty(utc(3, 12)).until == utc(3, 16, 7)
    assert found.duty(utc(4, 1)).until == utc(4, 6, 6), "summer time"
    assert found.faults(utc(3, 5), utc(4, 20)) == []


def test_a_day_of_a_calendar_begins_at_midnight_of_its_person(rota):
    day = calendar("UID:1\r\nSUMMARY:bob\r\nDTSTART;VALUE=DATE:20260307\r\nDTEND;VALUE=DATE:20260308")
    found = rota(f'calendar = "shifts.ics"\n{PEOPLE}', day)
    assert found.shifts(utc(3, 1), utc(3, 31))[0].start == utc(3, 7, 5)


WRONG = {
    "nobody": ("", "people: missing"),
    "somebody else": (DAYS.replace('person = "bob"', 'person = "eve"'), "unknown person eve in"),
    "zone": (
        DAYS.replace("Europe/Paris", "Europe/Pluto"),
        "people.ada.zone: unknown time zone",
    ),
    "end": (DAYS.replace("2026-03-01T20:00:00\n", "2026-03-01T07:00:00\n"), "shifts.0: "),
    "offset": (
        DAYS.replace("2026-03-01T20:00:00\n", "2026-03-01T20:00:00Z\n"),
        "only one of start and end has an offset",
    ),
    "until": (
        f"{DAYS}\n".replace("repeat_days = 1", "until = 2026-03-10"),
        "until is set without repeat_days",
    ),
    "date as a number": (
        DAYS.replace("2026-03-01T08:00:00", "20260301"),
        "shifts.0.start: found 20260301, expected a time such as 2026-03-07T08:00:00",
    ),
    "typo": (DAYS.replace("repeat_days", "repeats"), "shifts.0.repeats: unknown key"),
    "no calendar": (f'calendar = "none.ics"\n{PEOPLE}', "none.ics: cannot be read"),
    "TOML": ("people", "not TOML"),
}


@pytest.mark.parametrize("case", WRONG)
def test_an_invalid_rota_is_reported_with_file_key_and_cause(rota, tmp_path, case):
    text, cause = WRONG[case]
    with pytest.raises(InvalidInput) as caught:
        rota(text)
    assert str(caught.value).startswith(str(tmp_path))
    assert cause in str(caught.value)


@pytest.mark.parametrize("content", ["", "<html>not here</html>"])
def test_an_invalid_calendar_is_an_error(rota, content):
    with pytest.raises(InvalidInput, match=r"shifts\.ics"):
        rota(f'calendar = "shifts.ics"\n{PEOPLE}', content)


def test_a_calendar_event_of_an_unknown_person_is_named(rota):
    soon = datetime.now(UTC) + timedelta(days=1)
    event = f"UID:1\r\nSUMMARY:Eve\r\nDTSTART:{soon:%Y%m%dT%H%M%SZ}\r\nDURATION:PT1H"
    with pytest.raises(InvalidInput, match="calendar event 'Eve' names no person"):
        rota(f'calendar = "shifts.ics"\n{PEOPLE}', calendar(event))
