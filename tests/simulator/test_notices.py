"""Writing notices: inverse of reading them, and correct notices of a simulated burst."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from astropy.coordinates import angular_separation
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.models.position import Origin
from mxtvhf.notices.alert import Alert, Attitude, Citation, SatellitePosition
from mxtvhf.notices.voevent import notice_position, read_alert
from mxtvhf.simulator.notices import eclairs_wakeup_notice, onboard_mxt_notice, write_notice

T0 = datetime(2026, 5, 11, 11, 0, 32, tzinfo=UTC)
TYPES = {
    "grm-trigger": (201, "N1g", Origin.GRM, "GRM"),
    "eclairs-wakeup": (202, "N1e", Origin.ECLAIRS, "ECLAIRs"),
    "eclairs-catalog": (203, "N1e", Origin.ECLAIRS, "ECLAIRs"),
    "slewing": (204, "N1e", Origin.ECLAIRS, "ECLAIRs"),
    "not-slewing": (205, "N1e", Origin.ECLAIRS, "ECLAIRs"),
    "mxt-initial_qf1": (209, "N2m", Origin.MXT_ONBOARD, "MXT"),
    "mxt-update_qf3": (210, "N2m", Origin.MXT_ONBOARD, "MXT"),
    "vt": (211, "N2v", Origin.VT, "VT"),
    "retraction": (219, "N3e", Origin.ECLAIRS, "ECLAIRs"),
    "some-later.type": (230, "N4x", Origin.OTHER, "C-GFT"),
}

moments = st.datetimes(datetime(2017, 3, 1), datetime(2026, 12, 31), timezones=st.just(UTC))
finite = st.floats(allow_nan=False, allow_infinity=False, width=64)
positive = st.floats(0.0, allow_nan=False, allow_infinity=False)
minutes = st.floats(0.0, 20_000.0).map(lambda value: timedelta(minutes=value))
words = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=20).filter(
    lambda word: word.lower() not in {"none", "null", "nan", "n/a", "na", "unknown"}
)
ivorns = st.from_regex(r"ivo://[a-z]{1,9}#[a-z0-9_-]{1,20}", fullmatch=True)
flags = st.booleans()


def or_none(strategy):
    return st.none() | strategy


@st.composite
def positions(draw, origin, label, time, ivorn):
    """Generate positions with the precision of notices."""
    radius = st.integers(1, 3_600_000_000).map(lambda micro: micro / 1e6)
    if origin in (Origin.GRM, Origin.VT):
        radius = or_none(radius)
    return notice_position(
        origin,
        label,
        ra_deg=draw(st.floats(0, 360, exclude_max=True)),
        dec_deg=draw(st.floats(-90, 90)),
        radius_arcsec=draw(radius),
        time=time,
        reference=ivorn,
    )


@st.composite
def alerts(draw):
    """Generate alerts that a notice can represent."""
    kind = draw(st.sampled_from(sorted(TYPES)))
    packet_type, level, origin, instrument = TYPES[kind]
    burst_id = draw(st.from_regex(r"sb[0-9]{8}", fullmatch=True))
    ivorn = f"ivo://org.svom/fsc#{burst_id}_{kind}"
    time = draw(moments)
    snr, flux = draw(or_none(positive)), draw(or_none(finite))
    angles = st.floats(-180, 180)
    return Alert(
        ivorn=ivorn,
        burst_id=burst_id,
        notice_type=kind,
        packet_type=packet_type,
        notice_level=level,
        instrument=instrument,
        role=draw(st.sampled_from(["observation", "prediction", "utility", "test"])),
        published=draw(or_none(minutes.map(lambda after: time + after))),
        event_time=time,
        trigger_time=draw(or_none(minutes.map(lambda before: time - before))),
        time_window=draw(or_none(st.tuples(moments, moments).map(lambda pair: tuple(sorted(pair))))),
        position=draw(or_none(positions(origin, kind, time, ivorn))),
        attitude=draw(
            or_none(
                st.builds(
                    Attitude,
                    ra_deg=st.floats(0, 360, exclude_max=True),
                    dec_deg=st.floats(-90, 90),
                    roll_deg=angles,
                )
            )
        ),
        satellite=draw(
            or_none(
                st.builds(
                    SatellitePosition,
                    longitude_deg=angles,
                    latitude_deg=st.floats(-90, 90),
                    altitude_km=positive,
                )
            )
        ),
        snr=snr,
        snr_saturated=snr is not None and snr >= 255,
        mean_flux=flux,
        flux_error=draw(or_none(positive)),
        flux_credible=flux is None or 0 <= flux <= 1e-5,
        timescale_s=draw(or_none(positive)),
        energy_band_kev=draw(or_none(st.tuples(positive, positive).map(lambda pair: tuple(sorted(pair))))),
        trigger_type=draw(or_none(st.sampled_from(["CRT", "IMT"]))),
        triggered_grds=draw(or_none(st.from_regex(r"[01]{3}", fullmatch=True))),
        use_vt_attitude=draw(or_none(flags)),
        within_eclairs_r90=draw(or_none(flags)),
        eclairs_angle_arcmin=draw(or_none(st.floats(0.0, 10_800.0))),
        slew_status=draw(or_none(st.sampled_from(["not-requested", "requested", "accepted", "rejected"]))),
        source_name=draw(or_none(words)),
        catalog_id=draw(or_none(st.integers(0, 999_999_999))),
        citations=tuple(
            draw(
                st.lists(
                    st.builds(
                        Citation, ivorn=ivorns, cite=st.sampled_from(["followup", "supersedes", "retraction"])
                    ),
                    max_size=3,
                )
            )
        ),
    )


@given(alerts())
def test_a_written_notice_reads_back_equal(alert):
    assert read_alert(write_notice(alert)) == alert


def test_the_author_is_the_simulator():
    raw = write_notice(wakeup())
    assert b"org.svom/fsc</AuthorIVORN>" not in raw
    assert b"<contactName>MXT-VHF team</contactName>" in raw
    assert b"Simulated" in raw
    assert read_alert(raw).is_test


def wakeup(seed=1, snr=20.0):
    return eclairs_wakeup_notice(
        "sb26051102",
        ra_deg=150.0,
        dec_deg=-80.0,
        trigger_time=T0,
        snr=snr,
        rng=np.random.default_rng(seed),
        attitude=Attitude(ra_deg=130, dec_deg=-60, roll_deg=10),
    )


def initial(seed=1, snr=100.0, eclairs=None):
    return onboard_mxt_notice(
        eclairs or wakeup(seed),
        ra_deg=150.0,
        dec_deg=-80.0,
        start=T0 + timedelta(minutes=3),
        snr=snr,
        rng=np.random.default_rng(seed),
    )


def separation_arcsec(one, ra_deg, dec_deg):
    angles = np.radians([one.ra_deg, one.dec_deg, ra_deg, dec_deg])
    return 3600 * np.degrees(angular_separation(*angles))


@pytest.mark.parametrize("make", [wakeup, initial])
def test_simulated_notices_read_back_equal(make):
    alert = make()
    assert read_alert(write_notice(alert)) == alert


def test_eclairs_radius_holds_the_true_position_in_90_percent():
    found = [alert.position for alert in map(wakeup, range(1000))]
    assert found[0].r90_stat_arcsec == pytest.approx(77 * 60 / 20, rel=1e-3)
    inside = sum(separation_arcsec(position, 150, -80) <= position.r90_arcsec for position in found)
    assert 870 <= inside <= 930


def test_mxt_statistical_radius_holds_the_true_position_in_90_percent():
    eclairs = wakeup()
    found = [initial(seed, eclairs=eclairs).position for seed in range(1000)]
    assert np.median([position.r90_stat_arcsec for position in found]) == pytest.approx(119.9, rel=0.01)
    inside = sum(separation_arcsec(position, 150, -80) <= position.r90_stat_arcsec for position in found)
    assert 870 <= inside <= 930


@pytest.mark.parametrize(
    ("snr", "quality", "published_snr"), [(40, 1, 40), (130, 2, 130), (400, 3, 255), (1000, 4, 255)]
)
def test_mxt_quality_factor_and_saturation(snr, quality, published_snr):
    alert = initial(snr=snr)
    assert alert.notice_type == f"mxt-initial_qf{quality}"
    assert (alert.snr, alert.snr_saturated) == (published_snr, published_snr == 255)


@pytest.mark.parametrize("seed", range(20))
def test_mxt_notice_says_the_truth_about_eclairs(seed):
    eclairs = wakeup(seed)
    alert = initial(seed, eclairs=eclairs)
    separation = separation_arcsec(alert.position, eclairs.position.ra_deg, eclairs.position.dec_deg)
    assert alert.eclairs_angle_arcmin == pytest.approx(separation / 60, abs=0.006)
    assert alert.within_eclairs_r90 == (separation <= eclairs.position.r90_arcsec)


def test_mxt_notice_follows_its_eclairs_notice():
    eclairs = wakeup()
    alert = initial(eclairs=eclairs)
    assert (alert.burst_id, alert.attitude, alert.role) == (eclairs.burst_id, eclairs.attitude, eclairs.role)
    assert alert.citations == (Citation(ivorn=eclairs.ivorn, cite="followup"),)
    assert alert.trigger_time == T0
    assert alert.event_time == T0 + timedelta(minutes=3)
    assert alert.published > alert.event_time


def test_mxt_notice_after_an_alert_without_position():
    eclairs = wakeup().model_copy(update={"position": None})
    alert = initial(eclairs=eclairs)
    assert (alert.within_eclairs_r90, alert.eclairs_angle_arcmin) == (None, None)
