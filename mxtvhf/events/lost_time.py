"""The part of an observation of which not every photon was received."""

from __future__ import annotations

import numpy as np
from pydantic import AwareDatetime, ConfigDict, Field

from mxtvhf.instrument.time import utc_from_met
from mxtvhf.models.arrays import Floats
from mxtvhf.models.base import Model, NonNegative
from mxtvhf.models.intervals import length
from mxtvhf.models.times import second_text

MOST_GAPS = 10
"""Gaps that are listed."""
LEAST_FRACTION = 0.01
"""A smaller fraction needs no warning: the good time is without it, and every rate has a larger error."""


class LostGap(Model):
    """A stretch of time of which not every photon was received."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    start: AwareDatetime
    stop: AwareDatetime


class LostTime(Model):
    """Time of the observation of which not every photon was received; it is not in the exposure."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    seconds: NonNegative
    fraction: float = Field(ge=0.0, le=1.0)
    """Of this time and the exposure together."""
    gaps: int
    """How many."""
    longest: tuple[LostGap, ...]
    """The longest of them, at most ten, in order of time."""
    n_photons: int
    """Photons that were received and are not used, since others of their frame may be lost."""

    @classmethod
    def of(cls, lost: Floats, exposure_s: float, n_photons: int) -> LostTime:
        """Sum up what was lost.

        Parameters
        ----------
        lost
            Intervals, seconds of MET, shape (gaps, 2), in order and apart.
        exposure_s
            The good time.
        n_photons
            See the attribute.
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
        """What a reader should know of it; None where it is hardly anything."""
        if self.fraction < LEAST_FRACTION:
            return None
        gap = max(self.longest, key=lambda gap: gap.stop - gap.start)
        when = f"from {second_text(gap.start)} to {second_text(gap.stop)} UTC"
        where = when if self.gaps == 1 else f"in {self.gaps} gaps, the longest {when}"
        rest = "exposure, rates and limits are those of the rest" if self.fraction < 1.0 else "no exposure"
        return (
            f"{100.0 * self.fraction:.0f} % of the observation was not received, {self.seconds:.0f} s {where}"
            f": {rest}"
        )
