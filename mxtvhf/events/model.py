"""Counts and losses of the events of a run, as kept in the report."""

from __future__ import annotations

from pydantic import AwareDatetime, ConfigDict, Field

from mxtvhf.models.base import Model, NonNegative
from mxtvhf.models.quantities import Fraction
from mxtvhf.models.times import second_text

LEAST_FRACTION = 0.01
"""Smallest fraction that needs a warning. The GTIs exclude the lost time, and every rate has a larger
error."""


class PatternCounts(Model):
    """Number of reconstructed events of each kind."""

    singles: int = Field(ge=0)
    doubles: int = Field(ge=0)
    triples: int = Field(ge=0)
    quadruples: int = Field(ge=0)
    invalid_pixels: int = Field(ge=0)
    """Pixel entries in invalid patterns; they are left out."""
    pile_up: Fraction
    """Estimated fraction of the events that hold the charge of more than one photon."""

    @property
    def pixels(self) -> int:
        """Number of pixel entries in all patterns."""
        return self.singles + 2 * self.doubles + 3 * self.triples + 4 * self.quadruples + self.invalid_pixels


class LostGap(Model):
    """An interval during which photons were lost."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    start: AwareDatetime
    stop: AwareDatetime


class LostTime(Model):
    """Total time during which photons were lost; the exposure does not include it."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    seconds: NonNegative
    fraction: float = Field(ge=0.0, le=1.0)
    """Fraction of the sum of lost time and exposure."""
    gaps: int
    """Number of gaps."""
    longest: tuple[LostGap, ...]
    """The longest gaps, at most ten, in time order."""
    n_photons: int
    """Photons that were received but not used, because others of the same frame may be lost."""

    @property
    def warning(self) -> str | None:
        """Return a warning for the report; None if the lost fraction is negligible."""
        if self.fraction < LEAST_FRACTION:
            return None
        gap = max(self.longest, key=lambda gap: gap.stop - gap.start)
        when = f"from {second_text(gap.start)} to {second_text(gap.stop)} UTC"
        where = when if self.gaps == 1 else f"in {self.gaps} gaps, the longest {when}"
        rest = "exposure, rates and limits refer to the rest" if self.fraction < 1.0 else "no exposure"
        return (
            f"{100.0 * self.fraction:.0f} % of the observation is lost: {self.seconds:.0f} s {where}: {rest}"
        )
