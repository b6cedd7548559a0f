"""Step ``vhf_localisation``: from the event file to the source's place on the sky."""

from __future__ import annotations

from math import hypot
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mxtvhf.errors import InvalidInput
from mxtvhf.eventfile import read_event_file
from mxtvhf.hotpixels import detection_constants, hot_pixels
from mxtvhf.instrument import instrument
from mxtvhf.localisation import SourceLocalisation, detector_image, least_photons, localise, ts_threshold
from mxtvhf.missiontime import utc_from_met
from mxtvhf.models import Localisation, Origin, Position
from mxtvhf.photons import PhotonList
from mxtvhf.pointing import Pointing


def vhf_localisation(event_file: Path) -> Localisation:
    """Locate the source by the photons of an event file in the instrument's energy band.

    Where the pointing moved, the photons are taken at the addresses that they would have had at the mean
    pointing; hot pixels are left out before, since they would be drawn out to lines.

    The total 90 % radius has the systematic one of ``data/instrument.toml`` added in quadrature; the
    position's time is that of the last photon.

    Parameters
    ----------
    event_file
        FITS event list as written by ``fits_feed``.

    Returns
    -------
    Localisation
        Without a position, and with the reason, when no source is significant.

    Raises
    ------
    InvalidInput
        The file cannot be read, or an address in it is not on the detector.
    """
    events = read_event_file(event_file)
    photons, steady = events.photons, events.steady_addresses()
    used = in_band(photons.pha)
    if steady.moved:
        used &= steady.on_detector & ~_in_hot_pixels(photons, used)
    if not used.any():
        return Localisation(
            detected=False, position=None, r50_arcsec=None, detector_x=None, detector_y=None, ts=0.0,
            n_photons=0, n_source=0.0, n_background=0.0, calibration=_calibration(),
            reason=f"{event_file.name}: none of its {len(photons)} photons is in the energy band",
        )  # fmt: skip
    try:
        found = localise(steady.x[used], steady.y[used])
    except InvalidInput as error:
        raise InvalidInput(f"{event_file.name}: {error}") from None
    return Localisation(
        detected=found.detected,
        position=_position(found, events.pointing, photons) if found.detected else None,
        r50_arcsec=found.r50 if found.detected else None,
        detector_x=found.x if found.detected else None,
        detector_y=found.y if found.detected else None,
        ts=found.ts,
        n_photons=int(used.sum()),
        n_source=found.n_source,
        n_background=found.n_background,
        hot_pixels=found.hot_pixels,
        reason=None if found.detected else _why_not(found, int(used.sum())),
        calibration=_calibration(),
    )


def in_band(pha: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Tell which pulse heights (channels) lie in the energy band of ``data/instrument.toml``."""
    scale = instrument()["energy"]
    energy = scale["offset_kev"] + scale["gain_kev_per_channel"] * pha
    low, high = scale["band_kev"]
    return np.asarray((energy >= low) & (energy <= high))


def _in_hot_pixels(photons: PhotonList, used: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Tell which photons lie in pixels that are hot among those in use."""
    if not used.any():
        return used
    image = detector_image(photons.x[used], photons.y[used])
    hot: npt.NDArray[np.bool_] = hot_pixels(image, np.ones(image.shape, np.bool_))[photons.y, photons.x]
    return hot


def _position(found: SourceLocalisation, pointing: Pointing, photons: PhotonList) -> Position:
    ra, dec = pointing.pixel_to_sky(found.x, found.y)
    systematic = float(instrument()["localisation"]["systematic_r90_arcsec"])
    return Position(
        origin=Origin.MXT_VHF,
        label="photons",
        ra_deg=float(ra),
        dec_deg=float(dec),
        r90_stat_arcsec=found.r90,
        r90_sys_arcsec=systematic,
        r90_arcsec=hypot(found.r90, systematic),
        time=utc_from_met(float(photons.time.max())),
    )


def _why_not(found: SourceLocalisation, photons: int) -> str:
    reason = (
        f"no significant source in {photons} photons: {found.n_source:.0f} of them at ts {found.ts:.1f}, "
        f"needed are {least_photons():g} at ts {ts_threshold():g}"
    )
    if found.hot_pixels:
        listed = ", ".join(str(pixel) for pixel in found.hot_pixels[:5])
        reason += f"; left out {len(found.hot_pixels)} hot pixels (column, row): {listed}"
    return reason


def _calibration() -> dict[str, str]:
    return {"instrument": instrument()["version"], "detection": detection_constants()["version"]}
