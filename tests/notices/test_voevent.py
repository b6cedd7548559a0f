"""Reading notices: facts of public ones, and errors and warnings of bad ones."""

import os
import re
import tomllib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from math import sqrt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from mxtvhf.archive.inputs import MAX_ALERT_BYTES
from mxtvhf.errors import InvalidInput, NotOurs
from mxtvhf.models.position import Origin
from mxtvhf.notices.alert import Alert
from mxtvhf.notices.constants import notice_facts
from mxtvhf.notices.voevent import notice_position, read_alert
from mxtvhf.simulator.notices import write_notice
from support.project import PROJECT

FACTS = {
    facts["ivorn"]: facts
    for facts in tomllib.loads((PROJECT / "tests" / "data" / "notices.toml").read_text())["notice"]
}
SYSTEMATIC_ARCSEC = {"ECLAIRs": 120.0, "MXT": 25.0, "GRM": 0.0}
ORIGIN = {"ECLAIRs": Origin.ECLAIRS, "MXT": Origin.MXT_ONBOARD, "GRM": Origin.GRM}


def alert_of(facts):
    """Return the alert expected from a notice with these facts."""
    fields = dict(facts)
    position = fields.pop("position", None)
    if position is not None:
        total = position["radius_deg"] * 3600 if position["radius_deg"] > 0 else None
        systematic = SYSTEMATIC_ARCSEC[facts["instrument"]]
        position = {
            "origin": ORIGIN[facts["instrument"]],
            "label": facts["notice_type"],
            "ra_deg": position["ra_deg"],
            "dec_deg": position["dec_deg"],
            "r90_stat_arcsec": total and sqrt(round(total, 6) ** 2 - systematic**2),
            "r90_sys_arcsec": systematic,
            "r90_arcsec": total and round(total, 6),
            "time": facts["event_time"],
            "reference": facts["ivorn"],
        }
    return Alert(
        position=position,
        snr_saturated=facts["snr"] == 255,
        flux_credible="mean_flux" not in facts,
        **fields,
    )


def real_notices():
    """Return the real notices in the folder given by MXTVHF_SAMPLES; none if it is not set."""
    folder = os.environ.get("MXTVHF_SAMPLES")
    return sorted(Path(folder).rglob("*.xml")) if folder else []


def notice(ivorn="ivo://org.svom/fsc#sb26030704_mxt-initial_qf3"):
    """Return a valid notice as text, to be damaged."""
    return write_notice(alert_of(FACTS[ivorn])).decode()


def spoilt(old, new, ivorn="ivo://org.svom/fsc#sb26030704_mxt-initial_qf3"):
    """Return the notice with a part replaced."""
    text = notice(ivorn)
    assert old in text
    return text.replace(old, new).encode()


def refusal(raw):
    """Return the one-line message with which a notice is rejected."""
    with pytest.raises(InvalidInput) as caught:
        read_alert(raw, name="inbox/7.xml")
    message = str(caught.value)
    assert message.startswith("inbox/7.xml: ")
    assert message.isprintable()
    assert len(message) < 400
    return message


@pytest.mark.parametrize(
    "raw",
    [
        *(pytest.param(write_notice(alert_of(facts)), id=ivorn[20:]) for ivorn, facts in FACTS.items()),
        *(pytest.param(path.read_bytes(), id=path.name) for path in real_notices()),
    ],
)
def test_public_notices_give_their_facts(raw):
    alert = read_alert(raw)
    assert alert.ivorn.endswith(f"#{alert.burst_id}_{alert.notice_type}")
    if alert.ivorn in FACTS:
        assert alert == alert_of(FACTS[alert.ivorn])


def test_mxt_notice_splits_its_radius():
    position = read_alert(notice().encode()).position
    assert position.origin is Origin.MXT_ONBOARD
    assert position.r90_arcsec == pytest.approx(52.2)
    assert position.r90_stat_arcsec == pytest.approx(45.82, abs=0.01)
    assert position.r90_sys_arcsec == 25


def test_mxt_systematic_was_larger_before_august_2025():
    early, late = (
        notice_position(
            Origin.MXT_ONBOARD,
            "",
            ra_deg=1,
            dec_deg=1,
            radius_arcsec=128.2,
            time=datetime(2025, month, 5, tzinfo=UTC),
        )
        for month in (7, 8)
    )
    assert (early.r90_sys_arcsec, late.r90_sys_arcsec) == (35, 25)
    assert early.r90_stat_arcsec < late.r90_stat_arcsec


