"""Good time as a clock: which part of it is over at a moment."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mxtvhf.models.arrays import Floats


def elapsed(time: npt.ArrayLike, gti: Floats) -> Floats:
    """Return the part of the good time that is over at moments, 0..1.

    Parameters
    ----------
    time
        MET seconds, any shape.
    gti
        Good time intervals in their order, shape (intervals, 2), MET seconds; not without any good time.
    """
    start, stop = np.asarray(gti, dtype=np.float64).reshape(-1, 2).T
    over = np.concatenate([[0.0], np.cumsum(stop - start)])
    times = np.stack([start, stop], axis=1).ravel()
    parts = np.stack([over[:-1], over[1:]], axis=1).ravel()
    return np.asarray(np.interp(np.asarray(time, dtype=np.float64), times, parts / over[-1]))
