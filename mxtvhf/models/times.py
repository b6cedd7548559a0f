"""Moments in UTC: as text, and as entries of a timeline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pydantic import AwareDatetime

from mxtvhf.models.base import Model


class TimelineEntry(Model):
    """A moment of the burst's way to the report."""

    name: str
    time: AwareDatetime
    seconds_after_trigger: float | None = None


def utc_text(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and ``Z``, the form used in all reports."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def nearest_second(moment: datetime) -> datetime:
    """Return the nearest whole second of a moment, UTC: 31.8 s is 32 s, where cutting would give 31 s."""
    return (moment.astimezone(UTC) + timedelta(seconds=0.5)).replace(microsecond=0)


def second_text(moment: datetime) -> str:
    """Write a moment to the nearest second, UTC: ``2026-05-11 11:00:32``."""
    return f"{nearest_second(moment):%Y-%m-%d %H:%M:%S}"


def duration_text(seconds: float, *, sign: str = "") -> str:
    """Write a duration in the unit that fits: ``35.4 s``, ``3.4 h``, ``266.5 d``.

    Parameters
    ----------
    seconds
        The duration.
    sign
        ``+`` to write the sign of positive durations, too.
    """
    for unit, length in (("d", 86_400.0), ("h", 3_600.0)):
        if abs(seconds) >= 2.0 * length:
            return f"{seconds / length:{sign}.1f} {unit}"
    return f"{seconds:{sign}.1f} s"
