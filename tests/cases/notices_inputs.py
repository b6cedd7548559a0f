"""Notices that were once read wrongly: a sound one of the simulator, spoilt in one place."""

from datetime import UTC, datetime, timedelta

from mxtvhf.models.position import Origin
from mxtvhf.notices.voevent import notice_position
from mxtvhf.simulator.notices import write_notice
from support.alerts import alert_of

T0 = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
START = T0 + timedelta(seconds=180)


def sound() -> bytes:
    """The ``mxt-initial_qf1`` of a burst that is not there."""
    label = "mxt-initial_qf1"
    position = notice_position(
        Origin.MXT_ONBOARD, label, ra_deg=40.0, dec_deg=20.0, radius_arcsec=126.0, time=START
    )
    more = {"packet_type": 209, "notice_level": "N2m", "instrument": "MXT", "role": "test", "snr": 95.47}
    times = {"published": T0 + timedelta(seconds=643), "trigger_time": T0}
    return write_notice(alert_of("sb26060102", label, START, position=position, **more, **times))


def spoilt(old: str, new: str) -> bytes:
    """The sound notice with a part replaced."""
    text = sound().decode()
    assert old in text, old
    return text.replace(old, new).encode()


RADIUS = "<Error2Radius>0.035<"
INPUTS = {
    "notice_sound.xml": sound,
    "notice_ra_360.xml": lambda: spoilt("<C1>40.0<", "<C1>360.0000<"),
    "notice_radius_0.xml": lambda: spoilt(RADIUS, "<Error2Radius>0.0000<"),
    "notice_no_radius.xml": lambda: spoilt(f"{RADIUS}/Error2Radius>", ""),
    "notice_snr_inf.xml": lambda: spoilt('value="95.47"', 'value="inf"'),
    "notice_date.xml": lambda: spoilt("<Date>2026-06", "<Date>2026-16"),
    "notice_packet_type.xml": lambda: spoilt(
        'name="Packet_Type" value="209"', 'name="Packet_Type" value="?"'
    ),
    "notice_t0_year_1.xml": lambda: spoilt('value="2026-06-01T12:00:00Z"', 'value="0001-01-01T00:00:00Z"'),
    "notice_t0_2126.xml": lambda: spoilt("2026-06-01T12:0", "2126-06-01T12:0"),
    "notice_voevent_2.1.xml": lambda: sound().replace(b"v2.0", b"v2.1").replace(b'"2.0"', b'"2.1"'),
    "notice_voevent_3.0.xml": lambda: sound().replace(b"v2.0", b"v3.0").replace(b'"2.0"', b'"3.0"'),
    "notice_authority.xml": lambda: sound().replace(b"ivo://org.svom/fsc#", b"ivo://ORG.SVOM/fsc#"),
}
