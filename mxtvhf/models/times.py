"""Moments in UTC: as text, and as entries of a timeline."""

from __future__ import annotations

from datetime import UTC, datetime

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
