"""Pointing of the telescope: boresight, and transformation between detector and sky.

Conventions:

* Attitudes rotate vectors of the satellite's body frame into ICRS; see ``attitude``.
* Body frame: +X is the boresight, +Z is "up" on the sky, +Y completes it (left of up, seen from inside:
  East when up is North).
* Roll is the position angle of +Z on the sky, from North through East, degrees.
* Pixels are 0-based and continuous: pixel i covers i-0.5 .. i+0.5.
* The detector is the tangent plane of the sky (gnomonic, TAN): a pixel at a distance d from the boresight
  pixel sees the angle arctan(d pixel_size / focal_length) from the boresight.

The body axes are an assumption. The orientation of the detector in the body frame is a calibration item, the
``Alignment``. Formulae: Calabretta & Greisen 2002, A&A 395, 1077, sections 2.4 and 5.1.3.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import cos, radians, sin

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from mxtvhf.instrument.attitude import AttitudeHistory, Flags
from mxtvhf.instrument.calibration import Alignment, default_calibration
from mxtvhf.instrument.constants import instrument
from mxtvhf.instrument.quaternions import rotation_matrices
from mxtvhf.models.arrays import Floats

_BLOCK = 8192
"""Number of photons projected at a time; their intermediate results stay in the processor's cache."""