def test_radius_below_the_systematic_is_not_split():
    raw = spoilt("<Error2Radius>0.0145<", "<Error2Radius>0.0050<")
    position = read_alert(raw).position
    assert (position.r90_stat_arcsec, position.r90_arcsec) == (None, 18)


@pytest.mark.parametrize(
    "ivorn", [ivorn for ivorn, facts in FACTS.items() if facts["instrument"] == "ECLAIRs"]
)
def test_eclairs_statistical_radius_follows_the_snr(ivorn):
    alert = alert_of(FACTS[ivorn])
    law = notice_facts().eclairs_snr_radius.amplitude_arcmin
    assert alert.position.r90_stat_arcsec / 60 * alert.snr == pytest.approx(law, rel=2e-3)


def test_grm_notice_without_position():
    alert = read_alert(notice("ivo://org.svom/fsc#sb26020401_grm-trigger").encode())
    assert alert.position is None
    assert alert.triggered_grds == "101"


def test_grm_radius_of_minus_one_is_unknown_but_the_position_stays():
    position = read_alert(notice("ivo://org.svom/fsc#sb26042101_grm-trigger").encode()).position
    assert (position.ra_deg, position.r90_arcsec, position.r90_stat_arcsec) == (171.5201, None, None)


def test_retraction_keeps_its_role():
    alert = read_alert(notice("ivo://org.svom/fsc#sb26020402_retraction").encode())
    assert (alert.is_retraction, alert.is_test, alert.role) == (True, False, "observation")
    assert {citation.cite for citation in alert.citations} == {"retraction"}


def test_saturated_snr_and_impossible_flux_are_marked():
    alert = read_alert(notice().encode())
    assert (alert.snr, alert.snr_saturated) == (255, True)
    assert (alert.mean_flux, alert.flux_credible) == (3.2, False)


@pytest.mark.parametrize(
    ("value", "unit", "credible"),
    [("2.6e-10", "erg.cm^-2.s^-1", True), ("-1e-10", "erg.cm^-2.s^-1", False), ("1e-9", "count.s^-1", False)],
)
def test_credible_flux(value, unit, credible):
    raw = re.sub(
        r'name="Mean_Flux" value="3.2" unit="[^"]*"',
        f'name="Mean_Flux" value="{value}" unit="{unit}"',
        notice(),
    )
    assert read_alert(raw.encode()).flux_credible is credible


def test_test_notice():
    assert read_alert(spoilt('role="observation"', 'role="test"')).is_test


@pytest.mark.parametrize("word", ["", " ", "None", "nan", "N/A"])
def test_optional_value_not_available(word):
    assert read_alert(spoilt('value="4.53"', f'value="{word}"')).eclairs_angle_arcmin is None


def test_unknown_packet_type_and_instrument_are_read():
    raw = spoilt('value="209"', 'value="230"').replace(b'value="MXT"', b'value="C-GFT"')
    alert = read_alert(raw.replace(b"mxt-initial_qf3", b"gft-candidate.1"))
    assert (alert.packet_type, alert.notice_type) == (230, "gft-candidate.1")
    assert alert.position.origin is Origin.OTHER
    assert alert.position.r90_stat_arcsec is None


def test_vt_notice():
    raw = spoilt('value="209"', 'value="211"').replace(b'value="MXT"', b'value="VT"')
    raw = raw.replace(b"mxt-initial_qf3", b"vt").replace(b"0.0145", b"0.0001")
    position = read_alert(raw).position
    assert (position.origin, position.r90_arcsec, position.r90_sys_arcsec) == (Origin.VT, 0.36, 0)
    assert read_alert(raw.replace(b">0.0001<", b">0.0000<")).position.r90_arcsec is None


def test_names_and_words_of_the_draft_schema():
    text = notice("ivo://org.svom/fsc#sb26021102_not-slewing")
    for new, old in notice_facts().older_names.items():
        text = text.replace(f'"{new}"', f'"{old}"')
    text = text.replace("UTC-ICRS-GEO", "UTC-FK5-GEO").replace('"CRT"', '"count_rate"')
    text = text.replace('"rejected"', '"not_requested"')
    draft, today = read_alert(text.encode()), alert_of(FACTS["ivo://org.svom/fsc#sb26021102_not-slewing"])
    assert draft == today.model_copy(update={"slew_status": "not-requested"})


