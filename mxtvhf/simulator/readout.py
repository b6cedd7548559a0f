"""Simulate the detector readout, which converts photons to pixel entries.

The charge of a photon is a circular Gaussian cloud about its point of impact. Each pixel receives the
fraction of the cloud within its edges, so that charge near an edge is shared by two pixels and near a corner
by up to four. Charges in one pixel and frame add up, also those of several photons (pile-up). A pixel below
the threshold is not sent, and its charge is lost. The fraction of split events as a function of energy
follows from the size of the cloud and the threshold (``readout.toml``).

Not simulated: noise of the neighbouring pixels, charge transfer losses, and photons during the frame
transfer.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy.special import ndtr

from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.calibration import Gain
from mxtvhf.instrument.constants import instrument
from mxtvhf.instrument.pixels import RawMask
from mxtvhf.models.arrays import Floats
from mxtvhf.models.toml import Constants, SourcedConstants, read_toml

_BLOCK = 65_536
"""Number of photons processed at a time."""


class ChargeSharing(SourcedConstants):
    """Charge sharing between pixels."""

    cloud_sigma_um: float = Field(ge=0.1, le=30.0)
    threshold_kev: float = Field(ge=0.0, le=1.0)


class ReadoutConstants(Constants):
    """Contents of ``readout.toml``."""

    charge_sharing: ChargeSharing


@cache
def readout_constants() -> ReadoutConstants:
    """Return the readout constants of the simulated detector; the TOML file gives their sources."""
    return read_toml(Path(__file__).with_name("readout.toml"), ReadoutConstants)


def read_out(
    photons: PhotonList,
    rng: np.random.Generator,
    *,
    gain: Gain,
    bad_pixels: RawMask | None = None,
    sharing: ChargeSharing | None = None,
) -> PhotonList:
    """Return the pixel entries that the detector sends for photons.

    Parameters
    ----------
    photons
        Photons with the pixel of impact and the pulse height of the total charge.
    rng
        Random number generator for the points of impact within the pixels.
    gain
        Gain, which converts the threshold to a pulse height.
    bad_pixels
        True for pixels that send nothing; by default none.
    sharing
        Charge sharing; by default that of ``readout.toml``.

    Returns
    -------
    PhotonList
        Entries in time order, within a frame by row and column; at most one entry per pixel and frame. A
        charge above the last channel is sent as that channel.
    """
    sharing = sharing or readout_constants().charge_sharing
    detector, energy = instrument().detector, instrument().energy
    frame, time = _frames(photons.time)
    parts = [
        _shares(photons, frame, slice(first, first + _BLOCK), sharing, rng)
        for first in range(0, max(len(photons), 1), _BLOCK)
    ]
    key, charge = (np.concatenate(column) for column in zip(*parts, strict=True))
    key, entry = np.unique(key, return_inverse=True)
    pha = np.rint(np.bincount(entry, charge, minlength=len(key)))
    frame, pixel = np.divmod(key, detector.rows * detector.columns)
    y, x = np.divmod(pixel, detector.columns)
    sent = pha >= max((sharing.threshold_kev - gain.energy(0)) / (gain.energy(1) - gain.energy(0)), 1.0)
    if bad_pixels is not None:
        sent &= ~bad_pixels[y, x]
    return PhotonList(
        time[frame[sent]],
        x[sent].astype(np.int16),
        y[sent].astype(np.int16),
        np.minimum(pha[sent], energy.pha_channels - 1).astype(np.int32),
    )


def _frames(time: Floats) -> tuple[npt.NDArray[np.intp], Floats]:
    """Return the frame number of each photon, counting only frames with photons, and the frame times."""
    frames, number = np.unique(time, return_inverse=True)
    return number, frames


def _shares(
    photons: PhotonList,
    frame: npt.NDArray[np.intp],
    block: slice,
    sharing: ChargeSharing,
    rng: np.random.Generator,
) -> tuple[npt.NDArray[np.int64], Floats]:
    """Return the charge fractions of photons: combined number of frame and pixel, and pulse height."""
    detector = instrument().detector
    pha = photons.pha[block]
    sigma = 1e-3 * sharing.cloud_sigma_um / detector.pixel_size_mm
    inside = rng.uniform(-0.5, 0.5, (2, len(pha), 1))
    # Edges of the previous pixel, the pixel itself and the next one, relative to the pixel centre.
    below = ndtr((np.array([-1.5, -0.5, 0.5, 1.5]) - inside) / sigma)
    in_x, in_y = np.diff(below, axis=-1)
    charge = pha[:, None, None] * in_y[:, :, None] * in_x[:, None, :]
    step = np.arange(-1, 2)
    y = (photons.y[block].astype(np.int64)[:, None] + step)[:, :, None]
    x = (photons.x[block].astype(np.int64)[:, None] + step)[:, None, :]
    on_detector = (y >= 0) & (y < detector.rows) & (x >= 0) & (x < detector.columns)
    # Most of the nine pixels are dropped here: charges that round to zero even if four photons add up.
    some = on_detector & (charge > 0.1)
    key = (frame[block].astype(np.int64)[:, None, None] * detector.rows + y) * detector.columns + x
    return key[some], charge[some]
