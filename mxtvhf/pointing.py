"""Where the telescope looks: attitude, boresight, detector to sky and back.

Conventions, once and for all:

* A quaternion is scalar last (x, y, z, w) and rotates vectors of the satellite's body frame into ICRS.
* Body frame: +X is the boresight, +Z is "up" on the sky, +Y completes it (left of up, seen from inside:
  East when up is North).
* Roll is the position angle of +Z on the sky, from North through East, degrees.
* Pixels are 0-based and continuous: pixel i covers i-0.5 .. i+0.5.
* The detector is the tangent plane of the sky (gnomonic, TAN): a pixel at a distance d from the boresight
  pixel sees the angle arctan(d pixel_size / focal_length) from the boresight.

The body axes are an assumption. How the detector lies in the body frame is calibration: an ``Alignment``.
Formulae: Calabretta & Greisen 2002, A&A 395, 1077, sections 2.4 and 5.1.3.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from io import BytesIO
from math import cos, degrees, radians, sin
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from mxtvhf.calibration import Alignment, default_calibration
from mxtvhf.errors import InvalidInput
from mxtvhf.instrument import instrument

Floats = npt.NDArray[np.float64]


@cache
def _limits() -> dict[str, Any]:
    return tomllib.loads((files("mxtvhf") / "data" / "pointing.toml").read_text())


@dataclass(frozen=True, eq=False)
class AttitudeHistory:
    """Attitude samples in time order.

    Attributes
    ----------
    time
        Seconds of mission elapsed time, shape (N,).
    quaternion
        Body to ICRS, scalar last, unit length, shape (N, 4).
    stable
        True where the platform said that it points stably, shape (N,).
    """

    time: Floats
    quaternion: Floats
    stable: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.time)

    def to_bytes(self) -> bytes:
        """Return the history as a numpy ``.npz`` file."""
        file = BytesIO()
        np.savez(file, time=self.time, quaternion=self.quaternion, stable=self.stable)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> AttitudeHistory:
        """Read what ``to_bytes`` wrote."""
        with np.load(BytesIO(content), allow_pickle=False) as columns:
            return cls(columns["time"], columns["quaternion"], columns["stable"])


@dataclass(frozen=True)
class Pointing:
    """A fixed pointing: the boresight in ICRS and the roll about it, degrees."""

    ra_deg: float
    dec_deg: float
    roll_deg: float
    alignment: Alignment = field(default_factory=lambda: default_calibration().alignment, repr=False)
    """How the detector lies about the boresight; by default the package's latest."""

    @classmethod
    def from_quaternion(cls, quaternion: npt.ArrayLike) -> Pointing:
        """Return the pointing of one attitude (body to ICRS, scalar last)."""
        matrix = Rotation.from_quat(quaternion).as_matrix()
        x, y, z = matrix[:, 0]
        ra, dec = np.arctan2(y, x), np.arctan2(z, np.hypot(x, y))
        _, east, north = _sky_axes(ra, dec).T
        up = matrix[:, 2]
        roll = np.degrees(np.arctan2(up @ east, up @ north))
        return cls(_wrapped(np.degrees(ra)).item(), float(np.degrees(dec)), _wrapped(roll).item())

    def quaternion(self) -> Floats:
        """Return the attitude of this pointing; see ``quaternion_of``."""
        return quaternion_of(self.ra_deg, self.dec_deg, self.roll_deg)

    def pixel_to_sky(self, x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Right ascension (0 <= ra < 360) and declination of detector pixels, degrees ICRS.

        Parameters
        ----------
        x, y
            0-based continuous column and row, any shape.
        """
        (a, b), (c, d) = self._plane_per_pixel()
        dx = np.asarray(x, float) - self.alignment.column
        dy = np.asarray(y, float) - self.alignment.row
        xi, eta = a * dx + b * dy, c * dx + d * dy
        dec0 = radians(self.dec_deg)
        towards = cos(dec0) - eta * sin(dec0)
        ra = self.ra_deg + np.degrees(np.arctan2(xi, towards))
        dec = np.degrees(np.arctan2(sin(dec0) + eta * cos(dec0), np.hypot(xi, towards)))
        return _wrapped(ra), dec

    def sky_to_pixel(self, ra_deg: npt.ArrayLike, dec_deg: npt.ArrayLike) -> tuple[Floats, Floats]:
        """0-based continuous column and row of sky positions; NaN for the far half of the sky.

        A position outside the field gives a pixel outside the detector.
        """
        xi, eta = self._to_plane(np.asarray(ra_deg, float), np.asarray(dec_deg, float))
        (a, b), (c, d) = np.linalg.inv(self._plane_per_pixel())
        return self.alignment.column + a * xi + b * eta, self.alignment.row + c * xi + d * eta

    def plane_coordinates(self, x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Offsets of detector pixels from the boresight in the tangent plane, degrees East and North."""
        offset = np.stack(
            [np.asarray(x, float) - self.alignment.column, np.asarray(y, float) - self.alignment.row]
        )
        east, north = np.degrees(self._plane_per_pixel()) @ offset
        return east, north

    def _plane_per_pixel(self) -> Floats:
        """Matrix from pixels to the tangent plane (xi East, eta North; unit: radians at the centre)."""
        this = instrument()
        scale = this["detector"]["pixel_size_mm"] / this["optics"]["focal_length_mm"]
        angle = radians(self.roll_deg + self.alignment.rotation_deg)
        across = scale * self.alignment.column_parity
        return np.array(
            [[across * cos(angle), scale * sin(angle)], [-across * sin(angle), scale * cos(angle)]]
        )

    def _to_plane(self, ra_deg: Floats, dec_deg: Floats) -> tuple[Floats, Floats]:
        """Gnomonic projection; NaN where the position is 90 degrees or more from the boresight."""
        dra, dec, dec0 = np.radians(ra_deg - self.ra_deg), np.radians(dec_deg), radians(self.dec_deg)
        towards = sin(dec0) * np.sin(dec) + cos(dec0) * np.cos(dec) * np.cos(dra)
        towards = np.where(towards > 0, towards, np.nan)
        east = np.cos(dec) * np.sin(dra)
        north = cos(dec0) * np.sin(dec) - sin(dec0) * np.cos(dec) * np.cos(dra)
        return east / towards, north / towards


@dataclass(frozen=True)
class FixedPointing:
    """One pointing for a whole observation, and how well the samples agree with it."""

    pointing: Pointing
    spread_arcsec: float
    """Largest angle between a stable sample and the mean attitude (rotation about any axis)."""
    steady: bool
    """False: the samples spread by more than ``data/pointing.toml`` allows."""


def fixed_pointing(attitude: AttitudeHistory) -> FixedPointing:
    """Return the mean attitude of the stable samples.

    Raises
    ------
    InvalidInput
        No sample is stable.
    """
    if not attitude.stable.any():
        raise InvalidInput(f"attitude: none of the {len(attitude)} samples is of stable pointing")
    rotations = Rotation.from_quat(attitude.quaternion[attitude.stable])
    mean = rotations.mean()
    spread = 3600.0 * degrees((mean.inv() * rotations).magnitude().max())
    steady = spread <= _limits()["steady"]["spread_arcsec"]
    return FixedPointing(Pointing.from_quaternion(mean.as_quat()), spread, steady)


def quaternion_of(ra_deg: float, dec_deg: float, roll_deg: float) -> Floats:
    """Attitude (body to ICRS, scalar last, w >= 0) that looks at a position with a roll, degrees."""
    boresight, east, north = _sky_axes(radians(ra_deg), radians(dec_deg)).T
    roll = radians(roll_deg)
    up = cos(roll) * north + sin(roll) * east
    left = cos(roll) * east - sin(roll) * north
    quaternion: Floats = Rotation.from_matrix(np.stack([boresight, left, up], axis=1)).as_quat(canonical=True)
    return quaternion


def stable_intervals(attitude: AttitudeHistory, start: float, stop: float) -> Floats:
    """Good time intervals: when the pointing was stable between two times.

    A sample holds until the next one; the first holds also before, the last also after.

    Parameters
    ----------
    attitude
        The samples.
    start, stop
        The time span of the observation, seconds of MET.

    Returns
    -------
    array
        Shape (intervals, 2), start and stop, in time order; no empty intervals.
    """
    change = np.flatnonzero(np.diff(attitude.stable)) + 1
    edges = np.clip([start, *attitude.time[change], stop], start, stop)
    state = attitude.stable[np.append(0, change)]
    intervals = np.stack([edges[:-1], edges[1:]], axis=1)[state]
    kept: Floats = intervals[intervals[:, 1] > intervals[:, 0]]
    return kept


def _sky_axes(ra: float, dec: float) -> Floats:
    """Columns: unit vectors towards a position (radians), East and North there."""
    return np.array(
        [
            [cos(dec) * cos(ra), -sin(ra), -sin(dec) * cos(ra)],
            [cos(dec) * sin(ra), cos(ra), -sin(dec) * sin(ra)],
            [sin(dec), 0.0, cos(dec)],
        ]
    )


def _wrapped(angle: npt.ArrayLike) -> Floats:
    """Degrees in 0 <= angle < 360; -1e-20 must not become 360."""
    wrapped = np.mod(angle, 360.0)
    return np.where(wrapped == 360.0, 0.0, wrapped)
