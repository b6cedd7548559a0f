"""Simulate a burst as received on the ground: notices and VHF packets, with the true values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Literal, Self

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from pydantic import AwareDatetime, Field, ValidationError, model_validator

from mxtvhf.analysis.powerlaw import PowerLaw, decay_integral
from mxtvhf.analysis.throughput import expected_counts
from mxtvhf.errors import InvalidInput
from mxtvhf.events.attitude_file import attitude_product_bytes
from mxtvhf.events.event_file import write_event_file
from mxtvhf.events.header import EventHeader
from mxtvhf.events.onboard_file import OnboardMessage
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.attitude import AttitudeHistory
from mxtvhf.instrument.calibration import Calibration, CalibrationStore, packaged_store
from mxtvhf.instrument.pointing import Pointing
from mxtvhf.instrument.time import met_from_utc
from mxtvhf.models.base import Model, NonNegative
from mxtvhf.models.files import write_atomically
from mxtvhf.models.ids import BURST_ID_PATTERN, BurstId
from mxtvhf.models.position import Declination, RightAscension
from mxtvhf.models.times import utc_text
from mxtvhf.models.toml import fault_cause
from mxtvhf.notices.alert import Alert, Attitude
from mxtvhf.simulator.bursts import known_burst, known_bursts
from mxtvhf.simulator.downlink import downlink
from mxtvhf.simulator.field_sources import FieldSource, detector_places, with_field_sources
from mxtvhf.simulator.notices import eclairs_wakeup_notice, mxt_notice_of, write_notice
from mxtvhf.simulator.onboard import onboard_results
from mxtvhf.simulator.photons import simulate_photons
from mxtvhf.simulator.pointing import moving_attitude, seen_with
from mxtvhf.simulator.readout import read_out
from mxtvhf.telemetry.encode import encode_onboard, encode_photons, encode_pointing

DEFAULT_COUNTS = 300.0
MAX_PHOTONS = 1e6
"""Largest number of photons of source or background; more would exceed time, memory and the VHF link."""
XBAND_FILE = "xband_events.fits"
ATTITUDE_FILE = "attitude.fits"
ONBOARD_STREAM = 771
"""Separate seed of the on-board localisation, so that it does not change photons and notices."""


class Scenario(Model):
    """A burst to be simulated; ``mxtvhf simulate --help`` lists the corresponding options."""

    burst_id: BurstId
    ra_deg: RightAscension
    dec_deg: Declination
    trigger_time: AwareDatetime
    start: AwareDatetime
    """Start of the MXT observation, UTC; after the trigger."""
    duration_s: float = Field(default=300.0, ge=1.0, le=86_400.0)
    counts: float | None = Field(default=None, ge=0.0, le=MAX_PHOTONS)
    """Expected source photons on the detector; None to compute them from ``flux``."""
    flux: NonNegative | None = None
    """Mean flux in 0.3-10 keV, erg/cm2/s."""
    background: float | None = Field(default=None, ge=0.0, le=MAX_PHOTONS)
    """Expected background photons; None for the calibrated rate times the duration."""
    photon_index: float = Field(default=2.0, ge=-3.0, le=10.0)
    decay: float = Field(default=1.2, ge=0.0, le=10.0)
    roll_deg: float = Field(default=30.0, ge=-360.0, le=360.0)
    offset_arcmin: float = Field(default=4.0, ge=0.0, le=25.0)
    """Distance of the burst from the boresight, in a random direction."""
    drift_arcsec: float = Field(default=0.0, ge=-3600.0, le=3600.0)
    """Drift of the boresight during the stable part of the observation."""
    slew_s: float = Field(default=0.0, ge=0.0)
    """Duration of the slew after the start; shorter than the observation."""
    eclairs_snr: float = Field(default=10.0, gt=0.0, le=1000.0)
    loss: float = Field(default=0.0, ge=0.0, le=1.0)
    repeat: float = Field(default=1.0, ge=0.0, le=100.0)
    shuffle: float = Field(default=0.05, ge=0.0, le=1.0)
    corrupt: float = Field(default=0.0, ge=0.0, le=1.0)
    split_events: bool = True
    """True if the charge of a photon is shared by up to four pixels; False for one pixel entry per photon."""
    sources: tuple[FieldSource, ...] = ()
    """Steady sources in the field of view in addition to the burst."""
    onboard_offset_arcsec: float = Field(default=0.0, ge=0.0, le=36_000.0)
    """Offset of the on-board position in addition to its scatter."""
    attitude: Literal["packets", "product", "both"] = "packets"
    """Form of the attitude: pointing packets, attitude product, or both."""
    role: Literal["test", "observation"] = "test"
    """Role of the notices; a test by default, so that a simulated burst is never announced as real."""
    seed: int = Field(default=1, ge=0)
    xband_s: float | None = Field(default=None, gt=0.0, le=86_400.0)
    """Duration of the later X-band exposure, longer than ``duration_s``; None for no X-band data."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.counts is None) == (self.flux is None):
            raise ValueError("give either counts or flux")
        if self.start <= self.trigger_time:
            raise ValueError("start: the MXT observation must begin after the trigger")
        if self.xband_s is not None and self.xband_s <= self.duration_s:
            raise ValueError("xband: the exposure must be longer than the VHF observation")
        if self.xband_s is not None and (self.slew_s or self.drift_arcsec):
            raise ValueError("xband: not supported with a slew or drift")
        if self.slew_s >= self.duration_s:
            raise ValueError("slew_s: the slew must end before the observation")
        return self


