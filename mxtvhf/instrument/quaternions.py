"""Unit quaternions as attitudes: vectorised interpolation, mean and rotation matrices.

A quaternion is scalar last (x, y, z, w); a quaternion and its negative are the same rotation. This module
replaces scipy's ``Rotation``, because constructing and checking its objects takes longer than all
computations on the attitude of a burst.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mxtvhf.models.arrays import Floats


def slerp(first: Floats, second: Floats, step: npt.NDArray[np.intp], part: Floats) -> Floats:
    """Interpolate between two attitudes by rotation about one axis, the short way round.

    Source: Shoemake 1985, SIGGRAPH 19, 245.

    Parameters
    ----------
    first, second
        Unit quaternions at the ends of each step, shape (N, 4).
    step
        Index of the step to interpolate in, shape (M,).
    part
        Fraction of the step, 0 to 1, shape (M,).

    Returns
    -------
    Floats
        Unit quaternions, shape (M, 4).
    """
    second = np.where(_dot(first, second) < 0.0, -second, second)
    angle = 2.0 * np.arcsin(0.5 * np.sqrt(_dot(second - first, second - first)))
    aside = second - np.cos(angle) * first
    np.divide(aside, np.sin(angle), out=aside, where=angle > 0.0)
    turn = part[:, np.newaxis] * angle[step]
    return np.asarray(np.cos(turn) * first[step] + np.sin(turn) * aside[step])


def _dot(first: Floats, second: Floats) -> Floats:
    return np.asarray(np.einsum("ij,ij->i", first, second)[:, np.newaxis])


def mean_quaternion(quaternion: Floats, weights: Floats) -> Floats:
    """Return the weighted mean attitude.

    The mean is the eigenvector of the largest eigenvalue of the weighted scatter matrix (Markley et al. 2007,
    J. Guid. Control Dyn. 30, 1193); the sign of a quaternion does not matter.

    Parameters
    ----------
    quaternion
        Unit quaternions, shape (N, 4).
    weights
        Weight of each quaternion, shape (N,), not negative.
    """
    return np.asarray(np.linalg.eigh((weights * quaternion.T) @ quaternion)[1][:, -1])


def rotation_matrices(quaternion: Floats) -> Floats:
    """Return the rotation matrices of quaternions, times the square of their lengths.

    Parameters
    ----------
    quaternion
        Quaternions, scalar last, shape (N, 4).

    Returns
    -------
    Floats
        Shape (3, 3, N).
    """
    x, y, z, w = np.ascontiguousarray(quaternion.T)
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
