"""Step 3: photons and attitude become an OGIP event file, the input of every analysis."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from pydantic import AwareDatetime, ValidationError

from mxtvhf.errors import InvalidInput
from mxtvhf.events.event_file import EventFileInfo, write_event_file
from mxtvhf.events.header import EventHeader, event_file_constants
from mxtvhf.events.lost_time import LostTime
from mxtvhf.events.patterns import PatternCounts
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
    """The event file, and what it covers."""

    path: str
    sha256: str
    n_photons: int
    """Valid events."""
    patterns: PatternCounts | None = None
    """How many events of each kind the pixel entries gave; None in a product of an earlier version."""
    n_outside_gti: int
    """Photons left out: the pointing was not stable, or not all photons of their frame were received."""
    exposure_s: float
    lost: LostTime | None = None
    """What was not received of the observation; None in products of versions that did not know."""
    tstart: AwareDatetime
    """Start of the good time intervals, UTC."""
    tstop: AwareDatetime
    ra_deg: RightAscension
    """Boresight, ICRS."""
    dec_deg: Declination
    roll_deg: float
    attitude_spread_arcsec: float
    """Largest angle of an attitude sample in the good times from the mean."""
    warnings: tuple[str, ...]
    calibration: dict[str, str]
    """Calibration item -> version, for the start of the observation."""
    assumed_calibration: tuple[str, ...]
    """Those of the items that have no public source."""


class NoEventFile(Model):
    """There is no event file: no photon can be placed on the sky."""

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
    """Write the event file of an extraction.

    Parameters
    ----------
    extraction
        What ``photons_extraction`` gave; one whose photons are ``unplaced`` has no event file.
    alert
        The notice; gives the ivorn.
    out
        Product folder; gets ``events.fits``.
    related
        The burst's other notices. Of all notices those of MXT give the start of the observation.
    apid, target, orbit
        GP's names of the observation; together they are ``OBS_ID``. Unless all three are known ``OBS_ID`` is
        the burst id: never the name of another burst's observation.
    store
        The calibration files; by default those of the package.

    Raises
    ------
    InvalidInput
        There is no attitude sample, no calibration is valid then, or a name does not fit a FITS header.
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
    lost = LostTime.of(unseen, info.exposure_s, info.n_incomplete)
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
    """Return the time from the start of the observation to the first that was received of it, or nothing.

    What is shorter than the attitude is taken to hold before its first sample is not lost; what is longer
    than a day is no part of this observation.
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
            f"the pointing moved by up to {info.spread_arcsec:.1f} arcsec from its mean: "
            "each photon is placed by the attitude at its own time"
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
            f"pile-up: about {100.0 * patterns.pile_up:.2g} % of the events hold more than one photon, "
            "the flux is too low and the spectrum too hard"
        )
    if patterns.invalid_pixels > limits.invalid_pixels * patterns.pixels:
        found.append(
            f"{patterns.invalid_pixels} of {patterns.pixels} pixel entries left out: no single photon makes "
            "their patterns (particles, readout noise or pile-up)"
        )
    return found


def _header(extraction: Extraction, alert: Alert, obs_id: str) -> EventHeader:
    date = _date(extraction, alert)
    try:
        return EventHeader(burst_id=extraction.burst_id, ivorn=alert.ivorn, obs_id=obs_id, date=date)
    except ValidationError as error:
        problem = error.errors()[0]
        raise InvalidInput(f"{problem['loc'][0]} {problem['input']!r} does not fit a FITS header") from error


def _date(extraction: Extraction, alert: Alert) -> AwareDatetime:
    """Return when all inputs existed; unlike the clock's, this date is the same in a rerun."""
    moments = [alert.published or alert.event_time, extraction.last_utc]
    return max(moment for moment in moments if moment is not None)
