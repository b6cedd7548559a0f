"""Times in UTC as text, and entries of a timeline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pydantic import AwareDatetime

from mxtvhf.models.base import Model


class TimelineEntry(Model):
    """A time in the processing of a burst, from the trigger to the report."""

    name: str
    time: AwareDatetime
    seconds_after_trigger: float | None = None


def utc_text(moment: datetime) -> str:
    """Return ISO 8601 in UTC with milliseconds and ``Z``, the format of all reports."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def nearest_second(moment: datetime) -> datetime:
    """Round a time to the nearest second, UTC: 31.8 s becomes 32 s, not 31 s."""
    return (moment.astimezone(UTC) + timedelta(seconds=0.5)).replace(microsecond=0)


def second_text(moment: datetime) -> str:
    """Format a time to the nearest second, UTC: ``2026-05-11 11:00:32``."""
    return f"{nearest_second(moment):%Y-%m-%d %H:%M:%S}"


def duration_text(seconds: float, *, sign: str = "") -> str:
    """Format a duration in a suitable unit: ``35.4 s``, ``4321 s``, ``3.4 h``, ``266.5 d``.

    Parameters
    ----------
    seconds
        The duration.
    sign
        ``+`` to also write the sign of positive durations.
    """
    for unit, length in (("d", 86_400.0), ("h", 3_600.0)):
        if abs(seconds) >= 2.0 * length:
            return f"{seconds / length:{sign}.1f} {unit}"
    return f"{seconds:{sign}.{1 if abs(seconds) < 1000.0 else 0}f} s"