def test_author_title_with_json_and_document_in_one_line():
    text = notice().replace("MXT-VHF simulator", '{"full_name": "Centre", "ref": "https://a.b"}')
    one_line = re.sub(r">\s+<", "><", text)
    assert read_alert(one_line.encode()) == read_alert(notice().encode())


def test_authority_in_capitals():
    assert read_alert(spoilt("ivo://org.svom/fsc#", "ivo://org.svom/FSC#")).burst_id == "sb26030704"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("declared", ["UTF-8", "UTF-16"])
def test_byte_order_marks(encoding, declared):
    raw = notice().replace("encoding='UTF-8'", f"encoding='{declared}'").encode(encoding)
    assert read_alert(raw) == read_alert(notice().encode())


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-07T13:48:16.695000", "2026-03-07T13:48:16.695+00:00"),
        ("2026-03-07T13:48:16Z", "2026-03-07T13:48:16+00:00"),
        ("2026-03-07 13:48:16.6951239", "2026-03-07T13:48:16.695123+00:00"),
        ("2026-03-07T15:48:16+02:00", "2026-03-07T13:48:16+00:00"),
        ("2026-12-31T23:59:60", "2027-01-01T00:00:00+00:00"),
        ("2026-12-31T23:59:60.25Z", "2027-01-01T00:00:00.250+00:00"),
    ],
)
def test_times_are_utc(text, moment):
    alert = read_alert(spoilt("2026-03-07T13:48:16.695000", text))
    assert alert.event_time == datetime.fromisoformat(moment)
    assert alert.event_time.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-03-07",
        "20260307T134816",
        "2026-02-30T00:00:00",
        "2026-03-07T13:48:60",
        "2026-12-31T23:59:60+02:00",
        "2026-03-07T25:00:00",
        "1970-01-01T00:00:00",
        "9999-12-31T23:59:59-14:00",
        "202\uff16-03-07T13:48:16",
    ],
)
def test_impossible_event_time(text):
    assert "ISOTime" in refusal(spoilt("2026-03-07T13:48:16.695000", text))


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("deg", 1), ("degrees", 1), ("arcmin", 60), ("arcsec", 3600), ("rad", 0.017453292519943295)],
)
def test_position_units_are_converted(unit, factor):
    text = notice().replace('Position2D unit="deg"', f'Position2D unit="{unit}"')
    for value in ("155.5246", "-21.0037", "0.0145"):
        text = text.replace(f">{value}<", f">{float(value) * factor!r}<")
    position = read_alert(text.encode()).position
    assert position.ra_deg == pytest.approx(155.5246)
    assert position.dec_deg == pytest.approx(-21.0037)
    assert position.r90_arcsec == pytest.approx(52.2)


def test_parameter_units_are_converted():
    raw = spoilt('value="4.53" unit="arcmin"', 'value="0.0755" unit="deg"')
    assert read_alert(raw).eclairs_angle_arcmin == pytest.approx(4.53)


INDISPENSABLE = [
    ('Position2D unit="deg"', 'Position2D unit="parsec"', "Position2D has the unit 'parsec'"),
    ('Position2D unit="deg"', "Position2D", "Position2D has the unit ''"),
    ("<C1>155.5246<", "<C1>NaN<", "C1 'NaN'"),
    ("<C1>155.5246<", "<C1>INF<", "C1 'INF'"),
    ("<C1>155.5246<", "<C1>1e999<", "C1 '1e999'"),
    ("<C1>155.5246<", "<C1><", "C1 ''"),
    ("<C1>155.5246<", "<C1>12h30m<", "C1 '12h30m'"),
    ("<C1>155.5246<", "<C1>360.01<", "C1 (right ascension) 360.01"),
    ("<C1>155.5246<", "<C1>-1<", "C1 (right ascension) -1"),
    ("<C1>155.5246</C1>", "", "0 elements C1"),
    ("<C1>155.5246</C1>", "<C1>155.5246</C1><C1>15.5246</C1>", "2 elements C1"),
    ("<C2>-21.0037<", "<C2>91<", "C2 (declination) 91"),
    ("<Name1>RA<", "<Name1>Dec<", "axes 'Dec, Dec'"),
    ("<Position2D", "<Position3D/><Position2D", "Position3D"),
    ("UTC-ICRS-GEO", "TDB-ICRS-BARY", "coordinate system 'TDB-ICRS-BARY'"),
    ("UTC-ICRS-GEO", "UTC-HPLN-TOPO", "coordinate system 'UTC-HPLN-TOPO'"),
    ('name="Pkt_Ser_Num" value="1"', 'name="Burst_Id" value="sb26030705"', "Burst_Id is given 2 times"),
    (' role="observation"', "", "has no role"),
    ('role="observation"', 'role="tset"', "'tset'"),
    ('role="observation"', 'role=""', "role ''"),
]


