"""Sets of time intervals: overlap, difference, union, and the time elapsed in them.

A set is an array of shape (intervals, 2), starts and stops in any unit. The returned sets are sorted,
disjoint and without empty intervals. -inf and inf are valid ends.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mxtvhf.models.arrays import Floats

ALL_TIME = ((-np.inf, np.inf),)
"""The set of all times."""


def union(intervals: npt.ArrayLike) -> Floats:
    """Join overlapping or touching intervals, given in any order; reversed intervals are empty."""
    found = np.asarray(intervals, np.float64).reshape(-1, 2)
    found = found[found[:, 1] > found[:, 0]]
    found = found[np.argsort(found[:, 0], kind="stable")]
    if not len(found):
        return found
    stop = np.maximum.accumulate(found[:, 1])
    new = np.append(True, found[1:, 0] > stop[:-1])
    return np.stack([found[new, 0], stop[np.append(new[1:], True)]], axis=1)


def overlap(first: npt.ArrayLike, second: npt.ArrayLike) -> Floats:
    """Return the intersection of two sets."""
    one, other = union(first), union(second)
    edges = np.unique(np.concatenate([one.ravel(), other.ravel()]))
    pieces = np.stack([edges[:-1], edges[1:]], axis=1)
    return union(pieces[_inside(pieces, one) & _inside(pieces, other)])


def difference(first: npt.ArrayLike, second: npt.ArrayLike) -> Floats:
    """Return the times in the first of two sets that are not in the second."""
    edges = union(second).ravel()
    return overlap(first, np.concatenate([[-np.inf], edges, [np.inf]]))


def length(intervals: Floats) -> float:
    """Return the total length of disjoint intervals."""
    return float((intervals[:, 1] - intervals[:, 0]).sum())


def live_time(time: npt.ArrayLike, intervals: Floats) -> Floats:
    """Return the time elapsed in sorted, disjoint intervals up to given times of any shape."""
    passed = np.cumsum(intervals[:, 1] - intervals[:, 0])
    edges = np.stack([np.append(0.0, passed[:-1]), passed], axis=1)
    # Lost packets make thousands of intervals, too many to compare each photon with each of them.
    return np.asarray(np.interp(np.asarray(time, dtype=np.float64), intervals.ravel(), edges.ravel()))


def elapsed(time: npt.ArrayLike, intervals: Floats) -> Floats:
    """Return the fraction 0..1 of sorted, disjoint, non-empty intervals elapsed at given times."""
    return live_time(time, intervals) / length(intervals)


def _inside(pieces: Floats, intervals: Floats) -> npt.NDArray[np.bool_]:
    """Return a mask of the pieces that begin in an interval; no piece contains an edge of one."""
    return np.asarray(np.searchsorted(intervals.ravel(), pieces[:, 0], side="right") % 2 == 1)
