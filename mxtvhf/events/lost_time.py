"""Time of an observation during which photons were lost."""

from __future__ import annotations

import numpy as np
from pydantic import AwareDatetime, ConfigDict, Field

from mxtvhf.instrument.time import utc_from_met
from mxtvhf.models.arrays import Floats
from mxtvhf.models.base import Model, NonNegative
from mxtvhf.models.intervals import length
from mxtvhf.models.times import second_text

MOST_GAPS = 10
"""Largest number of gaps that are listed."""
LEAST_FRACTION = 0.01
"""Smallest fraction that needs a warning. The GTIs exclude the lost time, and every rate has a larger
error."""


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

    @classmethod
    def of(cls, lost: Floats, exposure_s: float, n_photons: int) -> LostTime:
        """Summarise the lost time.

        Parameters
        ----------
        lost
            Intervals, seconds of MET, shape (gaps, 2), in order and disjoint.
        exposure_s
            Sum of the GTIs.
        n_photons
            Number of received photons that are not used.
        """
        seconds = length(lost)
        longest = np.sort(np.argsort(lost[:, 0] - lost[:, 1], kind="stable")[:MOST_GAPS])
        return cls(
            seconds=seconds,
            fraction=seconds / (seconds + exposure_s) if seconds else 0.0,
            gaps=len(lost),
            longest=tuple(
                LostGap(start=utc_from_met(start), stop=utc_from_met(stop))
                for start, stop in lost[longest].tolist()
            ),
            n_photons=n_photons,
        )

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