@pytest.mark.parametrize(("old", "new", "said"), INDISPENSABLE)
def test_a_notice_with_invalid_identity_role_time_or_position_is_refused(old, new, said):
    assert said in refusal(spoilt(old, new))


RADIUS = "<Error2Radius>0.0145<"
LEFT_OUT = [
    (RADIUS, "<Error2Radius>0<", "Error2Radius 0 deg", "position.r90_arcsec"),
    (RADIUS, "<Error2Radius>0.0000<", "Error2Radius 0 deg", "position.r90_arcsec"),
    (RADIUS, "<Error2Radius>-1<", "Error2Radius -1 deg", "position.r90_arcsec"),
    (RADIUS, "<Error2Radius>-0.1<", "Error2Radius -0.1 deg", "position.r90_stat_arcsec"),
    (RADIUS, "<Error2Radius>1e9<", "Error2Radius 1e+09 deg", "position.r90_arcsec"),
    (RADIUS, "<Error2Radius>0.87e2<", "Error2Radius 87 deg", "position.r90_arcsec"),
    (RADIUS, "<Error2Radius>NaN<", "Error2Radius 'NaN'", "position.r90_arcsec"),
    (RADIUS, "<Error2Radius>INF<", "Error2Radius 'INF'", "position.r90_arcsec"),
    (RADIUS, "<Error2Radius>n/a<", "Error2Radius 'n/a'", "position.r90_arcsec"),
    (f"{RADIUS}/Error2Radius>", "", "has no Error2Radius", "position.r90_arcsec"),
    ('value="4.53" unit="arcmin"', 'value="4.53" unit="s"', "unit 's'", "eclairs_angle_arcmin"),
    ('value="4.53" unit="arcmin"', 'value="-4.53"', "ECLAIRs_Angle '-4.53'", "eclairs_angle_arcmin"),
    ('value="255.0"', 'value="1e999"', "SNR '1e999'", "snr"),
    ('value="255.0"', 'value="inf"', "SNR 'inf'", "snr"),
    ('value="255.0"', 'value="-inf"', "SNR '-inf'", "snr"),
    ('value="255.0"', 'value="many"', "SNR 'many'", "snr"),
    ('value="255.0"', 'value="-3"', "SNR '-3'", "snr"),
    ('value="-40.55"', 'value="-95"', "Attitude_Dec '-95'", "attitude"),
    ('name="Attitude_Ra" value="', 'name="Attitude_Ra" value="4', "Attitude_Ra '4", "attitude"),
    ('name="Sat_Latitude" value="', 'name="Sat_Latitude" value="91', "Sat_Latitude '91", "satellite"),
    ('name="Sat_Altitude" value="', 'name="Sat_Altitude" value="-', "Sat_Altitude '-", "satellite"),
    ('value="209"', 'value="2O9"', "Packet_Type '2O9'", "packet_type"),
    ('value="209"', 'value="-1"', "Packet_Type '-1'", "packet_type"),
    ('value="209"', 'value="209.0"', "Packet_Type '209.0'", "packet_type"),
    ('name="Packet_Type"', 'name="Packet"', "Packet_Type is missing", "packet_type"),
    (
        'name="Packet_Type" value="209"',
        'name="Packet_Type" value=""',
        "Packet_Type is missing",
        "packet_type",
    ),
    (
        '"Within_ECLAIRs_R90" value="False"',
        '"Within_ECLAIRs_R90" value="perhaps"',
        "'perhaps'",
        "within_eclairs_r90",
    ),
    ('name="Pkt_Ser_Num" value="1"', 'name="SNR" value="7"', "SNR is given 2 times", "snr"),
    ("<Date>2026-03-07", "<Date>2026-13-07", "Date '2026-13-07", "published"),
    ("<Date>2026-03-07", "<Date>0001-03-07", "Date 0001-03-07", "published"),
    ("<Date>2026-03-07", "<Date>2126-03-07", "Date 2126-03-07", "published"),
    ("<Date>2026-03-07", "<Date>2026-03-01", "Date 2026-03-01", "published"),
    ("<Date>2026-03-07", "<Date>last week ", "Date 'last week", "published"),
]


