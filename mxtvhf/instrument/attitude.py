"""Attitude of the satellite over time, and intervals of stable pointing.

Conventions:

* A quaternion is scalar last (x, y, z, w) and rotates vectors of the satellite's body frame into ICRS.
* Between two samples the attitude turns about one axis at one rate (slerp).
* Before the first and after the last sample the attitude is that of the nearest sample.

The limits of stable pointing are in ``pointing.toml``, with their justification.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import Field

from mxtvhf.errors import InvalidInput
from mxtvhf.instrument.constants import instrument
from mxtvhf.instrument.quaternions import mean_quaternion, slerp
from mxtvhf.models.arrays import Floats, read_arrays
from mxtvhf.models.intervals import ALL_TIME, difference
from mxtvhf.models.toml import Constants, SourcedConstants, read_toml

Flags = npt.NDArray[np.bool_]

QUATERNION_TOLERANCE = 1e-6
"""Largest accepted deviation of a quaternion's length from 1 (the elements are float64)."""


class StableLimits(SourcedConstants):
    """Criteria for stable pointing."""

    max_gap_s: float = Field(gt=0.0, le=86_400.0)
    """Longest time between two samples; a longer gap is bridged if the pointing is the same on both sides."""
    max_gap_motion_arcsec: float = Field(ge=0.0, le=3600.0)
    """Largest angle between the attitudes on both sides of a longer gap for the same pointing."""
    max_rate_arcsec_per_s: float = Field(gt=0.0, le=3600.0)
    """Largest rate of motion between two samples."""
    noise_arcsec: float = Field(ge=0.0, le=3600.0)
    """Angle by which two samples may differ due to noise alone."""
    max_offset_arcmin: float = Field(gt=0.0, le=600.0)
    """Largest distance from the main pointing of the observation."""


class SteadyLimits(SourcedConstants):
    """Criterion for a single, steady pointing."""

    spread_arcsec: float = Field(ge=0.0, le=3600.0)
    """Largest distance from the mean attitude up to which raw coordinates are used without correction."""


class PointingLimits(Constants):
    """Contents of ``pointing.toml``."""

    stable: StableLimits
    steady: SteadyLimits


@cache
def pointing_limits() -> PointingLimits:
    """Return the limits of stable and of steady pointing; the TOML file gives their justification."""
    return read_toml(Path(__file__).with_name("pointing.toml"), PointingLimits)


