"""Sets of time intervals: their overlap, their difference, their union; and as a clock that runs in them.

A set is an array of shape (intervals, 2), starts and stops in any unit. What these functions return is in
order, its intervals are apart and none is empty. -inf and inf are ends like any other.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mxtvhf.models.arrays import Floats

ALL_TIME = ((-np.inf, np.inf),)
"""The set of all moments."""


def union(intervals: npt.ArrayLike) -> Floats:
    """Join intervals, in any order, that overlap or touch each other; those that run backwards are empty."""
    found = np.asarray(intervals, np.float64).reshape(-1, 2)
    found = found[found[:, 1] > found[:, 0]]
    found = found[np.argsort(found[:, 0], kind="stable")]
    if not len(found):
        return found
    stop = np.maximum.accumulate(found[:, 1])
    new = np.append(True, found[1:, 0] > stop[:-1])
    return np.stack([found[new, 0], stop[np.append(new[1:], True)]], axis=1)


def overlap(first: npt.ArrayLike, second: npt.ArrayLike) -> Floats:
    """Return what is in both of two sets."""
    one, other = union(first), union(second)
    edges = np.unique(np.concatenate([one.ravel(), other.ravel()]))
    pieces = np.stack([edges[:-1], edges[1:]], axis=1)
    return union(pieces[_inside(pieces, one) & _inside(pieces, other)])


def difference(first: npt.ArrayLike, second: npt.ArrayLike) -> Floats:
    """Return what is in the first of two sets and not in the second."""
    edges = union(second).ravel()
    return overlap(first, np.concatenate([[-np.inf], edges, [np.inf]]))


def length(intervals: Floats) -> float:
    """Return the sum of the lengths of intervals that are apart."""
    return float((intervals[:, 1] - intervals[:, 0]).sum())


def live_time(time: npt.ArrayLike, intervals: Floats) -> Floats:
    """Return the length of intervals, in order and apart, that is over at moments of any shape."""
    passed = np.cumsum(intervals[:, 1] - intervals[:, 0])
    edges = np.stack([np.append(0.0, passed[:-1]), passed], axis=1)
    # Lost packets make thousands of intervals: no photon may be compared with each of them.
    return np.asarray(np.interp(np.asarray(time, dtype=np.float64), intervals.ravel(), edges.ravel()))


def elapsed(time: npt.ArrayLike, intervals: Floats) -> Floats:
    """Return the part of intervals, in order, apart and not all empty, that is over at moments, 0..1."""
    return live_time(time, intervals) / length(intervals)


def _inside(pieces: Floats, intervals: Floats) -> npt.NDArray[np.bool_]:
    """Tell which pieces begin in an interval; none of them holds an edge of one."""
    return np.asarray(np.searchsorted(intervals.ravel(), pieces[:, 0], side="right") % 2 == 1)
