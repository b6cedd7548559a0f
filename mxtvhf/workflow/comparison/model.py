"""What comes out of a comparison of two reports."""

from __future__ import annotations

from enum import StrEnum

from pydantic import JsonValue

from mxtvhf.models.base import Model
from mxtvhf.models.kept import KeptModel


class Tolerances(Model):
    """Up to where numbers that were fitted count as equal.

    On one machine the same software gives the same numbers to the last bit; another processor or another
    version of numpy moves them by far less than these tolerances. They are choices, not measurements: far
    below what an observer notices, far above rounding.
    """

    position: float = 0.01
    """Separation of two positions, as a part of the larger statistical (else total) 90 % radius."""
    relative: float = 0.01
    """Of radii, test statistics, expected photons and the like."""
    measurement: float = 0.05
    """Of a value with errors, as a part of the larger 1 sigma error."""
    product: float = 1e-3
    """Relative, of the numbers in FITS files other than the event file."""


class Outcome(StrEnum):
    """What a comparison says."""

    EQUAL = "equal"
    CHANGED = "changed"
    MISSING = "missing"
    """There is no archived report to compare with."""


class Difference(Model):
    """One thing that is not the same."""

    what: str
    """Path in the report, ``packets.good``, or a product, ``product event_file``."""
    archived: JsonValue
    new: JsonValue
    matters: bool
    """False: it may differ (software and calibration versions, GP, wording) and is only noted."""


class PositionShift(Model):
    """How far a position moved."""

    position: str
    """Origin and label."""
    separation_arcsec: float
    part_of_r90: float | None
    """The separation over the larger statistical (else total) 90 % radius; None without a radius."""
    r90_archived_arcsec: float | None
    r90_new_arcsec: float | None


class SourceOutcome(StrEnum):
    """What became of a source between two reports."""

    SAME = "same"
    MOVED = "moved"
    FOUND = "found"
    """Only in the new report."""
    LOST = "lost"
    """Only in the archived one."""


class SourceChange(Model):
    """A source of the field in two reports."""

    outcome: SourceOutcome
    archived: str | None
    """Its name there; None: it is not there."""
    new: str | None
    separation_arcsec: float | None = None
    part_of_r90: float | None = None
    """The separation over the larger statistical 90 % radius."""


class ComparisonSummary(Model):
    """A comparison in short."""

    burst_id: str
    archived_run: str
    new_run: str
    outcome: Outcome
    reason: str
    """In one line, what differs."""
    archived_version: str | None = None
    """Of this software."""
    new_version: str | None = None
    best: PositionShift | None = None
    """Shift of the best position; None unless both reports have one."""


class Comparison(ComparisonSummary, KeptModel):
    """The report of a replay against the archived one."""

    positions: tuple[PositionShift, ...] = ()
    """Positions that both reports have."""
    sources: tuple[SourceChange, ...] = ()
    """The sources that the photons show, by their places; empty where one of the reports lists none."""
    differences: tuple[Difference, ...] = ()
    """Those that matter first."""

    def summary(self) -> ComparisonSummary:
        """Return what lists need."""
        return ComparisonSummary(**{name: getattr(self, name) for name in ComparisonSummary.model_fields})
