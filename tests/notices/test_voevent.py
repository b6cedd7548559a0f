"""Reading notices: what the public ones say, and what bad ones must give."""

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
    """Alert that a notice with these facts must give."""
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
    """Give the real notices in the folder that MXTVHF_SAMPLES names; none without it."""
    folder = os.environ.get("MXTVHF_SAMPLES")
    return sorted(Path(folder).rglob("*.xml")) if folder else []


def notice(ivorn="ivo://org.svom/fsc#sb26030704_mxt-initial_qf3"):
    """Give a sound notice as text, to be spoilt."""
    return write_notice(alert_of(FACTS[ivorn])).decode()


def spoilt(old, new, ivorn="ivo://org.svom/fsc#sb26030704_mxt-initial_qf3"):
    """Give the notice with a part replaced."""
    text = notice(ivorn)
    assert old in text
    return text.replace(old, new).encode()


def refusal(raw):
    """Give the one-line message with which a notice is refused."""
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


BAD_VALUES = [
    ('Position2D unit="deg"', 'Position2D unit="parsec"', "Position2D has the unit 'parsec'"),
    ('Position2D unit="deg"', "Position2D", "Position2D has the unit ''"),
    ('value="4.53" unit="arcmin"', 'value="4.53" unit="s"', "ECLAIRs_Angle has the unit 's'"),
    ("<C1>155.5246<", "<C1>NaN<", "C1 'NaN'"),
    ("<C1>155.5246<", "<C1>INF<", "C1 'INF'"),
    ("<C1>155.5246<", "<C1>1e999<", "C1 '1e999'"),
    ("<C1>155.5246<", "<C1><", "'C1'"),
    ("<C1>155.5246<", "<C1>12h30m<", "'C1': '12h30m'"),
    ("<C1>155.5246<", "<C1>360<", "C1 (right ascension) 360"),
    ("<C1>155.5246<", "<C1>-1<", "C1 (right ascension) -1"),
    ("<C2>-21.0037<", "<C2>91<", "C2 (declination) 91"),
    ("<Error2Radius>0.0145<", "<Error2Radius>0<", "Error2Radius 0 deg"),
    ("<Error2Radius>0.0145<", "<Error2Radius>-1<", "Error2Radius -1 deg"),
    ("<Error2Radius>0.0145<", "<Error2Radius>-0.1<", "Error2Radius -0.1 deg"),
    ("<Error2Radius>0.0145<", "<Error2Radius>1e9<", "Error2Radius 1e+09 deg"),
    ("<Error2Radius>0.0145<", "<Error2Radius>0.87e2<", "Error2Radius 87 deg"),
    ("<Error2Radius>0.0145<", "<Error2Radius>NaN<", "Error2Radius 'NaN'"),
    ("<Error2Radius>0.0145<", "<Error2Radius>INF<", "Error2Radius 'INF'"),
    ("<Error2Radius>0.0145</Error2Radius>", "", "Error2Radius"),
    ("<Name1>RA<", "<Name1>Dec<", "axes 'Dec, Dec'"),
    ("UTC-ICRS-GEO", "TDB-ICRS-BARY", "coordinate system 'TDB-ICRS-BARY'"),
    ('value="255.0"', 'value="1e999"', "SNR '1e999'"),
    ('value="255.0"', 'value="inf"', "SNR 'inf'"),
    ('value="255.0"', 'value="many"', "SNR 'many'"),
    ('value="-40.55"', 'value="-95"', "attitude.dec_deg '-95"),
    ('value="209"', 'value="2O9"', "Packet_Type '2O9'"),
    ('value="209"', 'value="-1"', "Packet_Type '-1'"),
    ('name="Packet_Type"', 'name="Packet"', "no Packet_Type"),
    ('name="Notice_Level"', 'name="Level"', "no Notice_Level"),
    ('name="Instrument"', 'name="Telescope"', "no Instrument"),
    ('name="Burst_Id"', 'name="Burst"', "no Burst_Id"),
    (
        '"Within_ECLAIRs_R90" value="False"',
        '"Within_ECLAIRs_R90" value="perhaps"',
        "Within_ECLAIRs_R90 'perhaps'",
    ),
    ('name="Pkt_Ser_Num" value="1"', 'name="Burst_Id" value="sb26030705"', "Burst_Id is given 2 times"),
    ("<Date>2026-03-07", "<Date>2026-13-07", "'Date': '2026-13-07"),
]


@pytest.mark.parametrize(("old", "new", "said"), BAD_VALUES)
def test_impossible_value_is_refused_by_name(old, new, said):
    assert said in refusal(spoilt(old, new))


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
def test_other_streams_are_not_ours(ivorn):
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
        (b"<note>hello</note>", "root element is 'note'"),
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
def test_what_is_no_notice_is_refused(raw, said):
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
        (' role="observation"', "", "without a role"),
        ('role="observation"', 'role="tset"', "'tset'"),
        (' version="2.0"', "", "'version' is required"),
        (' version="2.0"', ' version="1.1"', "'1.1'"),
        ("VOEvent/v2.0", "VOEvent/v1.1", "not valid VOEvent 2.0"),
        (' ivorn="ivo://org.svom/fsc#sb26030704_mxt-initial_qf3"', "", "without an ivorn"),
        ("<Author>", "<Author><age>7</age>", "'age'"),
        ("simulator<", "simu\x00lator<", "not well-formed XML"),
        ("encoding='UTF-8'", "encoding='UTF-7x'", "not well-formed XML"),
        ('cite="followup"', 'cite="mention"', "'mention'"),
    ],
)
def test_document_that_breaks_the_schema(old, new, said):
    assert said in refusal(spoilt(old, new))


@pytest.mark.parametrize("part", ["What", "WhereWhen"])
def test_missing_part(part):
    raw = re.sub(rf"<{part}>.*</{part}>", "", notice(), flags=re.DOTALL)
    assert f"without {part}" in refusal(raw.encode())


def test_two_places():
    raw = re.sub(r"(<ObsDataLocation>.*</ObsDataLocation>)", r"\1\1", notice(), flags=re.DOTALL)
    assert "2 observation locations" in refusal(raw.encode())


def test_threads_do_not_mix_up_their_notices():
    raw, said = spoilt("<C1>155.5246<", "<C1>12h30m<"), "'C1': '12h30m'"
    sound, alert = notice().encode(), read_alert(notice().encode())
    with ThreadPoolExecutor(8) as pool:
        refused = [pool.submit(refusal, raw) for _ in range(200)]
        read = [pool.submit(read_alert, sound) for _ in range(200)]
    assert all(said in future.result() for future in refused)
    assert all(future.result() == alert for future in read)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_in_good_order(raw):
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
