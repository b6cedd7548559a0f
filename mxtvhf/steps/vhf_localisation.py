"""Step ``vhf_localisation``: from the event file to the source's place on the sky."""

from __future__ import annotations

from math import hypot
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mxtvhf.errors import InvalidInput
from mxtvhf.eventfile import EventFile, read_event_file
from mxtvhf.hotpixels import detection_constants
from mxtvhf.instrument import instrument
from mxtvhf.localisation import SourceLocalisation, least_photons, localise, ts_threshold
from mxtvhf.missiontime import utc_from_met
from mxtvhf.models import CredibleRegion, Localisation, Origin, Position, Product
from mxtvhf.photons import PhotonList
from mxtvhf.pointing import Pointing
from mxtvhf.skyfiles import Observed, write_sky_files


def vhf_localisation(event_file: Path, out: Path | None = None) -> Localisation:
    """Locate the source by the photons of an event file in the instrument's energy band.

    The total 90 % radius has the systematic one of ``data/instrument.toml`` added in quadrature; the
    position's time is that of the last photon.

    Parameters
    ----------
    event_file
        FITS event list as written by ``fits_feed``.
    out
        Product folder; gets the posterior on the sky, see ``skyfiles``, when a source is found.

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
    photons = events.photons
    used = in_band(photons.pha)
    if not used.any():
        return Localisation(
            detected=False, position=None, r50_arcsec=None, detector_x=None, detector_y=None, ts=0.0,
            n_photons=0, n_source=0.0, n_background=0.0, calibration=_calibration(), **_stream(events),
            reason=f"{event_file.name}: none of its {len(photons)} photons is in the energy band",
        )  # fmt: skip
    try:
        found = localise(photons.x[used], photons.y[used])
    except InvalidInput as error:
        raise InvalidInput(f"{event_file.name}: {error}") from None
    position = _position(found, events.pointing, photons) if found.detected else None
    regions: tuple[CredibleRegion, ...] = ()
    products: dict[str, Product] = {}
    if out is not None and position is not None and found.posterior is not None:
        regions, products = write_sky_files(
            out, found.posterior, events.pointing, position, _observed(events)
        )
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
        calibration=_calibration(),
        **_stream(events),
    )


def in_band(pha: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Tell which pulse heights (channels) lie in the energy band of ``data/instrument.toml``."""
    scale = instrument()["energy"]
    energy = scale["offset_kev"] + scale["gain_kev_per_channel"] * pha
    low, high = scale["band_kev"]
    return np.asarray((energy >= low) & (energy <= high))


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


def _observed(events: EventFile) -> Observed:
    header = events.header
    start = utc_from_met(float(header["TSTART"]))
    return Observed(header["BURST_ID"], start, header["DATE"], instrument()["version"])


def _stream(events: EventFile) -> dict[str, Any]:
    return {"exposure_s": events.header.get("EXPOSURE"), "data_stream": events.header.get("DSTREAM")}


def _calibration() -> dict[str, str]:
    return {"instrument": instrument()["version"], "detection": detection_constants()["version"]}