def scenario_of(
    burst_id: str,
    *,
    ra_deg: float | None = None,
    dec_deg: float | None = None,
    start: datetime | None = None,
    **options: object,
) -> Scenario:
    """Complete a scenario with the public facts of a known burst.

    Parameters
    ----------
    burst_id
        SVOM burst id; an unknown burst needs a position, and its T0 is noon of its date.
    ra_deg, dec_deg
        True position, ICRS degrees; by default the best public position of a known burst.
    start
        Start of the MXT observation, UTC; by default the public one, else T0 + 180 s.
    **options
        Other fields of ``Scenario``; None means the default.

    Raises
    ------
    InvalidInput
        The burst is unknown and no position is given, or an option is out of range.
    """
    if not re.fullmatch(BURST_ID_PATTERN, burst_id):
        raise InvalidInput(f"burst id {burst_id!r}: expected sbYYMMDDnn, e.g. sb26030704")
    if (ra_deg is None) != (dec_deg is None):
        raise InvalidInput("give both --ra and --dec, or neither")
    facts = known_bursts().get(burst_id)
    if ra_deg is None:
        best = known_burst(burst_id).best
        ra_deg, dec_deg = best.ra_deg, best.dec_deg
    given = {name: value for name, value in options.items() if value is not None}
    if "flux" not in given:
        given.setdefault("counts", DEFAULT_COUNTS)
    if facts is not None and facts.eclairs_snr is not None:
        given.setdefault("eclairs_snr", facts.eclairs_snr)
    try:
        trigger = facts.trigger_time if facts else _noon_of(burst_id)
        start = start or (facts.mxt_start if facts else None) or trigger + timedelta(seconds=180)
        if start <= trigger:
            # If the observation is moved to another time than the public one, the trigger moves with it.
            trigger = start - timedelta(seconds=180)
        fields = {"burst_id": burst_id, "ra_deg": ra_deg, "dec_deg": dec_deg, "trigger_time": trigger}
        return Scenario.model_validate({**fields, "start": start, **given})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = "".join(f"{part}: " for part in first["loc"])
        raise InvalidInput(f"simulation: {where}{fault_cause(first)}") from None


