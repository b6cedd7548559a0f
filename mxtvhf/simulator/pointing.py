"""A pointing that moves: a slew at the start of the observation, then a slow drift; and what it sees."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.attitude import AttitudeHistory
from mxtvhf.instrument.constants import instrument
from mxtvhf.instrument.pointing import Pointing, seen_pixels

ATTITUDE_STEP_S = 10.0
SLEW_ARCSEC_PER_S = 540.0
"""Assumed: 45 degrees in 5 minutes."""


def moving_attitude(
    pointing: Pointing, start: float, stop: float, *, slew_s: float = 0.0, drift_arcsec: float = 0.0
) -> AttitudeHistory:
    """Return the samples of an observation, one each 10 s and one at its end.

    Parameters
    ----------
    pointing
        The mean one of the stable time.
    start, stop
        Of the observation, MET seconds.
    slew_s
        So long after the start the platform still slews, towards where the drift begins.
    drift_arcsec
        Way of the boresight from there to the end of the observation, at one rate; towards "up".
    """
    time = np.append(np.arange(start, stop, ATTITUDE_STEP_S), stop)
    settled = start + slew_s
    way = drift_arcsec * ((time - settled) / (stop - settled) - 0.5)
    before = time < settled
    way[before] = -0.5 * drift_arcsec - SLEW_ARCSEC_PER_S * (settled - time[before])
    # A turn about +Y by a negative angle moves the boresight up.
    turn = Rotation.from_rotvec(np.outer(np.radians(way / 3600.0), [0.0, -1.0, 0.0]))
    return AttitudeHistory(time, (Rotation.from_quat(pointing.quaternion()) * turn).as_quat(), ~before)


def seen_with(
    attitude: AttitudeHistory, pointing: Pointing, photons: PhotonList, rng: np.random.Generator
) -> PhotonList:
    """Move photons of the sky to where a moving telescope sees them; some fall off the detector.

    Parameters
    ----------
    pointing
        The one for which the photons have their addresses.
    rng
        Draws where in its pixel a photon was.
    """
    x, y = (address + rng.uniform(-0.5, 0.5, len(photons)) for address in (photons.x, photons.y))
    x, y = np.rint(seen_pixels(pointing, attitude, photons.time, x, y))
    detector = instrument().detector
    # NaN, far outside of the field, is no address either.
    there = (x >= 0) & (x < detector.columns) & (y >= 0) & (y < detector.rows)
    column, row = x[there].astype(np.int16), y[there].astype(np.int16)
    return PhotonList(photons.time[there], column, row, photons.pha[there])
