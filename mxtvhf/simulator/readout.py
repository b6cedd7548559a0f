"""The detector's readout: photons become pixel entries.

The charge of a photon is a round Gaussian cloud about the point of its pixel where it fell. Each pixel
receives the part of the cloud within its edges, so that charge near an edge is shared by two pixels and near
a corner by up to four. Charges of one pixel and frame add up, also those of several photons (pile-up). A
pixel below the threshold is not sent; its charge is lost. How many photons are split by their energy follows
from the size of the cloud and the threshold (``readout.toml``).

Left out: the noise of the further pixels, charge transfer losses, photons that arrive during the frame
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
"""Photons whose charge is shared at once."""


class ChargeSharing(SourcedConstants):
    """How the charge of a photon spreads over the pixels."""

    cloud_sigma_um: float = Field(ge=0.1, le=30.0)
    threshold_kev: float = Field(ge=0.0, le=1.0)


class ReadoutConstants(Constants):
    """``readout.toml``."""

    charge_sharing: ChargeSharing


@cache
def readout_constants() -> ReadoutConstants:
    """Return how the simulated detector reads out; see the file for the sources."""
    return read_toml(Path(__file__).with_name("readout.toml"), ReadoutConstants)


def read_out(
    photons: PhotonList,
    rng: np.random.Generator,
    *,
    gain: Gain,
    bad_pixels: RawMask | None = None,
    sharing: ChargeSharing | None = None,
) -> PhotonList:
    """Return the pixel entries that the detector sends of photons.

    Parameters
    ----------
    photons
        One entry for each photon: the pixel in which it fell and the pulse height of its whole charge.
    rng
        Draws where in its pixel each photon fell.
    gain
        Turns the threshold into a pulse height.
    bad_pixels
        True for pixels that send nothing. By default all send.
    sharing
        By default that of ``readout.toml``.

    Returns
    -------
    PhotonList
        In time order, of each frame in the order of rows and columns; at most one entry of a pixel and frame.
        A charge above the last channel is sent as that one.
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
    """Return the number of each photon's frame, counted over frames with photons, and the frames' times."""
    frames, number = np.unique(time, return_inverse=True)
    return number, frames


def _shares(
    photons: PhotonList,
    frame: npt.NDArray[np.intp],
    block: slice,
    sharing: ChargeSharing,
    rng: np.random.Generator,
) -> tuple[npt.NDArray[np.int64], Floats]:
    """Return the parts of the charge of some photons: frame and pixel as one number, and pulse height."""
    detector = instrument().detector
    pha = photons.pha[block]
    sigma = 1e-3 * sharing.cloud_sigma_um / detector.pixel_size_mm
    inside = rng.uniform(-0.5, 0.5, (2, len(pha), 1))
    # Edges of the pixel before, the pixel itself and the next one, about the pixel's centre.
    below = ndtr((np.array([-1.5, -0.5, 0.5, 1.5]) - inside) / sigma)
    in_x, in_y = np.diff(below, axis=-1)
    charge = pha[:, None, None] * in_y[:, :, None] * in_x[:, None, :]
    step = np.arange(-1, 2)
    y = (photons.y[block].astype(np.int64)[:, None] + step)[:, :, None]
    x = (photons.x[block].astype(np.int64)[:, None] + step)[:, None, :]
    on_detector = (y >= 0) & (y < detector.rows) & (x >= 0) & (x < detector.columns)
    # What rounds to no channel even where four photons meet is left out here: most of the nine pixels.
    some = on_detector & (charge > 0.1)
    key = (frame[block].astype(np.int64)[:, None, None] * detector.rows + y) * detector.columns + x
    return key[some], charge[some]
