"""Results of the comparison of two reports."""

from __future__ import annotations

from enum import StrEnum

from pydantic import JsonValue

from mxtvhf.models.base import Model
from mxtvhf.models.kept import KeptModel


class Tolerances(Model):
    """Tolerances within which fitted numbers count as equal.

    On one machine the same software gives bit-identical numbers; another processor or version of numpy
    changes them by much less than these tolerances. The tolerances are our choice: far below what matters to
    an observer, far above rounding errors.
    """

    position: float = 0.01
    """Separation of two positions as a fraction of the larger statistical (else total) 90 % radius."""
    relative: float = 0.01
    """Relative tolerance of radii, test statistics, expected photons and similar numbers."""
    measurement: float = 0.05
    """Tolerance of a value with errors, as a fraction of the larger 1 sigma error."""
    product: float = 1e-3
    """Relative tolerance of the numbers in FITS files other than the event file."""


class Outcome(StrEnum):
    """Outcome of a comparison."""

    EQUAL = "equal"
    CHANGED = "changed"
    MISSING = "missing"
    """There is no archived report for comparison."""


class Difference(Model):
    """A single difference between two reports."""

    what: str
    """Path in the report, ``packets.good``, or a product, ``product event_file``."""
    archived: JsonValue
    new: JsonValue
    matters: bool
    """False if the difference is allowed (software and calibration versions, GP, wording) and only noted."""


class PositionShift(Model):
    """Shift of a position."""

    position: str
    """Origin and label."""
    separation_arcsec: float
    part_of_r90: float | None
    """Separation divided by the larger statistical (else total) 90 % radius; None without a radius."""
    r90_archived_arcsec: float | None
    r90_new_arcsec: float | None


class SourceOutcome(StrEnum):
    """Change of a source between two reports."""

    SAME = "same"
    MOVED = "moved"
    FOUND = "found"
    """The source is only in the new report."""
    LOST = "lost"
    """The source is only in the archived report."""


class SourceChange(Model):
    """A source of the field in two reports."""

    outcome: SourceOutcome
    archived: str | None
    """Name in the archived report; None if it is not there."""
    new: str | None
    separation_arcsec: float | None = None
    part_of_r90: float | None = None
    """Separation divided by the larger statistical 90 % radius."""


class ComparisonSummary(Model):
    """Summary of a comparison."""

    burst_id: str
    archived_run: str
    new_run: str
    outcome: Outcome
    reason: str
    """Differences in one line."""
    archived_version: str | None = None
    """Version of this software."""
    new_version: str | None = None
    best: PositionShift | None = None
    """Shift of the best position; None unless both reports have one."""


class Comparison(ComparisonSummary, KeptModel):
    """Comparison of the report of a replay with the archived report."""

    positions: tuple[PositionShift, ...] = ()
    """Shifts of the positions that are in both reports."""
    sources: tuple[SourceChange, ...] = ()
    """Changes of the detected sources, paired by position; empty if one of the reports lists none."""
    differences: tuple[Difference, ...] = ()
    """Differences, those that matter first."""

    def summary(self) -> ComparisonSummary:
        """Return the summary for lists."""
        return ComparisonSummary(**{name: getattr(self, name) for name in ComparisonSummary.model_fields})