@dataclass(frozen=True, eq=False)
class AttitudeHistory:
    """Attitude samples in time order.

    Attributes
    ----------
    time
        Seconds of mission elapsed time, shape (N,), strictly ascending.
    quaternion
        Body to ICRS, scalar last, unit length, shape (N, 4).
    stable
        True where the platform reported stable pointing, shape (N,).

    Raises
    ------
    InvalidInput
        The columns have different lengths, the times are not finite and strictly ascending, or a quaternion
        is not of unit length (within 1e-6). Use `from_samples` for unsorted samples.
    """

    time: Floats
    quaternion: Floats
    stable: Flags

    def __post_init__(self) -> None:
        count = len(self.time)
        if self.quaternion.shape != (count, 4) or self.stable.shape != (count,):
            shapes = f"{self.quaternion.shape} and {self.stable.shape}"
            raise InvalidInput(
                f"attitude: {count} times, but quaternions and flags of shapes {shapes}; "
                f"expected ({count}, 4) and ({count},)"
            )
        bad = np.flatnonzero(~np.isfinite(self.time))
        if len(bad):
            raise InvalidInput(
                f"attitude: sample {bad[0]}: time is {self.time[bad[0]]}; expected a finite number"
            )
        late = np.flatnonzero(np.diff(self.time) <= 0.0)
        if len(late):
            before, after = self.time[late[0] : late[0] + 2]
            raise InvalidInput(f"attitude: sample {late[0] + 1}: time {after:.6f} is not after {before:.6f}")
        bad = np.flatnonzero(~is_unit(self.quaternion))
        if len(bad):
            raise InvalidInput(f"attitude: sample {bad[0]}: quaternion is not of unit length")

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.time)

    @classmethod
    def from_samples(
        cls, time: npt.ArrayLike, quaternion: npt.ArrayLike, stable: npt.ArrayLike
    ) -> AttitudeHistory:
        """Sort samples by time; of several samples at one time keep the first given.

        Parameters
        ----------
        time, quaternion, stable
            Same as the attributes, in any order.

        Raises
        ------
        InvalidInput
            Same as for the class, except for the order.
        """
        unique, first = np.unique(np.asarray(time, np.float64), return_index=True)
        return cls(unique, np.asarray(quaternion, np.float64)[first], np.asarray(stable, np.bool_)[first])

    def at(self, time: Floats) -> Floats:
        """Interpolate the attitude.

        Parameters
        ----------
        time
            Seconds of MET, shape (M,).

        Returns
        -------
        Floats
            Unit quaternions, body to ICRS, scalar last, shape (M, 4).

        Raises
        ------
        InvalidInput
            The attitude has no sample.
        """
        if not len(self):
            raise InvalidInput("attitude: no sample; expected at least one")
        quaternion = self.quaternion / np.sqrt((self.quaternion**2).sum(axis=1, keepdims=True))
        place = np.interp(time, self.time, np.arange(len(self), dtype=np.float64))
        step = place.astype(np.intp)
        # The step after the last sample has no motion.
        return slerp(quaternion, np.append(quaternion[1:], quaternion[-1:], axis=0), step, place - step)

    def to_bytes(self) -> bytes:
        """Return the history as a numpy ``.npz`` file."""
        file = BytesIO()
        np.savez(file, time=self.time, quaternion=self.quaternion, stable=self.stable)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> AttitudeHistory:
        """Read a file written by ``to_bytes``; additional arrays in it are ignored.

        Parameters
        ----------
        content
            The ``.npz`` file.

        Raises
        ------
        InvalidInput
            The content is damaged.
        """
        return cls(*read_arrays(content, ("time", "quaternion", "stable"), name="attitude"))


def is_unit(quaternion: Floats) -> Flags:
    """Return a mask of the quaternions that have unit length; NaN has not.

    Parameters
    ----------
    quaternion
        Quaternions, shape (N, 4).
    """
    with np.errstate(over="ignore"):
        length = np.sqrt((quaternion**2).sum(axis=1))
    return np.asarray(np.abs(length - 1.0) < QUATERNION_TOLERANCE)


@dataclass(frozen=True, eq=False)
class StablePointing:
    """Stable pointing of an observation.

    Attributes
    ----------
    gti
        Good time intervals, seconds of MET, shape (intervals, 2), in time order, none empty.
    mean
        Mean attitude in the GTIs (quaternion, body to ICRS).
    spread_arcsec
        Largest angle between a sample in the GTIs and the mean (rotation about any axis).
    """

    gti: Floats
    mean: Floats
    spread_arcsec: float


def stable_pointing(attitude: AttitudeHistory, start: float, stop: float) -> StablePointing:
    """Find the intervals of stable pointing between two times, and the mean attitude in them.

    The time between two samples is good if the platform reported both as stable, the motion between them is
    slower than ``max_rate_arcsec_per_s`` (for samples farther apart than ``max_gap_s``: at most
    ``max_gap_motion_arcsec``), and both are within ``max_offset_arcmin`` of the main pointing. The main
    pointing is that of the longest interval that meets the other criteria. If the attitude slews between two
    targets, only one target is therefore kept.

    The attitude alone does not show whether the instrument observed during a long gap: see `observing_time`.

    Parameters
    ----------
    attitude
        The samples.
    start, stop
        Start and stop of the observation, seconds of MET.

    Returns
    -------
    StablePointing
        If there is no GTI, the mean is that of all samples reported as stable, or of all samples if none was.

    Raises
    ------
    InvalidInput
        The attitude has no sample.
    """
    if not len(attitude):
        raise InvalidInput("attitude: no sample; expected at least one")
    held = _Held.of(attitude)
    edges = np.clip(held.time, start, stop)
    good = held.good_steps(held.stable) & (np.diff(edges) > 0.0)
    if good.any():
        main = mean_quaternion(held.quaternion, _weights(edges, _longest_run(edges, good)))
        near = _angles(main, held.quaternion) <= 60.0 * pointing_limits().stable.max_offset_arcmin
        good &= held.good_steps(held.stable & near)
    if good.any():
        weights = _weights(edges, good)
    else:
        weights = np.where(held.stable.any(), held.stable, True).astype(np.float64)
    mean = mean_quaternion(held.quaternion, weights)
    spread = _angles(mean, held.quaternion[weights > 0.0]).max()
    return StablePointing(_joined(edges, good), mean, float(spread))


