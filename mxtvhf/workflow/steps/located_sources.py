"""Describe the detected sources: sky positions, spectra, and sources that may be confused.

Used by the step ``vhf_localisation``.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, hypot, log, sqrt

import numpy as np

from mxtvhf.catalogues.bright import bright_sources
from mxtvhf.catalogues.model import CatalogueSource
from mxtvhf.events.event_file import EventFile
from mxtvhf.instrument.calibration import Calibration
from mxtvhf.instrument.constants import pixel_scale_arcsec
from mxtvhf.instrument.pointing import Pointing
from mxtvhf.instrument.psf import ExtendedPsf, LobsterEyePsf, detector_pixels
from mxtvhf.instrument.time import met_from_utc, utc_from_met
from mxtvhf.localisation.constants import population
from mxtvhf.localisation.model import LocalisedSource
from mxtvhf.localisation.photon_weights import expected_shares
from mxtvhf.localisation.position import SourceLocalisation
from mxtvhf.models.angles import separation_arcsec
from mxtvhf.models.position import Origin, Position
from mxtvhf.notices.alert import Alert
from mxtvhf.notices.burst import burst_trigger_time, eclairs_position

_MOST_BRIGHT = 20
"""Largest number of bright catalogued sources in a field."""
_DEGREE_DIGITS, _ARCSEC_DIGITS = 9, 5
"""Digits of a position and its radius; they resolve micro-arcseconds."""
_SIGMAS_90, _SIGMAS_99 = sqrt(2.0 * log(10.0)), sqrt(2.0 * log(100.0))
"""Radii that hold 90 and 99 % of a circular Gaussian, in units of its standard deviation per axis."""


def bright_sources_of(pointing: Pointing) -> list[tuple[CatalogueSource, float, float]]:
    """Return the bright catalogued sources on the detector with their pixel positions (x, y).

    Parameters
    ----------
    pointing
        Mean pointing.
    """
    size, half = detector_pixels(), detector_pixels() * pixel_scale_arcsec()
    near = bright_sources().answer(pointing.ra_deg, pointing.dec_deg, half, limit=_MOST_BRIGHT)
    places = []
    for source in near.sources:
        x, y = (float(axis) for axis in pointing.sky_to_pixel(source.ra_deg, source.dec_deg))
        if -0.5 <= x <= size - 0.5 and -0.5 <= y <= size - 0.5:
            places.append((source, x, y))
    return places


def located_sources(
    found: SourceLocalisation,
    pointing: Pointing,
    events: EventFile,
    calibration: Calibration,
    alerts: Sequence[Alert],
) -> tuple[LocalisedSource, ...]:
    """Return the detected sources with their sky positions and properties.

    Parameters
    ----------
    found
        The most significant source, whose ``others`` are the remaining ones.
    pointing
        Mean attitude with the alignment of the calibration.
    events
        The event file, which gives the time of the positions.
    calibration
        Calibration with the systematic error and the PSF.
    alerts
        Notices of the burst, which give T0 and the ECLAIRs position.

    Returns
    -------
    tuple of LocalisedSource
        ``S1``, ``S2``, ... by decreasing TS.
    """
    bright = [source for source, *_ in bright_sources_of(pointing)]
    sources = tuple(
        _source(f"S{number}", one, pointing, events, calibration, alerts, bright)
        for number, one in enumerate((found, *found.others), start=1)
    )
    return _told_apart(sources, core_fwhm(found, calibration))


def _source(
    name: str,
    found: SourceLocalisation,
    pointing: Pointing,
    events: EventFile,
    calibration: Calibration,
    alerts: Sequence[Alert],
    bright: Sequence[CatalogueSource],
) -> LocalisedSource:
    position = _position(found, pointing, events, calibration)
    eclairs, trigger = eclairs_position(alerts), burst_trigger_time(alerts)
    at_place = [
        source.name
        for source in bright
        if _is_within(position, source.ra_deg, source.dec_deg, source.r90_arcsec)
    ]
    in_eclairs = eclairs_sigmas = None
    if eclairs is not None and eclairs.r90_arcsec is not None:
        place = eclairs.ra_deg, eclairs.dec_deg, eclairs.r90_arcsec
        in_eclairs, eclairs_sigmas = _is_within(position, *place), round(_sigmas_from(position, *place), 3)
    return LocalisedSource(
        name=name,
        position=position,
        r50_arcsec=found.r50,
        detector_x=found.x,
        detector_y=found.y,
        ts=found.ts,
        places_ts=found.places_ts,
        n_source=found.n_source,
        known_as=at_place[0] if at_place else None,
        in_eclairs=in_eclairs,
        eclairs_sigmas=eclairs_sigmas,
        extent_arcmin=_extent(found),
        **_spectrum_and_decay(found, trigger is not None and met_from_utc(trigger) < events.tstart),
    )


def _extent(found: SourceLocalisation) -> float | None:
    """Return the standard deviation of an extended source's brightness, arcmin; None for a point source."""
    psf = found.evidence.psf if found.evidence else None
    if not isinstance(psf, ExtendedPsf):
        return None
    return round(psf.sigma_pixel * pixel_scale_arcsec() / 60.0, _ARCSEC_DIGITS)


