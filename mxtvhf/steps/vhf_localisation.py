"""Step ``vhf_localisation``: from the event file to the source's place on the sky."""

from __future__ import annotations

from dataclasses import replace
from math import hypot
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mxtvhf.calibration import Calibration, CalibrationStore, Gain, packaged_store
from mxtvhf.errors import InvalidInput
from mxtvhf.eventfile import EventFile, read_event_file
from mxtvhf.hotpixels import detection_constants
from mxtvhf.instrument import instrument
from mxtvhf.localisation import SourceLocalisation, least_photons, localise, ts_threshold
from mxtvhf.missiontime import utc_from_met
from mxtvhf.models import CredibleRegion, Localisation, Origin, Position, Product
from mxtvhf.photons import PhotonList
from mxtvhf.pointing import Pointing
from mxtvhf.psf import LobsterEyePsf
from mxtvhf.skyfiles import Observed, write_sky_files


def vhf_localisation(
    event_file: Path, store: CalibrationStore | None = None, *, out: Path | None = None
) -> Localisation:
    """Locate the source by the photons of an event file in the instrument's energy band.

    The total 90 % radius has the systematic one of the alignment added in quadrature; the position's time is
    that of the last photon.

    Parameters
    ----------
    event_file
        FITS event list as written by ``fits_feed``.
    store
        The calibration files; those for the start of the observation are used. By default the package's.
    out
        Product folder; gets the posterior on the sky, see ``skyfiles``, when a source is found.

    Returns
    -------
    Localisation
        Without a position, and with the reason, when no source is significant.

    Raises
    ------
    InvalidInput
        The file cannot be read, an address in it is not on the detector, or no calibration is valid then.
    """
    events = read_event_file(event_file)
    calibration = (store or packaged_store()).at(utc_from_met(events.tstart))
    photons = events.photons
    used = in_band(photons.pha, calibration.gain)
    if not used.any():
        return Localisation(
            detected=False, position=None, r50_arcsec=None, detector_x=None, detector_y=None, ts=0.0,
            n_photons=0, n_source=0.0, n_background=0.0, calibration=_versions(calibration),
            reason=f"{event_file.name}: none of its {len(photons)} photons is in the energy band",
            **_stream(events),
        )  # fmt: skip
    try:
        found = localise(
            photons.x[used],
            photons.y[used],
            psf=LobsterEyePsf.of(calibration.psf),
            bad_pixels=calibration.bad_pixels.mask(),
        )
    except InvalidInput as error:
        raise InvalidInput(f"{event_file.name}: {error}") from None
    pointing = replace(events.pointing, alignment=calibration.alignment)
    position = _position(found, pointing, photons) if found.detected else None
    regions: tuple[CredibleRegion, ...] = ()
    products: dict[str, Product] = {}
    if out is not None and position is not None and found.posterior is not None:
        observed = Observed.of(events, _versions(calibration))
        regions, products = write_sky_files(out, found.posterior, pointing, position, observed)
    return Localisation(
        detected=found.detected,
        position=position,
        r50_arcsec=found.r50 if found.detected else None,
        detector_x=found.x if found.detected else None,
        detector_y=found.y if found.detected else None,
        ts=found.ts,
        n_photons=int(used.sum()),
        n_source=found.n_source,
        n_background=found.n_background,
        hot_pixels=found.hot_pixels,
        reason=None if found.detected else _why_not(found, int(used.sum())),
        regions=regions,
        products=products,
        calibration=_versions(calibration),
        **_stream(events),
    )


def in_band(pha: npt.NDArray[np.int32], gain: Gain) -> npt.NDArray[np.bool_]:
    """Tell which pulse heights (channels) lie in the energy band of ``data/instrument.toml``."""
    low, high = instrument()["energy"]["band_kev"]
    energy = gain.energy(pha)
    return np.asarray((energy >= low) & (energy <= high))


def _position(found: SourceLocalisation, pointing: Pointing, photons: PhotonList) -> Position:
    ra, dec = pointing.pixel_to_sky(found.x, found.y)
    systematic = pointing.alignment.systematic_r90_arcsec
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


def _stream(events: EventFile) -> dict[str, Any]:
    return {"exposure_s": events.header.get("EXPOSURE"), "data_stream": events.header.get("DSTREAM")}


def _versions(calibration: Calibration) -> dict[str, str]:
    detection = detection_constants()["version"]
    return {"instrument": instrument()["version"], "detection": detection, **calibration.versions()}
