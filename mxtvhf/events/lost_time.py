"""Summary of the time of an observation during which photons were lost."""

from __future__ import annotations

import numpy as np

from mxtvhf.events.model import LostGap, LostTime
from mxtvhf.instrument.time import utc_from_met
from mxtvhf.models.arrays import Floats
from mxtvhf.models.intervals import length

MOST_GAPS = 10
"""Largest number of gaps that are listed."""


def lost_time(lost: Floats, exposure_s: float, n_photons: int) -> LostTime:
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
    return LostTime(
        seconds=seconds,
        fraction=seconds / (seconds + exposure_s) if seconds else 0.0,
        gaps=len(lost),
        longest=tuple(
            LostGap(start=utc_from_met(start), stop=utc_from_met(stop))
            for start, stop in lost[longest].tolist()
        ),
        n_photons=n_photons,
    )
