"""Simulated SVOM notices: create the alerts of a burst, and write an `Alert` as VOEvent 2.0."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import degrees, hypot, log, pi, radians, sqrt
from typing import Literal

import numpy as np
from astropy.coordinates import angular_separation, offset_by
from lxml import etree

from mxtvhf.events.onboard_file import OnboardSource
from mxtvhf.instrument.constants import instrument
from mxtvhf.models.position import Origin, Position
from mxtvhf.notices.alert import Alert, Attitude, Citation
from mxtvhf.notices.constants import notice_facts
from mxtvhf.notices.voevent import notice_position, systematic_r90
from mxtvhf.notices.voevent_writer import (
    Param,
    add,
    add_citations,
    add_group,
    add_params,
    add_position,
    add_where_when,
    add_who,
    event_bytes,
    new_event,
)


def write_notice(alert: Alert) -> bytes:
    """Write an alert as valid VOEvent 2.0 in the style of SVOM's notices.

    This is the inverse of `mxtvhf.notices.voevent.read_alert`. The author is this project, and a Description
    marks the notice as simulated; the ivorn is that of the alert.

    Parameters
    ----------
    alert
        The alert. ``r90_arcsec`` of its position is published as ``Error2Radius``; None is written as -1
        (GRM) or 0 (VT), the only instruments that publish a position without a radius.
    """
    root = new_event(role=alert.role, ivorn=alert.ivorn)
    author = notice_facts().simulated
    add_who(
        root,
        author_ivorn=author.author_ivorn,
        date=alert.published,
        title=author.title,
        short_name=author.short_name,
        contact_name=author.contact_name,
    )
    _add_what(root, alert)
    coordinates = add_where_when(root, alert.event_time)
    if alert.position is not None:
        _add_position(coordinates, alert.position)
    add(add(root, "How"), "Description", author.description)
    add_citations(root, ((citation.ivorn, citation.cite) for citation in alert.citations))
    return event_bytes(root)


def eclairs_wakeup_notice(
    burst_id: str,
    *,
    ra_deg: float,
    dec_deg: float,
    trigger_time: datetime,
    snr: float,
    rng: np.random.Generator,
    attitude: Attitude | None = None,
    role: Literal["observation", "test"] = "test",
) -> Alert:
    """Create the ``eclairs-wakeup`` alert of a burst.

    Parameters
    ----------
    burst_id
        SVOM burst id.
    ra_deg, dec_deg
        True position, ICRS degrees.
    trigger_time
        T0, UTC.
    snr
        ECLAIRs' image SNR; the statistical R90 is 77.0 arcmin / SNR (``notices/notices.toml``).
    rng
        Random number generator of the scatter. The published radius, including the systematic error, contains
        the true position in 90 % of cases.
    attitude
        Satellite attitude before the slew.
    role
        VOEvent role.
    """
    facts = notice_facts()
    stat = 60 * facts.eclairs_snr_radius.amplitude_arcmin / snr
    radius = hypot(stat, systematic_r90(Origin.ECLAIRS, trigger_time))
    timescale = 20.48
    ivorn = f"ivo://org.svom/fsc#{burst_id}_eclairs-wakeup"
    ra, dec = _scattered(ra_deg, dec_deg, radius, rng)
    return Alert(
        ivorn=ivorn,
        burst_id=burst_id,
        notice_type="eclairs-wakeup",
        packet_type=202,
        notice_level="N1e",
        instrument="ECLAIRs",
        role=role,
        published=trigger_time + timedelta(seconds=facts.latency_s.eclairs_wakeup),
        event_time=trigger_time,
        trigger_time=trigger_time,
        time_window=(trigger_time, trigger_time + timedelta(seconds=timescale)),
        timescale_s=timescale,
        energy_band_kev=(5.0, 20.0),
        trigger_type="IMT",
        position=_published(Origin.ECLAIRS, "eclairs-wakeup", ra, dec, radius, trigger_time, ivorn),
        attitude=attitude,
        snr=round(snr, 2),
        slew_status="accepted",
    )


def onboard_mxt_notice(
    eclairs: Alert,
    *,
    ra_deg: float,
    dec_deg: float,
    start: datetime,
    snr: float,
    rng: np.random.Generator,
) -> Alert:
    """Create the ``mxt-initial_qfN`` alert of a burst without simulated photons.

    The position is drawn about the true one; see ``mxt_notice_of``.

    Parameters
    ----------
    eclairs
        ECLAIRs notice of the burst, see ``mxt_notice_of``.
    ra_deg, dec_deg
        True position, ICRS degrees.
    start
        Start of the MXT observation, UTC.
    snr
        On-board SNR; ``instrument/constants.toml`` ``[snr_radius]`` gives the statistical R90 and its
        scatter.
    rng
        Random number generator of the scatter. The position scatters with the statistical radius only: the
        systematic error comes from attitude and alignment, which the photons of the same observation share.
    """
    law = instrument().snr_radius
    stat = law.amplitude_arcsec * (snr / 100) ** law.index * (1 + law.scatter * rng.standard_normal())
    ra, dec = _scattered(ra_deg, dec_deg, stat, rng)
    found = OnboardSource(ra_deg=ra % 360.0, dec_deg=dec, r90_arcsec=stat, snr=snr, known_source=False)
    return mxt_notice_of(eclairs, found, start=start)


def mxt_notice_of(eclairs: Alert, found: OnboardSource, *, start: datetime) -> Alert:
    """Create the ``mxt-initial_qfN`` alert for an on-board source after an ECLAIRs alert.

    As in real notices, the event time is the start of the MXT observation, the attitude is that before the
    slew, and the SNR saturates at 255. Unlike in real notices, ``within_eclairs_r90`` and
    ``eclairs_angle_arcmin`` follow from the two published positions and the published ECLAIRs radius. No flux
    is given, because its published unit is unknown.

    Parameters
    ----------
    eclairs
        The preceding ECLAIRs alert, which gives burst id, role, T0 and attitude.
    found
        The on-board result.
    start
        Start of the MXT observation, UTC.
    """
    law, stat, snr = instrument().snr_radius, found.r90_arcsec, found.snr
    radius = hypot(stat, systematic_r90(Origin.MXT_ONBOARD, start))
    quality = 1 + sum(stat < limit for limit in notice_facts().quality_factor.limits_arcsec)
    notice_type = f"mxt-initial_qf{quality}"
    ivorn = f"ivo://org.svom/fsc#{eclairs.burst_id}_{notice_type}"
    position = _published(Origin.MXT_ONBOARD, notice_type, found.ra_deg, found.dec_deg, radius, start, ivorn)
    angle = None if eclairs.position is None else _separation_arcmin(position, eclairs.position)
    circle = None if eclairs.position is None else eclairs.position.r90_arcsec
    return Alert(
        ivorn=ivorn,
        burst_id=eclairs.burst_id,
        notice_type=notice_type,
        packet_type=209,
        notice_level="N2m",
        instrument="MXT",
        role=eclairs.role,
        published=start + timedelta(seconds=notice_facts().latency_s.mxt_initial),
        event_time=start,
        trigger_time=eclairs.trigger_time,
        position=position,
        attitude=eclairs.attitude,
        snr=min(round(snr, 2), law.snr_saturation),
        snr_saturated=round(snr, 2) >= law.snr_saturation,
        within_eclairs_r90=None if angle is None or circle is None else 60 * angle <= circle,
        eclairs_angle_arcmin=None if angle is None else round(angle, 2),
        use_vt_attitude=False,
        citations=(Citation(ivorn=eclairs.ivorn, cite="followup"),),
    )


def _scattered(
    ra_deg: float, dec_deg: float, r90_arcsec: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Draw a measured position with circular Gaussian errors, 90 % of them within ``r90_arcsec``."""
    distance = rng.rayleigh(r90_arcsec / sqrt(2 * log(10)))
    ra, dec = offset_by(radians(ra_deg), radians(dec_deg), rng.uniform(0, 2 * pi), radians(distance / 3600))
    return float(ra.deg), float(dec.deg)