def write_scenario(scenario: Scenario, out: Path | str, store: CalibrationStore | None = None) -> list[Path]:
    """Simulate a burst and write ``alert.xml``, ``eclairs-wakeup.xml``, ``packets.bin`` and ``truth.json``.

    ``alert.xml`` is the on-board MXT notice, or the ECLAIRs notice if there are too few photons for one. With
    ``xband_s`` there is also ``xband_events.fits`` with all photons of the longer exposure; the VHF photons
    are the same with and without it. With ``attitude`` "product" or "both" there is ``attitude.fits``.
    Notices and on-board positions refer to the burst alone: ``sources`` change neither them nor any other
    photon.

    Parameters
    ----------
    scenario
        The burst to simulate.
    out
        Output folder, which is created if missing.
    store
        Calibration store; the calibration valid at the start of the observation is used. By default that of
        the package.

    Returns
    -------
    list
        Paths of the files, the alert first.

    Raises
    ------
    InvalidInput
        The flux gives too many photons, or a source is outside the field of view.
    """
    out = Path(out)
    calibration = (store or packaged_store()).at(scenario.start)
    rng = np.random.default_rng(scenario.seed)
    pointing, (x, y) = _pointing(scenario, calibration, rng)
    start = met_from_utc(scenario.start)
    stop = start + scenario.duration_s
    counts = _source_counts(scenario, x, y, calibration)
    if counts > MAX_PHOTONS:
        raise InvalidInput(
            f"simulation: flux: {scenario.flux:g} erg/cm2/s gives {counts:.3g} photons, expected up to"
            f" {MAX_PHOTONS:.0e}"
        )
    background = scenario.background
    if background is None:
        background = calibration.background.rate_per_s * scenario.duration_s
    draw = _source_and_background(scenario, x, y, calibration)
    attitude = moving_attitude(
        pointing, start, stop, slew_s=scenario.slew_s, drift_arcsec=scenario.drift_arcsec
    )
    photons = _photons(scenario, draw, pointing, attitude, calibration, rng, counts, background)
    # Separate random numbers, so that split events change neither photons nor notices; the first ones are
    # used for the later photons.
    _, of_readout, of_later_readout = np.random.default_rng(scenario.seed).spawn(3)
    in_field = partial(with_field_sources, sources=scenario.sources, pointing=pointing, seed=scenario.seed,
                       calibration=calibration)  # fmt: skip
    everything = in_field(photons, attitude=attitude)
    pixels = _pixels(scenario, everything, calibration, of_readout)
    results = onboard_results(
        photons,
        attitude,
        pointing,
        calibration,
        rng=np.random.default_rng([scenario.seed, ONBOARD_STREAM]),
        offset_arcsec=scenario.onboard_offset_arcsec,
    )
    wakeup, alert = _notices(scenario, results, rng)
    packets = downlink(
        encode_photons(pixels, scenario.burst_id),
        [] if scenario.attitude == "product" else encode_pointing(attitude, scenario.burst_id),
        encode_onboard(results, scenario.burst_id),
        loss=scenario.loss,
        repeat=scenario.repeat,
        shuffle=scenario.shuffle,
        corrupt=scenario.corrupt,
        rng=rng,
    )
    truth = {
        **scenario.model_dump(exclude={"trigger_time", "start"}),
        "trigger_time": utc_text(scenario.trigger_time),
        "start": utc_text(scenario.start),
        "counts": counts,
        "background": background,
        "n_photons": len(everything),
        "sources": [
            {**source.model_dump(), "detector_x": column, "detector_y": row}
            for source, (column, row) in zip(
                scenario.sources, detector_places(scenario.sources, pointing), strict=True
            )
        ],
        "n_pixels": len(pixels),
        "detector_x": x,
        "detector_y": y,
        "pointing": {"ra_deg": pointing.ra_deg, "dec_deg": pointing.dec_deg, "roll_deg": pointing.roll_deg},
    }
    files = {
        "alert.xml": write_notice(alert),
        "eclairs-wakeup.xml": write_notice(wakeup),
        "packets.bin": packets,
        "truth.json": json.dumps(truth, indent=1, sort_keys=True).encode() + b"\n",
    }
    if scenario.attitude != "packets":
        end = scenario.start + timedelta(seconds=scenario.duration_s)
        files[ATTITUDE_FILE] = attitude_product_bytes(attitude, scenario.burst_id, end)
    for name, content in files.items():
        write_atomically(out / name, content)
    written = [out / name for name in files]
    if scenario.xband_s is not None:
        attitude = moving_attitude(pointing, start, start + scenario.xband_s)
        later = partial(draw, bad_pixels=calibration.bad_pixels.mask())
        later_photons = in_field(
            _later_photons(scenario, later, counts, background), attitude=attitude, sent_s=scenario.duration_s
        )
        whole = pixels.merged(_pixels(scenario, later_photons, calibration, of_later_readout))
        header = _xband_header(scenario, wakeup, end=scenario.start + timedelta(seconds=scenario.xband_s))
        write_event_file(out / XBAND_FILE, whole, attitude, header=header, store=store)
        written.append(out / XBAND_FILE)
    return written


def _later_photons(
    scenario: Scenario, draw: Callable[..., PhotonList], counts: float, background: float
) -> PhotonList:
    """Draw the photons after the VHF observation, with separate random numbers."""
    start, since = met_from_utc(scenario.start), (scenario.start - scenario.trigger_time).total_seconds()
    sent, whole = scenario.duration_s, scenario.xband_s or 0.0
    before, after = (
        float(decay_integral(since + first, since + last, scenario.decay))
        for first, last in ((0.0, sent), (sent, whole))
    )
    return draw(
        counts=counts * after / before,
        background=background * (whole - sent) / sent,
        start=start + sent,
        stop=start + whole,
        rng=np.random.default_rng(scenario.seed).spawn(1)[0],
    )