@dataclass(frozen=True)
class Pointing:
    """A fixed pointing: boresight (ICRS) and roll in degrees, and the alignment of the detector."""

    ra_deg: float
    dec_deg: float
    roll_deg: float
    alignment: Alignment = field(default_factory=lambda: default_calibration().alignment, repr=False)
    """Alignment of the detector with the boresight; by default the latest one of the package."""

    @classmethod
    def from_quaternion(cls, quaternion: npt.ArrayLike, alignment: Alignment | None = None) -> Pointing:
        """Return the pointing of one attitude.

        Parameters
        ----------
        quaternion
            Body to ICRS, scalar last, shape (4,).
        alignment
            Alignment of the detector; None: the latest one of the package.
        """
        matrix = rotation_matrices(np.atleast_2d(quaternion))[..., 0]
        x, y, z = matrix[:, 0]
        ra, dec = np.arctan2(y, x), np.arctan2(z, np.hypot(x, y))
        _, east, north = _sky_axes(ra, dec).T
        up = matrix[:, 2]
        roll = np.degrees(np.arctan2(up @ east, up @ north))
        alignment = alignment or default_calibration().alignment
        return cls(_wrapped(np.degrees(ra)).item(), float(np.degrees(dec)), _wrapped(roll).item(), alignment)

    def quaternion(self) -> Floats:
        """Return the attitude of this pointing; see ``quaternion_of``."""
        return quaternion_of(self.ra_deg, self.dec_deg, self.roll_deg)

    def pixel_to_sky(self, x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Return right ascension (0 <= ra < 360) and declination of detector pixels, degrees ICRS.

        Parameters
        ----------
        x, y
            0-based continuous column and row, any shape.
        """
        (a, b), (c, d) = self._plane_per_pixel()
        column, row = self.alignment.column, self.alignment.row
        dx, dy = np.asarray(x, float) - column, np.asarray(y, float) - row
        xi, eta = a * dx + b * dy, c * dx + d * dy
        dec0 = radians(self.dec_deg)
        towards = cos(dec0) - eta * sin(dec0)
        ra = self.ra_deg + np.degrees(np.arctan2(xi, towards))
        dec = np.degrees(np.arctan2(sin(dec0) + eta * cos(dec0), np.hypot(xi, towards)))
        return _wrapped(ra), dec

    def sky_to_pixel(self, ra_deg: npt.ArrayLike, dec_deg: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Return 0-based continuous column and row of sky positions; NaN for the opposite hemisphere.

        A position outside the field gives a pixel outside the detector.

        Parameters
        ----------
        ra_deg, dec_deg
            ICRS positions, degrees, any shape.
        """
        xi, eta = self._to_plane(np.asarray(ra_deg, float), np.asarray(dec_deg, float))
        (a, b), (c, d) = np.linalg.inv(self._plane_per_pixel())
        column, row = self.alignment.column, self.alignment.row
        return column + a * xi + b * eta, row + c * xi + d * eta

    def plane_coordinates(self, x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Return tangent-plane offsets of detector pixels from the boresight, degrees East and North.

        Parameters
        ----------
        x, y
            0-based continuous column and row, any shape.
        """
        column, row = self.alignment.column, self.alignment.row
        (a, b), (c, d) = np.degrees(self._plane_per_pixel())
        dx, dy = np.asarray(x, float) - column, np.asarray(y, float) - row
        return a * dx + b * dy, c * dx + d * dy

    def _plane_per_pixel(self) -> Floats:
        """Return the matrix from pixels to the tangent plane (xi East, eta North; radians at the centre)."""
        return _plane_per_pixel(self.alignment, self.roll_deg)

    def _to_plane(self, ra_deg: Floats, dec_deg: Floats) -> tuple[Floats, Floats]:
        """Apply the gnomonic projection; NaN for positions 90 degrees or more from the boresight."""
        dra, dec, dec0 = np.radians(ra_deg - self.ra_deg), np.radians(dec_deg), radians(self.dec_deg)
        towards = sin(dec0) * np.sin(dec) + cos(dec0) * np.cos(dec) * np.cos(dra)
        towards = np.where(towards > 0, towards, np.nan)
        east = np.cos(dec) * np.sin(dra)
        north = cos(dec0) * np.sin(dec) - sin(dec0) * np.cos(dec) * np.cos(dra)
        return east / towards, north / towards


def quaternion_of(ra_deg: float, dec_deg: float, roll_deg: float) -> Floats:
    """Return the attitude of a boresight position and roll: body to ICRS, scalar last, w >= 0.

    Parameters
    ----------
    ra_deg, dec_deg
        Boresight, ICRS degrees.
    roll_deg
        Position angle of the body axis +Z, from North through East, degrees.
    """
    axes = _body_axes(ra_deg, dec_deg, roll_deg)
    quaternion: Floats = Rotation.from_matrix(axes).as_quat(canonical=True)
    return quaternion


def drift_corrected_pixels(
    pointing: Pointing, attitude: AttitudeHistory, time: Floats, x: npt.ArrayLike, y: npt.ArrayLike
) -> tuple[Floats, Floats]:
    """Return the detector positions that photons would have had at one fixed pointing.

    The direction of each photon's pixel, computed with the attitude at the photon's time, is projected
    (gnomonic) onto the detector at the fixed pointing. ``pointing.pixel_to_sky`` of the result gives the
    direction of origin.

    Parameters
    ----------
    pointing
        The fixed pointing, usually the mean pointing.
    attitude
        Attitude with at least one sample.
    time
        Times of the photons, seconds of MET, shape (N,); faster if photons with equal times are adjacent.
    x, y
        0-based continuous columns and rows at which the photons were detected, shape (N,).

    Returns
    -------
    tuple
        Continuous columns and rows, which may lie outside the detector; NaN if the pixel pointed 90 degrees
        or more away from the fixed pointing.

    Raises
    ------
    InvalidInput
        The attitude has no sample.
    """
    return _projected(_steady_maps(pointing, attitude, time), time, x, y)


def seen_pixels(
    pointing: Pointing, attitude: AttitudeHistory, time: Floats, x: npt.ArrayLike, y: npt.ArrayLike
) -> tuple[Floats, Floats]:
    """Return the detector positions of photons that fall on ``x``, ``y`` at a fixed pointing.

    The inverse of `drift_corrected_pixels`.

    Parameters
    ----------
    pointing, attitude, time
        Same as for `drift_corrected_pixels`.
    x, y
        0-based continuous columns and rows at the fixed pointing, shape (N,).

    Raises
    ------
    InvalidInput
        The attitude has no sample.
    """
    maps = np.moveaxis(_steady_maps(pointing, attitude, time), -1, 0)
    back = np.asarray(np.linalg.inv(maps), np.float64)
    return _projected(np.moveaxis(back, 0, -1), time, x, y)


def exposure_map(pointing: Pointing, attitude: AttitudeHistory, moments: Floats, good: Flags) -> Floats:
    """Return the exposure map at a fixed pointing: the fraction of time that good pixels covered each pixel.

    Parameters
    ----------
    pointing, attitude
        Same as for ``drift_corrected_pixels``.
    moments
        Sampling times, seconds of MET, shape (M,), at least one, spread evenly over the GTIs.
    good
        Pixels of the detector that are good, ``[row, column]``.

    Returns
    -------
    numpy.ndarray
        Fractions 0..1, with the shape of ``good``.
    """
    back = np.linalg.inv(np.moveaxis(_steady_maps(pointing, attitude, moments), -1, 0)).astype(np.float32)
    rows, columns = good.shape
    row, column = np.indices(good.shape, dtype=np.float32).reshape(2, -1)
    places = np.stack([np.ones_like(row), column, row])
    # The area outside the detector is a border of pixels that are not good.
    framed = np.pad(good, 1).ravel().view(np.int8)
    looking = np.zeros(good.size, np.int32)
    for towards, x, y in back @ places:
        towards[towards <= 0.0] = np.nan
        # Unlike clip, fmin and fmax replace NaN by one of the limits.
        across = np.fmin(np.fmax(np.rint(x / towards), -1.0), columns)
        up = np.fmin(np.fmax(np.rint(y / towards), -1.0), rows)
        looking += framed.take(((up + 1.0) * (columns + 2) + across + 1.0).astype(np.intp))
    return (looking / len(back)).reshape(good.shape)


def image_pixels(
    pointing: Pointing, attitude: AttitudeHistory, time: Floats, x: npt.ArrayLike, y: npt.ArrayLike,
    *, centre: float, scale_deg: float,
) -> tuple[Floats, Floats]:  # fmt: skip
    """Return the positions of photons on a TAN sky image about the boresight, North up, East left.

    Parameters
    ----------
    pointing
        Pointing whose boresight is the reference position of the image, with the alignment of the detector.
    attitude, time, x, y
        Same as for ``drift_corrected_pixels``.
    centre
        Pixel of the boresight on both axes.
    scale_deg
        Size of a pixel there, degrees.

    Returns
    -------
    tuple
        Same as for ``drift_corrected_pixels``, but in pixels of the image.
    """
    scale = radians(scale_deg)
    per_pixel = np.array([[1.0, 0.0, 0.0], [scale * centre, -scale, 0.0], [-scale * centre, 0.0, scale]])
    axes = _sky_axes(radians(pointing.ra_deg), radians(pointing.dec_deg))
    return _projected(_maps(axes @ per_pixel, pointing.alignment, attitude, time), time, x, y)


def _steady_maps(pointing: Pointing, attitude: AttitudeHistory, time: Floats) -> Floats:
    axes = _body_axes(pointing.ra_deg, pointing.dec_deg, pointing.roll_deg)
    alignment = pointing.alignment
    return _maps(axes @ _body_per_pixel(alignment), alignment, attitude, time)


def _maps(to_sky: Floats, alignment: Alignment, attitude: AttitudeHistory, time: Floats) -> Floats:
    """Return the maps from raw pixels to pixels of a fixed plane, one per distinct time, shape (3, 3, times).

    A rotation between two tangent planes is a projective map: three numbers linear in (1, x, y); the last two
    divided by the first give the new pixel.

    Parameters
    ----------
    to_sky
        Matrix from (1, x, y) of the fixed plane to a vector in ICRS.
    """
    turned = rotation_matrices(attitude.at(time[_is_new(time)]))
    from_sky = np.linalg.inv(to_sky) @ turned.reshape(3, -1)
    return np.asarray(_body_per_pixel(alignment).T @ from_sky.reshape(3, 3, -1))


def _is_new(time: Floats) -> Flags:
    """Return a mask of the times that differ from the one before."""
    return np.append(True, time[1:] != time[:-1])[: len(time)]


def _projected(maps: Floats, time: Floats, x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Apply the map of its time to each photon."""
    x, y = np.asarray(x), np.asarray(y)
    index = np.cumsum(_is_new(time), dtype=np.intp) - 1
    across, up = np.empty((2, len(time)))
    for start in range(0, len(time), _BLOCK):
        part = slice(start, start + _BLOCK)
        terms = maps.take(index[part], axis=-1)
        terms[:, 1] *= x[part]
        terms[:, 2] *= y[part]
        towards, across[part], up[part] = terms.sum(axis=1)
        towards[towards <= 0.0] = np.nan
        across[part] /= towards
        up[part] /= towards
    return across, up


def _plane_per_pixel(alignment: Alignment, roll_deg: float) -> Floats:
    this = instrument()
    scale = this.detector.pixel_size_mm / this.optics.focal_length_mm
    angle = radians(roll_deg + alignment.rotation_deg)
    across = scale * alignment.column_parity
    return np.array([[across * cos(angle), scale * sin(angle)], [-across * sin(angle), scale * cos(angle)]])


def _body_per_pixel(alignment: Alignment) -> Floats:
    """Return the matrix from (1, column, row) to the body frame; East is left (+Y), North is up (+Z)."""
    matrix = np.zeros((3, 3))
    matrix[0, 0] = 1.0
    matrix[1:, 1:] = _plane_per_pixel(alignment, 0.0)
    matrix[1:, 0] = -matrix[1:, 1:] @ (alignment.column, alignment.row)
    return matrix


def _body_axes(ra_deg: float, dec_deg: float, roll_deg: float) -> Floats:
    """Return the unit vectors of the body axes (boresight, left, up) in ICRS as columns."""
    boresight, east, north = _sky_axes(radians(ra_deg), radians(dec_deg)).T
    roll = radians(roll_deg)
    up = cos(roll) * north + sin(roll) * east
    left = cos(roll) * east - sin(roll) * north
    return np.stack([boresight, left, up], axis=1)


def _sky_axes(ra: float, dec: float) -> Floats:
    """Return the unit vectors towards a position (radians), East and North as columns."""
    return np.array(
        [
            [cos(dec) * cos(ra), -sin(ra), -sin(dec) * cos(ra)],
            [cos(dec) * sin(ra), cos(ra), -sin(dec) * sin(ra)],
            [sin(dec), 0.0, cos(dec)],
        ]
    )


def _wrapped(angle: npt.ArrayLike) -> Floats:
    """Wrap degrees to 0 <= angle < 360; -1e-20 must not become 360."""
    wrapped = np.mod(angle, 360.0)
    return np.where(wrapped == 360.0, 0.0, wrapped)