def _is_within(position: Position, ra_deg: float, dec_deg: float, r90_arcsec: float) -> bool:
    """Return True if a place agrees with a position at the 99 % level of their combined error."""
    return _sigmas_from(position, ra_deg, dec_deg, r90_arcsec) <= _SIGMAS_99


def _sigmas_from(position: Position, ra_deg: float, dec_deg: float, r90_arcsec: float) -> float:
    """Return the separation of a place from a position in units of their combined error per axis."""
    sigma = hypot(position.r90_arcsec or 0.0, r90_arcsec) / _SIGMAS_90
    return separation_arcsec(position.ra_deg, position.dec_deg, ra_deg, dec_deg) / sigma


def _spectrum_and_decay(found: SourceLocalisation, t0_known: bool) -> dict[str, float | None]:
    """Return the spectrum and decay of a source, averaged over the probabilities of the source templates."""
    probabilities = None if found.evidence is None else found.evidence.fit.template_probabilities
    spectra, decays = population().spectra, population().decays
    if probabilities is None:
        probabilities = expected_shares(decays=False)
    table = probabilities.reshape(len(spectra), -1)
    of_spectrum = table.sum(axis=1)
    # The last time template is a burst of photons within a short interval.
    of_decay = table.sum(axis=0)[:-1] if table.shape[1] > len(decays) else None
    if of_decay is not None:
        of_decay = of_decay / max(float(of_decay.sum()), np.finfo(float).tiny)
    index = np.array([decay.index for decay in decays])
    return {
        "photon_index": float(of_spectrum @ [spectrum.photon_index for spectrum in spectra]),
        "nh_cm2": float(np.exp(of_spectrum @ np.log([spectrum.nh_cm2 for spectrum in spectra]))),
        "decay_index": None if of_decay is None or not t0_known else float(of_decay @ index),
        "fading": None if of_decay is None else float(of_decay[index > 0.0].sum()),
    }


def _told_apart(sources: tuple[LocalisedSource, ...], core_fwhm: float | None) -> tuple[LocalisedSource, ...]:
    """Set for each source the names of the others within the FWHM of the PSF core."""
    reach = 60.0 * (core_fwhm or 0.0) / pixel_scale_arcsec()

    def near(one: LocalisedSource) -> tuple[str, ...]:
        return tuple(
            other.name
            for other in sources
            if other is not one
            and hypot(other.detector_x - one.detector_x, other.detector_y - one.detector_y) < reach
        )

    return tuple(source.model_copy(update={"confused_with": near(source)}) for source in sources)


def _position(
    found: SourceLocalisation, pointing: Pointing, events: EventFile, calibration: Calibration
) -> Position:
    ra, dec = pointing.pixel_to_sky(found.x, found.y)
    systematic = calibration.alignment.systematic_r90_arcsec
    # The last digits depend on the summation order, thus on the number of threads; a rerun must not differ.
    r90 = round(found.r90, _ARCSEC_DIGITS)
    return Position(
        origin=Origin.MXT_VHF,
        label="photons",
        ra_deg=round(float(ra), _DEGREE_DIGITS),
        dec_deg=round(float(dec), _DEGREE_DIGITS),
        r90_stat_arcsec=r90,
        r90_sys_arcsec=systematic,
        r90_arcsec=hypot(r90, systematic),
        time=utc_from_met(float(events.photons.time.max())),
    )


def core_fwhm(found: SourceLocalisation, calibration: Calibration) -> float | None:
    """Return the fitted FWHM of the PSF core, arcmin; None for another PSF than that of the optics.

    Parameters
    ----------
    found
        A detected source.
    calibration
        Calibration with the nominal PSF.
    """
    if found.shape is not None:
        return calibration.psf.core_fwhm_arcmin * exp(found.shape.shape.stretch)
    psf = found.evidence.psf if found.evidence else None
    psf = psf.psf if isinstance(psf, ExtendedPsf) else psf
    return psf.core_fwhm_arcmin if isinstance(psf, LobsterEyePsf) else None