def observing_time(samples: Floats, frames: Floats) -> Floats:
    """Return the intervals in which the instrument observed, judged by its samples and photons.

    Parameters
    ----------
    samples
        Times of the attitude samples, seconds of MET, in order.
    frames
        Start times of detector frames with photons, seconds of MET, in order.

    Returns
    -------
    Floats
        All time except pauses longer than ``max_gap_s`` without a sample or a photon, shape (intervals, 2).
        In such a pause the instrument was off (the background alone gives a photon every two seconds), or all
        its data were lost.
    """
    longest = pointing_limits().stable.max_gap_s
    if not (np.diff(samples) > longest).any():
        return np.array(ALL_TIME)
    signs = np.unique(np.concatenate([samples, frames, frames + instrument().detector.frame_time_s]))
    pauses = np.flatnonzero(np.diff(signs) > longest)
    return difference(ALL_TIME, np.stack([signs[pauses], signs[pauses + 1]], axis=1))


@dataclass(frozen=True, eq=False)
class _Held:
    """An attitude history extended at both ends by a copy of the first and the last sample."""

    time: Floats
    quaternion: Floats
    stable: Flags
    moves: Flags
    """Flag for each step between two samples: faster or farther than the limit."""

    @classmethod
    def of(cls, attitude: AttitudeHistory) -> _Held:
        limits, count = pointing_limits().stable, len(attitude)
        held = 0.5 * limits.max_gap_s
        time = np.concatenate([[attitude.time[0] - held], attitude.time, [attitude.time[-1] + held]])
        index = np.concatenate([[0], np.arange(count), [count - 1]])
        quaternion = attitude.quaternion[index]
        step = np.diff(time)
        farthest = np.where(
            step > limits.max_gap_s,
            limits.max_gap_motion_arcsec,
            limits.noise_arcsec + limits.max_rate_arcsec_per_s * step,
        )
        moves = _angles(quaternion[:-1], quaternion[1:]) > farthest
        if count > 1:
            # If the pointing moves at the first or the last sample, it also moved before or after it.
            moves[[0, -1]] = moves[[1, -2]]
        return cls(time, quaternion, attitude.stable[index], moves)

    def good_steps(self, usable: Flags) -> Flags:
        """Return a mask of the steps with stable pointing, given the samples that may be used."""
        return np.asarray(usable[:-1] & usable[1:] & ~self.moves)


def _weights(edges: Floats, good: Flags) -> Floats:
    """Return the good time assigned to each sample: half of the good steps on either side, seconds."""
    half = np.where(good, 0.5 * np.diff(edges), 0.0)
    return np.asarray(np.append(half, 0.0) + np.append(0.0, half))


def _angles(first: Floats, second: Floats) -> Floats:
    """Return the angles between attitudes, arcsec.

    The distance of two unit quaternions is 2 sin(angle / 4), up to the sign of one of them. Unlike their
    scalar product, it is precise for small angles.
    """
    chord = np.minimum(*(np.sqrt(((first - sign * second) ** 2).sum(axis=-1)) for sign in (1.0, -1.0)))
    return np.asarray(3600.0 * np.degrees(4.0 * np.arcsin(0.5 * chord)))


def _longest_run(edges: Floats, good: Flags) -> Flags:
    """Return the good steps that form the longest uninterrupted interval."""
    run = np.cumsum(~good)
    length = np.bincount(run, weights=np.where(good, np.diff(edges), 0.0))
    return np.asarray(good & (run == np.argmax(length)))


def _joined(edges: Floats, good: Flags) -> Floats:
    """Join good steps that touch each other into one interval."""
    flips = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]]).astype(np.int8)))
    intervals: Floats = edges[flips.reshape(-1, 2)]
    return intervals