def value_at(alert, path):
    for part in path.split("."):
        alert = getattr(alert, part)
    return alert


@pytest.mark.parametrize(("old", "new", "said", "field"), LEFT_OUT)
def test_an_invalid_optional_value_is_ignored_with_a_warning(old, new, said, field):
    raw = spoilt(old, new)
    alert = read_alert(raw)
    assert value_at(alert, field) is None
    told = [warning for warning in alert.warnings if said in warning and "not valid" not in warning]
    assert len(told) == 1, alert.warnings
    assert any(words in told[0] for words in ("ignored", "has no", "is missing"))
    # All other values are read as usual.
    sound = read_alert(notice().encode())
    group = field.partition(".")[0]
    changed = {name: getattr(sound, name) for name in (group, "warnings")}
    if group == "snr":
        changed["snr_saturated"] = sound.snr_saturated
    assert alert.model_copy(update=changed) == sound


@pytest.mark.parametrize(
    ("name", "field"),
    [("Notice_Level", "notice_level"), ("Instrument", "instrument"), ("Burst_Id", "burst_id")],
)
def test_a_parameter_that_every_notice_has_may_be_missing(name, field):
    alert = read_alert(spoilt(f'name="{name}"', 'name="Other"'))
    assert getattr(alert, field) == ("sb26030704" if name == "Burst_Id" else "unknown")
    assert f"{name} is missing in What" in "; ".join(alert.warnings)
    assert alert.position.ra_deg == 155.5246


def test_a_valid_notice_gives_no_warning():
    assert read_alert(notice().encode()).warnings == ()


OPTIONAL = (
    "SNR", "Timescale", "Time_Window_Start", "Time_Window_End", "Lower_Energy_Bound", "Upper_Energy_Bound",
    "Trigger_Type", "Triggered_GRDs", "Mean_Flux", "Flux_Error", "Slew_Status", "Use_VT_Attitude",
    "Attitude_Ra",
    "Attitude_Dec", "Attitude_Roll", "Sat_Longitude", "Sat_Latitude", "Sat_Altitude", "Onboard_Catalog_Id",
    "Source_Name", "Within_ECLAIRs_R90", "ECLAIRs_Angle", "Packet_Type", "Notice_Level", "Instrument",
)  # fmt: skip
"""All optional parameters that `read_alert` reads."""
HOSTILE = st.sampled_from(
    ["inf", "-inf", "nan", "1e999", "-1", "0", "0.0", "-0.0", "1e308", "360", "400", "perhaps", "9" * 400,
     "0001-01-01T00:00:00", "9999-12-31T23:59:59-14:00", "2026-02-30T00:00:00", "\u202e", "a\tb", " ", "True",
     "\uff11\uff12", "0x10", "1_000", "12h30m", "<&>", "x" * 5000]
)  # fmt: skip
HOSTILE |= st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co"]), max_size=30)
UNITS = st.none() | st.sampled_from(["", "deg", "rad", "parsec", "s", "keV", "erg", "DEG", "\u00b0"])


@given(st.dictionaries(st.sampled_from(OPTIONAL), st.tuples(HOSTILE, UNITS), min_size=1))
def test_an_invalid_optional_value_never_rejects_a_notice(values):
    root = etree.fromstring(notice().encode())
    what = root.find("What")
    for param in list(root.iterfind(".//Param")):
        if param.get("name") in values:
            param.getparent().remove(param)
    for name, (value, unit) in values.items():
        param = etree.SubElement(what, "Param", name=name, value=value)
        if unit is not None:
            param.set("unit", unit)
    alert, sound = read_alert(etree.tostring(root)), read_alert(notice().encode())
    for field in ("ivorn", "burst_id", "role", "event_time", "published", "citations"):
        assert getattr(alert, field) == getattr(sound, field)
    assert (alert.position.ra_deg, alert.position.dec_deg) == (155.5246, -21.0037)
    assert Alert.model_validate_json(alert.model_dump_json()) == alert
    assert all(warning.isprintable() and len(warning) < 400 for warning in alert.warnings)
    for shown in (
        alert.source_name,
        alert.trigger_type,
        alert.slew_status,
        alert.instrument,
        alert.notice_level,
    ):
        assert shown is None or (shown.isprintable() and len(shown) <= 100)


