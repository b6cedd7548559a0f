"""Unit quaternions as attitudes: interpolation, mean and rotation matrices of whole columns.

A quaternion is scalar last (x, y, z, w); it and its negative are the same rotation. Here, not scipy's
``Rotation``, because making and checking its objects takes longer than all that a burst's attitude needs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def slerp(first: Floats, second: Floats, part: Floats) -> Floats:
    """Turn from one attitude towards another about one axis, the short way round.

    Shoemake 1985, SIGGRAPH 19, 245; sin(p a) / sin(a) is written so that it holds for a = 0, too.

    Parameters
    ----------
    first, second
        Unit quaternions, shape (N, 4).
    part
        How far, 0 to 1, shape (N,).
    """
    second = np.where((first * second).sum(axis=1) < 0.0, -1.0, 1.0)[:, np.newaxis] * second
    angle = 2.0 * np.arcsin(0.5 * np.sqrt(((second - first) ** 2).sum(axis=1))) / np.pi
    weights = ((1.0 - part, first), (part, second))
    whole = np.sinc(angle)
    before, after = ((p * np.sinc(p * angle) / whole)[:, np.newaxis] * ends for p, ends in weights)
    return np.asarray(before + after)


def mean_quaternion(quaternion: Floats, weights: Floats) -> Floats:
    """Return the weighted mean attitude of unit quaternions, shape (N, 4).

    It is the eigenvector of the largest eigenvalue of their weighted scatter matrix (Markley et al. 2007,
    J. Guid. Control Dyn. 30, 1193), the sign of a quaternion does not matter.
    """
    return np.asarray(np.linalg.eigh((weights * quaternion.T) @ quaternion)[1][:, -1])


def rotation_matrices(quaternion: Floats) -> Floats:
    """Return the rotation matrices of quaternions, shape (N, 4), times the square of their lengths.

    Returns
    -------
    Floats
        Shape (3, 3, N).
    """
    x, y, z, w = quaternion.T
    xx, yy, zz, ww = x * x, y * y, z * z, w * w
    xy, xz, yz = 2.0 * x * y, 2.0 * x * z, 2.0 * y * z
    xw, yw, zw = 2.0 * x * w, 2.0 * y * w, 2.0 * z * w
    return np.array(
        [
            [ww + xx - yy - zz, xy - zw, xz + yw],
            [xy + zw, ww - xx + yy - zz, yz - xw],
            [xz - yw, yz + xw, ww - xx - yy + zz],
        ]
    )
