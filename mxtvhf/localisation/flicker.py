"""Pixels, rows and columns that flicker: many photons in a moment, few in the whole observation.

At no moment does a source put more than a small part of its photons into one pixel or line, however it
varies. So the photons of a pixel or line are taken in their order: given one of them, the number among the
next photons of the whole detector that come from the same pixel or line follows a binomial distribution with
at most that part. Neither the background's course in time nor the source's matters.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import bdtrc

from mxtvhf.instrument.pixels import RawLine, RawPixel
from mxtvhf.localisation.constants import detection_constants

Indices = npt.NDArray[np.intp]


def flickering_pixels(column: Indices, row: Indices, time: npt.ArrayLike) -> tuple[RawPixel, ...]:
    """Find the flickering pixels among photons.

    Parameters
    ----------
    column, row
        Raw addresses of the photons.
    time
        Their times, in any order.
    """
    numbers = _flickering(row * _ROW + column, time, detection_constants().flicker.pixel_part)
    return tuple(RawPixel(int(number % _ROW), int(number // _ROW)) for number in numbers)


def flickering_lines(column: Indices, row: Indices, time: npt.ArrayLike) -> tuple[RawLine, ...]:
    """Find the flickering rows and columns among photons; parameters as `flickering_pixels`."""
    part = detection_constants().flicker.line_part
    return (
        *(RawLine("row", int(number)) for number in _flickering(row, time, part)),
        *(RawLine("column", int(number)) for number in _flickering(column, time, part)),
    )


_ROW = 1 << 16
"""More than the columns of any row."""


def _flickering(address: Indices, time: npt.ArrayLike, part: float) -> Indices:
    """Return the addresses with photons in too close succession."""
    rule = detection_constants().flicker
    time = np.asarray(time)
    in_time = np.argsort(time, kind="stable")
    # Photons of one frame have no order among them: a series begins with the first of its first frame and
    # ends with the last of its last one.
    ordered = time[in_time]
    first, last = np.searchsorted(ordered, ordered, "left"), np.searchsorted(ordered, ordered, "right") - 1
    place = np.asarray(address)[in_time]
    rank = np.argsort(place, kind="stable")
    place, first, last, found = place[rank], first[rank], last[rank], []
    lengths = range(3, min(rule.most_photons, place.size) + 1)
    for length in lengths:
        same = np.flatnonzero(place[length - 1 :] == place[: 1 - length])
        if same.size == 0:
            break
        following = last[same + length - 1] - first[same]
        # The distribution is asked only where there are more than expected: mostly nowhere.
        many = length - 1 > part * following
        same, following = same[many], following[many]
        chance = bdtrc(length - 2, following, part) * place.size * len(lengths)
        found.append(place[same[chance < rule.false_alarms]])
    return np.unique(np.concatenate(found)) if found else np.empty(0, np.intp)
