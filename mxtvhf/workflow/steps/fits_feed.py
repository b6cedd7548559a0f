"""Step ``fits_feed``: write photons and attitude as an OGIP event file, the input of every analysis."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from pydantic import AwareDatetime, ValidationError

from mxtvhf.errors import InvalidInput
from mxtvhf.events.event_file import EventFileInfo, write_event_file
from mxtvhf.events.header import EventHeader, event_file_constants
from mxtvhf.events.lost_time import lost_time
from mxtvhf.events.model import LostTime, PatternCounts
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.attitude import AttitudeHistory, pointing_limits
from mxtvhf.instrument.calibration import CalibrationStore
from mxtvhf.instrument.time import met_from_utc, utc_from_met
from mxtvhf.models.arrays import Floats
from mxtvhf.models.base import Model
from mxtvhf.models.position import Declination, RightAscension
from mxtvhf.notices.alert import Alert
from mxtvhf.workflow.steps.photons_extraction import Extraction, load_received


class EventProduct(Model):
    """The event file and its contents."""

    path: str
    sha256: str
    n_photons: int
    """Valid events."""
    patterns: PatternCounts | None = None
    """Number of events by pattern; None in products of earlier versions."""
    n_outside_gti: int
    """Photons outside the GTI: the pointing was unstable, or photons of their frame are missing."""
    exposure_s: float
    lost: LostTime | None = None
    """Time of the observation without received photons; None in products of earlier versions."""
    tstart: AwareDatetime
    """Start of the good time intervals, UTC."""
    tstop: AwareDatetime
    ra_deg: RightAscension
    """Boresight, ICRS."""
    dec_deg: Declination
    roll_deg: float
    attitude_spread_arcsec: float
    """Largest angle between an attitude sample in the GTI and the mean attitude."""
    warnings: tuple[str, ...]
    calibration: dict[str, str]
    """Calibration item -> version valid at the start of the observation."""
    assumed_calibration: tuple[str, ...]
    """Calibration items without a public source."""


class NoEventFile(Model):
    """The reason why there is no event file: no photon can be placed on the sky."""

    reason: str


def fits_feed(
    extraction: Extraction,
    alert: Alert,
    out: Path,
    *,
    related: Iterable[Alert] = (),
    apid: str | None = None,
    target: str | None = None,
    orbit: str | None = None,
    store: CalibrationStore | None = None,
) -> EventProduct:
    """Write the event file of extracted photons.

    Parameters
    ----------
    extraction
        Result of ``photons_extraction``; must not be ``unplaced``.
    alert
        Notice of the run, whose ivorn goes into the header.
    out
        Product folder of the new file ``events.fits``.
    related
        Other notices of the burst. MXT notices give the start of the observation.
    apid, target, orbit
        GP's identifiers of the observation, which form ``OBS_ID`` if all three are known. Otherwise
        ``OBS_ID`` is the burst id.
    store
        Calibration files; by default those of the package.

    Raises
    ------
    InvalidInput
        There is no attitude sample, no calibration is valid at that time, or a value does not fit a FITS
        header.
    """
    photons = PhotonList.load(Path(extraction.photons_path))
    attitude = AttitudeHistory.from_bytes(Path(extraction.attitude_path).read_bytes())
    names = (apid, target, orbit)
    obs_id = extraction.burst_id if None in names else "_".join(map(str, names))
    header = _header(extraction, alert, obs_id)
    received = None if extraction.received_path is None else load_received(Path(extraction.received_path))
    info = write_event_file(
        out / "events.fits", photons, attitude, header=header, store=store, received=received
    )
    pointing = info.pointing
    unseen = np.concatenate([_unseen_begin([alert, *related], photons, attitude), info.lost])
    lost = lost_time(unseen, info.exposure_s, info.n_incomplete)
    return EventProduct(
        path=str(info.path),
        sha256=info.sha256,
        n_photons=info.n_photons,
        patterns=info.patterns,
        n_outside_gti=info.n_unstable + info.n_incomplete,
        exposure_s=info.exposure_s,
        lost=lost,
        tstart=utc_from_met(info.tstart),
        tstop=utc_from_met(info.tstop),
        ra_deg=pointing.ra_deg,
        dec_deg=pointing.dec_deg,
        roll_deg=pointing.roll_deg,
        attitude_spread_arcsec=info.spread_arcsec,
        warnings=_warnings(info, lost),
        calibration=info.calibration.versions(),
        assumed_calibration=info.calibration.assumed(),
    )


def _unseen_begin(alerts: Iterable[Alert], photons: PhotonList, attitude: AttitudeHistory) -> Floats:
    """Return the interval between the start of the observation and its first received data, shape (0|1, 2).

    An interval shorter than the allowed extrapolation of the attitude is not lost. An interval longer than a
    day does not belong to this observation.
    """
    starts = [met_from_utc(alert.event_time) for alert in alerts if alert.instrument == "MXT"]
    seen = min([attitude.time[0], *photons.time[:1]])
    least = 0.5 * pointing_limits().stable.max_gap_s
    lost = [[start, seen] for start in starts if least < seen - start < 86_400.0]
    return np.array(sorted(lost)[:1]).reshape(-1, 2)


def _warnings(info: EventFileInfo, lost: LostTime) -> tuple[str, ...]:
    found = []
    if info.spread_arcsec > pointing_limits().steady.spread_arcsec:
        found.append(
            f"the pointing moved by up to {info.spread_arcsec:.1f} arcsec from its mean; "
            "photon positions are corrected for the drift"
        )
    if info.n_unstable:
        found.append(f"{info.n_unstable} photons left out: the pointing was not stable")
    if lost.warning:
        found.append(lost.warning)
    return (*found, *_pattern_warnings(info.patterns))


def _pattern_warnings(patterns: PatternCounts) -> list[str]:
    limits, found = event_file_constants().patterns, []
    if patterns.pile_up > limits.pile_up:
        found.append(
            f"pile-up: about {100.0 * patterns.pile_up:.2g} % of the events contain more than one photon; "
            "the measured flux is too low and the spectrum too hard"
        )
    if patterns.invalid_pixels > limits.invalid_pixels * patterns.pixels:
        found.append(
            f"{patterns.invalid_pixels} of {patterns.pixels} pixel entries excluded: their patterns are not "
            "those of single photons (particles, readout noise or pile-up)"
        )
    return found


def _header(extraction: Extraction, alert: Alert, obs_id: str) -> EventHeader:
    date = _date(extraction, alert)
    try:
        return EventHeader(burst_id=extraction.burst_id, ivorn=alert.ivorn, obs_id=obs_id, date=date)
    except ValidationError as error:
        problem = error.errors()[0]
        raise InvalidInput(
            f"{problem['loc'][0]} {problem['input']!r} does not fit a FITS header: {problem['msg']}"
        ) from error


def _date(extraction: Extraction, alert: Alert) -> AwareDatetime:
    """Return the time at which all inputs existed; unlike the current time, it is the same in a rerun."""
    moments = [alert.published or alert.event_time, extraction.last_utc]
    return max(moment for moment in moments if moment is not None)