@pytest.mark.parametrize("text", ["360", "360.0000", "3.6e2"])
def test_a_right_ascension_that_was_rounded_up_to_360_is_0(text):
    raw = spoilt("<C1>155.5246<", f"<C1>{text}<")
    assert read_alert(raw).position.ra_deg == 0.0
    assert read_alert(raw).warnings == ()


def test_a_right_ascension_just_below_360_stays():
    assert read_alert(spoilt("<C1>155.5246<", "<C1>359.99999999999994<")).position.ra_deg > 359.9


T0_PARAM = '<Param name="Alert_Seq_T0" value="{}"/><Param name="Packet_Type"'


def with_t0(text):
    return spoilt('<Param name="Packet_Type"', T0_PARAM.format(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0001-01-01T00:00:00Z", "before the mission's epoch"),
        ("1970-01-01T00:00:00Z", "before the mission's epoch"),
        ("2126-03-07T13:40:00Z", "days in the future"),
        ("2026-03-09T13:40:00Z", "2 days after the ISOTime"),
        ("2025-03-07T13:40:00Z", "365 days before the ISOTime"),
    ],
)
def test_an_impossible_t0_refuses_the_notice(text, said):
    message = refusal(with_t0(text))
    assert "Alert_Seq_T0" in message
    assert said in message


def test_a_t0_that_is_not_a_date_is_ignored():
    assert read_alert(with_t0("2026-03-07T13:40:00Z")).trigger_time == datetime(
        2026, 3, 7, 13, 40, tzinfo=UTC
    )
    alert = read_alert(with_t0("yesterday"))
    assert alert.trigger_time is None
    assert "Alert_Seq_T0 'yesterday'" in alert.warnings[0]


def test_an_event_far_in_the_future_is_refused():
    assert "days in the future" in refusal(spoilt("2026-03-07T13:48:16.695000", "2126-03-07T13:48:16"))


@pytest.mark.parametrize(
    ("cited", "warned"),
    [
        ('<EventIVORN cite="mention">ivo://a#b</EventIVORN>', "cited as 'mention'"),
        ("<EventIVORN/>", "EventIVORN ''"),
        ('<EventIVORN cite="followup"> </EventIVORN>', "EventIVORN ''"),
        (f"<EventIVORN>ivo://{'a' * 400}</EventIVORN>", "EventIVORN 'ivo://aaa"),
    ],
)
def test_an_invalid_citation_is_ignored(cited, warned):
    alert = read_alert(spoilt("<EventIVORN", f"{cited}<EventIVORN"))
    assert alert.citations == read_alert(notice().encode()).citations
    assert warned in "; ".join(alert.warnings)
    assert not alert.is_retraction


def test_a_retraction_without_a_packet_type_is_one():
    raw = spoilt('name="Packet_Type"', 'name="Packet"', "ivo://org.svom/fsc#sb26020402_retraction")
    raw = raw.replace(b'cite="retraction"', b'cite="retracts"')
    assert read_alert(raw).is_retraction


def of_version_2_1(text):
    return (
        text.replace("VOEvent/v2.0", "VOEvent/v2.1")
        .replace("VOEvent-v2.0", "VOEvent-v2.1")
        .replace(' version="2.0"', ' version="2.1"')
    )


@pytest.mark.parametrize("ivorn", FACTS)
def test_voevent_2_1_is_read_like_2_0(ivorn):
    assert read_alert(of_version_2_1(notice(ivorn)).encode()) == alert_of(FACTS[ivorn])


def test_units_and_errors_of_voevent_2_1():
    text = of_version_2_1(notice()).replace('Position2D unit="deg"', "Position2D")
    for tag, value, factor in (
        ("C1", "155.5246", 3600),
        ("C2", "-21.0037", 3600),
        ("Error2Radius", "0.0145", 60),
    ):
        unit = "arcsec" if factor == 3600 else "arcmin"
        text = text.replace(f"<{tag}>{value}<", f'<{tag} pos_unit="{unit}">{float(value) * factor!r}<')
    position = read_alert(text.encode()).position
    assert (position.ra_deg, position.dec_deg) == pytest.approx((155.5246, -21.0037))
    assert position.r90_arcsec == pytest.approx(52.2)
    without = re.sub("<Error2Radius.*</Error2Radius>", "<Error2><C1>0.1</C1><C2>0.1</C2></Error2>", text)
    alert = read_alert(without.encode())
    assert alert.position.r90_arcsec is None
    assert "no Error2Radius" in alert.warnings[0]


