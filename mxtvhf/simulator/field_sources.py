"""Steady sources in the field of view in addition to the burst."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from mxtvhf.errors import InvalidInput
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.attitude import AttitudeHistory
from mxtvhf.instrument.calibration import Calibration
from mxtvhf.instrument.pointing import Pointing
from mxtvhf.instrument.psf import detector_pixels
from mxtvhf.models.base import Model
from mxtvhf.models.position import Declination, RightAscension
from mxtvhf.simulator.photons import simulate_photons
from mxtvhf.simulator.pointing import seen_with

MAX_COUNTS = 1e6
"""Largest number of photons of one source; the same as for the burst."""


class FieldSource(Model):
    """A source with a constant rate and the spectrum of ``analysis/spectrum.toml``."""

    ra_deg: RightAscension
    dec_deg: Declination
    counts: float = Field(ge=0.0, le=MAX_COUNTS)
    """Expected photons on the detector during the VHF observation."""


def detector_places(sources: Sequence[FieldSource], pointing: Pointing) -> list[tuple[float, float]]:
    """Return the detector positions of the sources, continuous 0-based pixels.

    Parameters
    ----------
    sources
        The sources.
    pointing
        Mean pointing.

    Raises
    ------
    InvalidInput
        A source is outside the detector.
    """
    edge, places = detector_pixels() - 0.5, []
    for source in sources:
        x, y = (float(axis) for axis in pointing.sky_to_pixel(source.ra_deg, source.dec_deg))
        if not (-0.5 <= x <= edge and -0.5 <= y <= edge):
            raise InvalidInput(
                f"simulation: source: RA {source.ra_deg:g} Dec {source.dec_deg:+g} is not in the field of "
                f"view, whose centre is RA {pointing.ra_deg:.4f} Dec {pointing.dec_deg:+.4f}; choose a "
                "nearer position"
            )
        places.append((x, y))
    return places


def with_field_sources(
    photons: PhotonList,
    sources: Sequence[FieldSource],
    attitude: AttitudeHistory,
    pointing: Pointing,
    calibration: Calibration,
    *,
    seed: int,
    sent_s: float | None = None,
) -> PhotonList:
    """Add the photons of the sources; each source has its own random numbers.

    Parameters
    ----------
    photons
        Photons of the burst and the background, which are not changed.
    sources
        Sources to add; may be empty.
    attitude
        Attitude up to the end of the observation; if the pointing moves, the sources move over the detector.
    pointing
        Mean pointing.
    calibration
        PSF, spectrum and bad pixels.
    seed
        Seed of the simulation.
    sent_s
        Draw only photons after this time since the start, when the VHF observation ends; None draws all.
    """
    start, stop = float(attitude.time[0]), float(attitude.time[-1])
    first = start + (sent_s or 0.0)
    bad = calibration.bad_pixels.mask()
    places = detector_places(sources, pointing)
    for number, (source, (x, y)) in enumerate(zip(sources, places, strict=True), start=1):
        rng = np.random.default_rng((seed, number, sent_s is not None))
        found = simulate_photons(
            x=x,
            y=y,
            counts=source.counts if sent_s is None else source.counts * (stop - first) / sent_s,
            background=0.0,
            start=first,
            stop=stop,
            rng=rng,
            calibration=calibration,
        )
        found = seen_with(attitude, pointing, found, rng)
        photons = photons.merged(found.selected(~bad[found.y, found.x]))
    return photons
