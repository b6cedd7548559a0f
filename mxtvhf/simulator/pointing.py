"""Simulate a moving pointing: a slew at the start of the observation, then a slow drift."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.attitude import AttitudeHistory
from mxtvhf.instrument.constants import instrument
from mxtvhf.instrument.pointing import Pointing, seen_pixels

ATTITUDE_STEP_S = 10.0
SLEW_ARCSEC_PER_S = 540.0
"""Assumed slew rate: 45 degrees in 5 minutes."""


def moving_attitude(
    pointing: Pointing, start: float, stop: float, *, slew_s: float = 0.0, drift_arcsec: float = 0.0
) -> AttitudeHistory:
    """Return the attitude samples of an observation, one every 10 s and one at its end.

    Parameters
    ----------
    pointing
        Mean pointing of the stable time.
    start, stop
        Interval of the observation, s of MET.
    slew_s
        Duration of the slew after the start, towards the position where the drift begins, seconds.
    drift_arcsec
        Drift of the boresight from there to the end of the observation, at constant rate towards "up",
        arcsec.
    """
    time = np.append(np.arange(start, stop, ATTITUDE_STEP_S), stop)
    settled = start + slew_s
    way = drift_arcsec * ((time - settled) / (stop - settled) - 0.5)
    before = time < settled
    way[before] = -0.5 * drift_arcsec - SLEW_ARCSEC_PER_S * (settled - time[before])
    # A rotation about +Y by a negative angle moves the boresight up.
    turn = Rotation.from_rotvec(np.outer(np.radians(way / 3600.0), [0.0, -1.0, 0.0]))
    return AttitudeHistory(time, (Rotation.from_quat(pointing.quaternion()) * turn).as_quat(), ~before)


def seen_with(
    attitude: AttitudeHistory, pointing: Pointing, photons: PhotonList, rng: np.random.Generator
) -> PhotonList:
    """Move photons to the pixels at which a moving telescope detects them; some leave the detector.

    Parameters
    ----------
    attitude
        Attitude of the moving telescope.
    pointing
        Pointing to which the pixel addresses of the photons refer.
    photons
        Photons to move.
    rng
        Random number generator for the position of a photon within its pixel.
    """
    x, y = (address + rng.uniform(-0.5, 0.5, len(photons)) for address in (photons.x, photons.y))
    x, y = np.rint(seen_pixels(pointing, attitude, photons.time, x, y))
    detector = instrument().detector
    # NaN, for positions far outside the field, is not a valid address either.
    there = (x >= 0) & (x < detector.columns) & (y >= 0) & (y < detector.rows)
    column, row = x[there].astype(np.int16), y[there].astype(np.int16)
    return PhotonList(photons.time[there], column, row, photons.pha[there])