def _published(
    origin: Origin,
    label: str,
    ra_deg: float,
    dec_deg: float,
    radius_arcsec: float,
    time: datetime,
    ivorn: str,
) -> Position:
    """Round a position to four decimals of a degree, as in notices."""
    return notice_position(
        origin,
        label,
        ra_deg=round(ra_deg % 360, 4) % 360,
        dec_deg=round(dec_deg, 4),
        radius_arcsec=round(3600 * round(radius_arcsec / 3600, 4), 6),
        time=time,
        reference=ivorn,
    )


def _separation_arcmin(one: Position, other: Position) -> float:
    places = (one.ra_deg, one.dec_deg, other.ra_deg, other.dec_deg)
    return 60 * degrees(float(angular_separation(*map(radians, places))))


def _add_what(root: etree._Element, alert: Alert) -> None:
    what = add(root, "What")
    add_params(
        what,
        [
            ("Packet_Type", alert.packet_type, None, "meta.id"),
            ("Pkt_Ser_Num", 1, None, "meta.id"),
            ("Instrument", alert.instrument, None, "instr"),
        ],
    )
    groups: dict[str, list[Param]] = {
        "Svom_Identifiers": [
            ("Notice_Level", alert.notice_level, None, "meta.id"),
            ("Burst_Id", alert.burst_id, None, "meta.id"),
            ("Alert_Seq_T0", alert.trigger_time, None, "time.start"),
        ],
        "Detection_Info": _detection(alert),
        "Target_Info": [
            ("Onboard_Catalog_Id", alert.catalog_id, None, "meta.id.assoc"),
            ("Source_Name", alert.source_name, None, "meta.id.assoc"),
            ("Within_ECLAIRs_R90", alert.within_eclairs_r90, None, "instr.param"),
            ("ECLAIRs_Angle", alert.eclairs_angle_arcmin, "arcmin", "pos.angdistance"),
        ],
        "Satellite_Info": _satellite(alert),
    }
    for name, params in groups.items():
        add_group(what, name, params)