def _xband_header(scenario: Scenario, wakeup: Alert, *, end: datetime) -> EventHeader:
    return EventHeader(
        burst_id=scenario.burst_id,
        ivorn=wakeup.ivorn,
        obs_id=f"{scenario.burst_id}-{scenario.seed}",
        date=end,
        dstream="XBand",
    )


def _pointing(
    scenario: Scenario, calibration: Calibration, rng: np.random.Generator
) -> tuple[Pointing, tuple[float, float]]:
    """Return a pointing with the burst off axis in a random direction, and the pixel of the burst."""
    source = SkyCoord(scenario.ra_deg, scenario.dec_deg, unit="deg")
    direction = rng.uniform(0.0, 360.0)
    boresight = source.directional_offset_by(direction * u.deg, scenario.offset_arcmin * u.arcmin)
    pointing = Pointing(
        float(boresight.ra.deg), float(boresight.dec.deg), scenario.roll_deg, calibration.alignment
    )
    x, y = pointing.sky_to_pixel(scenario.ra_deg, scenario.dec_deg)
    return pointing, (float(x), float(y))


def _source_and_background(
    scenario: Scenario, x: float, y: float, calibration: Calibration
) -> Callable[..., PhotonList]:
    return partial(
        simulate_photons,
        x=x,
        y=y,
        burst_time=met_from_utc(scenario.trigger_time),
        decay_index=scenario.decay,
        spectrum=PowerLaw(photon_index=scenario.photon_index),
        calibration=calibration,
    )


def _photons(
    scenario: Scenario,
    draw: Callable[..., PhotonList],
    pointing: Pointing,
    attitude: AttitudeHistory,
    calibration: Calibration,
    rng: np.random.Generator,
    counts: float,
    background: float,
) -> PhotonList:
    """Draw the photons; if the pointing moves, those of the source move over the detector."""
    bad_pixels = calibration.bad_pixels.mask()
    draw = partial(draw, start=attitude.time[0], stop=attitude.time[-1], rng=rng)
    if not (scenario.drift_arcsec or scenario.slew_s):
        return draw(counts=counts, background=background, bad_pixels=bad_pixels)
    source = seen_with(attitude, pointing, draw(counts=counts, background=0.0), rng)
    source = source.selected(~bad_pixels[source.y, source.x])
    return source.merged(draw(counts=0.0, background=background, bad_pixels=bad_pixels))


def _pixels(
    scenario: Scenario, photons: PhotonList, calibration: Calibration, rng: np.random.Generator
) -> PhotonList:
    """Return the pixel entries that the detector sends for the photons."""
    if not scenario.split_events:
        return photons
    return read_out(photons, rng, gain=calibration.gain, bad_pixels=calibration.bad_pixels.mask())


def _source_counts(scenario: Scenario, x: float, y: float, calibration: Calibration) -> float:
    if scenario.counts is not None:
        return scenario.counts
    spectrum = PowerLaw(photon_index=scenario.photon_index)
    return expected_counts(scenario.flux or 0.0, scenario.duration_s, x, y, spectrum, calibration)


def _notices(
    scenario: Scenario, results: Sequence[OnboardMessage], rng: np.random.Generator
) -> tuple[Alert, Alert]:
    """Create the ECLAIRs notice and the notice that starts the run."""
    wakeup = eclairs_wakeup_notice(
        scenario.burst_id,
        ra_deg=scenario.ra_deg,
        dec_deg=scenario.dec_deg,
        trigger_time=scenario.trigger_time,
        snr=scenario.eclairs_snr,
        rng=rng,
        attitude=Attitude(ra_deg=(scenario.ra_deg + 40.0) % 360.0, dec_deg=0.0, roll_deg=scenario.roll_deg),
        role=scenario.role,
    )
    if not results[-1].sources:
        return wakeup, wakeup
    return wakeup, mxt_notice_of(wakeup, results[-1].sources[0], start=scenario.start)


def _noon_of(burst_id: str) -> datetime:
    try:
        return datetime.strptime(burst_id[:8], "sb%y%m%d").replace(hour=12, tzinfo=UTC)
    except ValueError:
        raise InvalidInput(f"burst id {burst_id!r}: invalid date {burst_id[2:8]}; expected YYMMDD") from None