def test_the_interval_of_voevent_2_1_begins_the_event():
    start, stop = "2026-03-07T13:48:16.695", "2026-03-07T13:58:16"
    interval = (
        f"<TimeInterval><ISOTimeStart>{start}</ISOTimeStart><ISOTimeStop>{stop}</ISOTimeStop></TimeInterval>"
    )
    text = re.sub("<TimeInstant>.*</TimeInstant>", interval, of_version_2_1(notice()), flags=re.DOTALL)
    alert = read_alert(text.encode())
    assert alert.event_time == datetime.fromisoformat(f"{start}+00:00")
    assert "interval" in alert.warnings[0]


def test_ivorns_are_compared_without_the_case_of_the_authority():
    plain = read_alert(notice().encode())
    loud = notice().replace("ivo://org.svom/fsc#", "IVO://ORG.SVOM/FSC#")
    assert read_alert(loud.encode()) == plain


@pytest.mark.parametrize(
    "identifier",
    [
        "../../etc",
        "sb2602",
        "sb" + "1" * 10_000,
        "sb2603070\uff14",
        "\u0455b26030704",
        "-sb26030704",
        "SB26030704",
        "sb26030705",
    ],
)
def test_bad_burst_id_is_refused(identifier):
    assert "Burst_Id" in refusal(spoilt('value="sb26030704"', f'value="{identifier}"'))
    assert "ivorn" in refusal(spoilt("#sb26030704_mxt", f"#{identifier}_mxt"))


@pytest.mark.parametrize(
    "fragment",
    [
        "sb26030704",
        "sb26030704_",
        "sb26030704_../x",
        "sb26030704_a/b",
        "sb26030704_a..b",
        "sb26030704_.a",
        "",
        "sb26030704_" + "a" * 2000,
    ],
)
def test_bad_ivorn_is_refused(fragment):
    assert "ivorn" in refusal(spoilt("#sb26030704_mxt-initial_qf3", f"#{fragment}"))


@pytest.mark.parametrize(
    "ivorn",
    [
        "ivo://nasa.gsfc.gcn/SWIFT#BAT_1",
        "ivo://gwnet/LVC#S1-1-Initial",
        "ivo://org.svom/fscx#sb26030704_a",
        "x" * 3000,
    ],
)
def test_notices_of_other_streams_are_not_ours(ivorn):
    with pytest.raises(NotOurs, match=f"alert: .*{ivorn[:60]}"):
        read_alert(spoilt("ivo://org.svom/fsc#sb26030704_mxt-initial_qf3", ivorn))


BOMB = "<!DOCTYPE a [<!ENTITY a0 'ha'>" + "".join(
    f"<!ENTITY a{i} '{f'&a{i - 1};' * 10}'>" for i in range(1, 10)
)


def test_the_largest_notice_is_the_largest_alert_that_is_read():
    raw = notice().encode().ljust(MAX_ALERT_BYTES, b"\n")
    assert isinstance(read_alert(raw), Alert)
    assert f"{MAX_ALERT_BYTES + 1} bytes" in refusal(raw + b"\n")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf \n", "empty"),
        (b'{"instrument": "WXT"}', "JSON"),
        (b"[1, 2]", "JSON"),
        (b"<!DOCTYPE html><html><body>502<br></body></html>", "HTML"),
        (b"<html><body>502 Bad Gateway</body></html>", "HTML"),
        (b"SIMPLE  =                    T", "not well-formed XML"),
        (b"\x1f\x8b\x08\x00", "not well-formed XML"),
        (b"<note>hello</note>", "root element is 'note'; expected VOEvent"),
        (b"<a>" * 100_000 + b"</a>" * 100_000, "not well-formed XML"),
        (b"<a>" + b"x" * 11_000_000 + b"</a>", "11000007 bytes"),
        (b"<!DOCTYPE a SYSTEM 'http://192.0.2.1/a.dtd'><a/>", "DOCTYPE"),
        (b"<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>", "DOCTYPE"),
        (b"<!DOCTYPE a [<!ENTITY e 'x'>]><a b='&e;'/>", "DOCTYPE"),
        (f"{BOMB}]><a>&a9;</a>".encode(), "DOCTYPE"),
        (f"{BOMB}]><a b='&a9;'/>".encode(), "DOCTYPE"),
        (f"{BOMB}]><a>&a9;</a>".encode("utf-16"), "XML"),
        ("<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>".encode("utf-16"), "DOCTYPE"),
        ("<!DOCTYPE a SYSTEM 'http://192.0.2.1/a.dtd'><a>&e;</a>".encode("utf-16"), "DOCTYPE"),
        (f"<!DOCTYPE a [<!ENTITY e '{'x' * 50_000}'>]><a>{'&e;' * 5_000}</a>".encode(), "DOCTYPE"),
        (b"<a>&undefined;</a>", "not well-formed XML"),
    ],
)
def test_content_that_is_not_a_notice_is_refused(raw, said):
    assert said in refusal(raw)