def _detection(alert: Alert) -> list[Param]:
    window_start, window_end = alert.time_window or (None, None)
    low, high = alert.energy_band_kev or (None, None)
    flux_unit = "erg.cm^-2.s^-1"
    return [
        ("SNR", alert.snr, "sigma", "stat.snr"),
        ("Timescale", alert.timescale_s, "s", "time.interval"),
        ("Time_Window_Start", window_start, None, "time.start"),
        ("Time_Window_End", window_end, None, "time.end"),
        ("Lower_Energy_Bound", low, "keV", "em.energy"),
        ("Upper_Energy_Bound", high, "keV", "em.energy"),
        ("Trigger_Type", alert.trigger_type, None, "instr.param"),
        ("Triggered_GRDs", alert.triggered_grds, None, "instr.param"),
        ("Mean_Flux", alert.mean_flux, flux_unit, "phot.flux"),
        ("Flux_Error", alert.flux_error, flux_unit, "phot.flux"),
    ]


def _satellite(alert: Alert) -> list[Param]:
    params: list[Param] = [
        ("Slew_Status", alert.slew_status, None, "meta.code.status"),
        ("Use_VT_Attitude", alert.use_vt_attitude, None, "instr.param"),
    ]
    if alert.attitude is not None:
        params += [
            ("Attitude_Ra", alert.attitude.ra_deg, "deg", "instr.param"),
            ("Attitude_Dec", alert.attitude.dec_deg, "deg", "instr.param"),
            ("Attitude_Roll", alert.attitude.roll_deg, "deg", "instr.param"),
        ]
    if alert.satellite is not None:
        params += [
            ("Sat_Longitude", alert.satellite.longitude_deg, "deg", "pos.earth.lon"),
            ("Sat_Latitude", alert.satellite.latitude_deg, "deg", "pos.earth.lat"),
            ("Sat_Altitude", alert.satellite.altitude_km, "km", "pos.earth.altitude"),
        ]
    return params


def _add_position(coordinates: etree._Element, position: Position) -> None:
    none = 0 if position.origin is Origin.VT else -1
    radius = none if position.r90_arcsec is None else position.r90_arcsec / 3600
    add_position(coordinates, ra_deg=position.ra_deg, dec_deg=position.dec_deg, radius_deg=radius)
