"""Simulated on-board localisation: cross-correlation of the photons with the PSF.

The method is that of Hussein et al. 2022 (arXiv 2209.13330): the image of all photons is correlated with the
PSF, and the source is in the pixel with the highest correlation. The method uses neither the energies and
times of the photons nor a background model, so its scatter is larger than that of a fit, see
``ONBOARD_EXCESS``.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import fft

from mxtvhf.events.onboard_file import OnboardMessage, OnboardSource
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.attitude import AttitudeHistory
from mxtvhf.instrument.calibration import Calibration
from mxtvhf.instrument.constants import instrument, pixel_scale_arcsec
from mxtvhf.instrument.pointing import Pointing, drift_corrected_pixels
from mxtvhf.instrument.psf import LobsterEyePsf, detector_pixels
from mxtvhf.localisation.position import localise
from mxtvhf.models.arrays import Floats

ONBOARD_EXCESS = 1.2
"""Ratio of the error of the on-board cross-correlation to that of a likelihood fit
(``docs/decisions/localisation-method.md``)."""
FIRST_RESULT_S = 30.0
"""Assumed time of the first result, seconds; each further result takes twice as long as the one before."""
NOISE_ARCSEC = 4.0
"""Additional error of an on-board position per axis: one star tracker sample, as in
``instrument/pointing.toml``."""


def onboard_results(
    photons: PhotonList,
    attitude: AttitudeHistory,
    pointing: Pointing,
    calibration: Calibration,
    *,
    rng: np.random.Generator,
    offset_arcsec: float = 0.0,
) -> list[OnboardMessage]:
    """Return on-board results at increasing times, the last one at the end of the observation.

    Parameters
    ----------
    photons
        Photons as read out, in time order.
    attitude
        Attitude of the observation; photons from its first stable sample on are used.
    pointing
        Mean pointing of the stable time.
    calibration
        Calibration of the instrument.
    rng
        Random number generator of the noise.
    offset_arcsec
        Common offset of all positions, in one random direction.

    Returns
    -------
    list
        Results in time order; a result has no source if the photons show none.
    """
    start, stop = float(attitude.time[attitude.stable][0]), float(attitude.time[-1])
    moments = [start + FIRST_RESULT_S]
    while moments[-1] < stop:
        moments.append(start + 2.0 * (moments[-1] - start))
    direction = rng.uniform(0.0, 2.0 * np.pi)
    shift = offset_arcsec / pixel_scale_arcsec() * np.array([np.cos(direction), np.sin(direction)])
    photons = _steady(photons, attitude, pointing, start)
    psf = LobsterEyePsf.of(calibration.psf)
    return [
        OnboardMessage(
            met=moment,
            sources=_sources(photons.selected(photons.time < moment), pointing, psf, calibration, shift, rng),
        )
        for moment in (*moments[:-1], stop)
    ]


def correlation_peak(column: npt.ArrayLike, row: npt.ArrayLike, psf: LobsterEyePsf) -> tuple[int, int]:
    """Return column and row of the pixel with the highest correlation of image and PSF.

    Parameters
    ----------
    column, row
        Pixel addresses of the photons, 0..255.
    psf
        PSF used on board.
    """
    size = detector_pixels()
    image = np.zeros((size, size))
    np.add.at(image, (np.asarray(row), np.asarray(column)), 1.0)
    doubled = (2 * size, 2 * size)
    agreement = fft.irfft2(fft.rfft2(image, s=doubled) * _transform(psf), s=doubled)[:size, :size]
    best_row, best_column = divmod(int(agreement.argmax()), size)
    return best_column, best_row


@cache
def _transform(psf: LobsterEyePsf) -> npt.NDArray[np.complex128]:
    """Return the conjugate transform of the PSF, twice as large as the field to avoid wrap-around."""
    size = detector_pixels()
    offset = np.arange(2 * size)
    offset[size:] -= 2 * size
    profile = psf.profile(offset)
    return np.asarray(fft.rfft2(np.outer(profile, profile)).conj())


def _steady(photons: PhotonList, attitude: AttitudeHistory, pointing: Pointing, start: float) -> PhotonList:
    """Return the photons from ``start`` on, at drift-corrected positions."""
    photons = photons.selected(photons.time >= start)
    x, y = np.rint(drift_corrected_pixels(pointing, attitude, photons.time, photons.x, photons.y))
    size = detector_pixels()
    there = (x >= 0) & (x < size) & (y >= 0) & (y < size)
    column, row = x[there].astype(np.int16), y[there].astype(np.int16)
    return PhotonList(photons.time[there], column, row, photons.pha[there])


def _sources(
    photons: PhotonList,
    pointing: Pointing,
    psf: LobsterEyePsf,
    calibration: Calibration,
    shift: Floats,
    rng: np.random.Generator,
) -> tuple[OnboardSource, ...]:
    """Return the detected source, if any, with the radius given by the relation of public notices."""
    noise = NOISE_ARCSEC / pixel_scale_arcsec() * rng.standard_normal(2)
    scatter = rng.standard_normal()
    if not len(photons):
        return ()
    found = localise(photons.x, photons.y, psf=psf, bad_pixels=calibration.bad_pixels.mask())
    if not found.detected:
        return ()
    x, y = np.array(correlation_peak(photons.x, photons.y, psf)) + noise + shift
    ra, dec = pointing.pixel_to_sky(x, y)
    law = instrument().snr_radius
    snr = 100.0 * (ONBOARD_EXCESS * found.r90 / law.amplitude_arcsec) ** (1.0 / law.index)
    radius = law.amplitude_arcsec * (snr / 100.0) ** law.index * (1.0 + law.scatter * scatter)
    return (
        OnboardSource(
            ra_deg=float(ra), dec_deg=float(dec), r90_arcsec=radius, snr=float(snr), known_source=False
        ),
    )