@pytest.mark.parametrize("entity", ["<!ENTITY e SYSTEM '{}'>", "<!ENTITY % e SYSTEM '{}'> %e;"])
def test_no_file_is_read(tmp_path, entity):
    secret = tmp_path / "secret"
    secret.write_text("<!ENTITY f 'MXT secret'>")
    text = notice().replace("?>", f"?><!DOCTYPE a [{entity.format(secret.as_uri())}]>", 1)
    message = refusal(text.replace("simulator<", "&e;<", 1).encode())
    assert "MXT secret" not in message


def test_truncated_notice():
    raw = notice().encode()
    assert "not well-formed XML" in refusal(raw[: len(raw) // 2])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (' version="2.0"', ' version="1.1"', "'1.1'"),
        (' version="2.0"', ' version="3.0"', "'3.0'"),
        ("VOEvent/v2.0", "VOEvent/v1.1", "expected 2.0 or 2.1"),
        ("VOEvent/v2.0", "VOEvent/v2.2", "expected 2.0 or 2.1"),
        (' ivorn="ivo://org.svom/fsc#sb26030704_mxt-initial_qf3"', "", "has no ivorn"),
        ("simulator<", "simu\x00lator<", "not well-formed XML"),
        ("encoding='UTF-8'", "encoding='UTF-7x'", "not well-formed XML"),
    ],
)
def test_document_that_cannot_be_read(old, new, said):
    assert said in refusal(spoilt(old, new))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (' version="2.0"', "", "'version' is required"),
        ("<Author>", "<Author><age>7</age>", "'age'"),
        ("<What>", "<What><Extra/>", "'Extra'"),
    ],
)
def test_a_schema_violation_in_an_unused_part_is_a_warning(old, new, said):
    alert = read_alert(spoilt(old, new))
    assert any("not valid VOEvent 2.0: " in warning and said in warning for warning in alert.warnings)
    assert alert.model_copy(update={"warnings": ()}) == read_alert(notice().encode())


def test_a_notice_without_where_when_is_refused():
    raw = re.sub(r"<WhereWhen>.*</WhereWhen>", "", notice(), flags=re.DOTALL)
    assert "has no WhereWhen" in refusal(raw.encode())


def test_a_notice_without_what_has_an_unknown_instrument():
    raw = re.sub(r"<What>.*</What>", "", notice(), flags=re.DOTALL)
    alert = read_alert(raw.encode())
    assert (alert.position.origin, alert.instrument) == (Origin.OTHER, "unknown")
    assert "Instrument is missing in What" in alert.warnings


def test_two_observation_locations_are_refused():
    raw = re.sub(r"(<ObsDataLocation>.*</ObsDataLocation>)", r"\1\1", notice(), flags=re.DOTALL)
    assert "2 observation locations" in refusal(raw.encode())


def test_threads_do_not_mix_up_their_notices():
    raw, said = spoilt("<C1>155.5246<", "<C1>12h30m<"), "C1 '12h30m'"
    sound, alert = notice().encode(), read_alert(notice().encode())
    with ThreadPoolExecutor(8) as pool:
        refused = [pool.submit(refusal, raw) for _ in range(200)]
        read = [pool.submit(read_alert, sound) for _ in range(200)]
    assert all(said in future.result() for future in refused)
    assert all(future.result() == alert for future in read)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_with_a_clear_error(raw):
    refusal(raw)


@given(st.data())
def test_damaged_notice_is_read_or_refused(data):
    raw = bytearray(notice().encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(raw) - 1))
        length = data.draw(st.integers(0, 8))
        raw[start : start + length] = data.draw(st.binary(max_size=4))
    with suppress(InvalidInput):
        assert isinstance(read_alert(bytes(raw)), Alert)
