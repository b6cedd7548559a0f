"""Flickering pixels, rows and columns: many photons within a short time, few in the whole observation.

A source never puts more than a small fraction of its photons into one pixel or line, however it varies. The
photons are therefore taken in order of arrival: given a photon of a pixel or line, the number of photons from
the same pixel or line among the next photons of the whole detector follows a binomial distribution with at
most that fraction. The result does not depend on the light curves of source and background.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import bdtrc

from mxtvhf.instrument.pixels import RawLine, RawPixel
from mxtvhf.localisation.constants import detection_constants

Indices = npt.NDArray[np.intp]


def flickering_pixels(column: Indices, row: Indices, time: npt.ArrayLike) -> tuple[RawPixel, ...]:
    """Return the flickering pixels.

    Parameters
    ----------
    column, row
        Raw coordinates of the photons, shape (photons,).
    time
        Arrival times, any unit and order, shape (photons,).
    """
    numbers = _flickering(row * _ROW + column, time, detection_constants().flicker.pixel_part)
    return tuple(RawPixel(int(number % _ROW), int(number // _ROW)) for number in numbers)


def flickering_lines(column: Indices, row: Indices, time: npt.ArrayLike) -> tuple[RawLine, ...]:
    """Return the flickering rows and columns.

    Parameters
    ----------
    column, row
        Raw coordinates of the photons, shape (photons,).
    time
        Arrival times, any unit and order, shape (photons,).
    """
    part = detection_constants().flicker.line_part
    return (
        *(RawLine("row", int(number)) for number in _flickering(row, time, part)),
        *(RawLine("column", int(number)) for number in _flickering(column, time, part)),
    )


_ROW = 1 << 16
"""Number larger than the columns of any row."""


def _flickering(address: Indices, time: npt.ArrayLike, part: float) -> Indices:
    """Return the addresses whose photons follow each other too closely."""
    rule = detection_constants().flicker
    time = np.asarray(time)
    in_time = np.argsort(time, kind="stable")
    # Photons of one frame have no order: a series begins with the first photon of its first frame and ends
    # with the last photon of its last frame.
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
        # To save time the distribution is evaluated only where there are more photons than expected.
        many = length - 1 > part * following
        same, following = same[many], following[many]
        chance = bdtrc(length - 2, following, part) * place.size * len(lengths)
        found.append(place[same[chance < rule.false_alarms]])
    return np.unique(np.concatenate(found)) if found else np.empty(0, np.intp)
