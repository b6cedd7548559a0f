"""Notices of other missions in all formats: what is read, and what is only kept."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from mxtvhf.errors import InvalidInput
from mxtvhf.simulator.notices import write_notice
from mxtvhf.simulator.sky_notices import write_gcn_json, write_lvk_alert, write_sky_map, write_sky_voevent
from mxtvhf.sky_notices.gcn_json import LONGEST_MAP
from mxtvhf.sky_notices.reading import LONGEST_NOTICE, is_sky_notice, read_sky_notices
from support.alerts import alert_of

T0 = datetime(2026, 4, 2, 22, 57, 17, 540_000, tzinfo=UTC)
NOW = T0 + timedelta(minutes=10)
PLACE = {"ra": 238.41, "dec": 0.18}


def read(raw):
    (notice,) = read_sky_notices(raw, received=NOW)
    return notice


def changed(raw, **fields):
    return json.dumps(json.loads(raw) | fields).encode()


def gbm(**fields):
    return write_gcn_json("fermi/gbm/trigger", "796863442", T0, published=NOW, mission="Fermi", **fields)


@pytest.mark.parametrize(
    ("schema", "fields", "detector"),
    [
        ("fermi/gbm/trigger", {"mission": "Fermi", "instrument": "GBM"}, "Fermi GBM"),
        ("einstein_probe/wxt/alert", {"instrument": "WXT"}, "Einstein Probe WXT"),
        ("swift/bat/Guano", {"mission": "Swift", "instrument": "BAT-GUANO"}, "Swift BAT-GUANO"),
        (
            "icecube/single_neutrino_alerts",
            {"mission": "IceCube", "instrument": "IC86"},
            "IceCube track alerts",
        ),
        ("svom/trigger", {"instrument": "GRM"}, "SVOM GRM"),
        ("maxi/gsc.unknown", {"mission": "MAXI", "instrument": "GSC"}, "MAXI GSC"),
        ("km3net/alert", {"mission": "KM3NeT", "instrument": "ARCA"}, "KM3NeT ARCA"),
    ],
)
def test_each_mission_is_read_from_the_unified_schema(schema, fields, detector):
    raw = write_gcn_json(schema, "42", T0, **fields, **PLACE, ra_dec_error=2.5, image_snr=9.5)
    notice = read(raw)
    assert is_sky_notice(raw)
    assert (notice.detector, notice.event_id, notice.time) == (detector, "42", T0)
    assert notice.area is not None
    assert (notice.area.ra_deg, notice.area.semi_major_deg) == (238.41, 2.5)
    assert notice.significance is not None
    assert notice.significance.value == 9.5


def test_an_ellipse_keeps_its_angle():
    area = read(gbm(**PLACE, ra_dec_error=[3.0, 1.0, 30.0], containment_probability=0.68)).area
    assert (area.semi_major_deg, area.semi_minor_deg, area.angle_deg, area.containment) == (
        3.0,
        1.0,
        30.0,
        0.68,
    )


def test_an_ellipse_without_an_angle_becomes_the_circle_around_it():
    notice = read(gbm(**PLACE, ra_dec_error=[1.0, 3.0]))
    assert notice.area.is_circle
    assert notice.area.semi_major_deg == 3.0
    assert "no position angle" in notice.warnings[0]


def test_every_object_of_a_notice_about_several_is_read():
    names = ["ZTF26aaaaaaa", "ZTF26aaaaaab"]
    targets = [{"event_name": name, **PLACE} for name in names]
    seen = [{"event_name": names[1], "observation_start": "2026-04-02T22:00:00Z", "mag": 19.0}]
    raw = changed(
        write_gcn_json("boom/alert", "x", T0, published=NOW, mission="Boom"),
        data={"targets": targets, "photometry": seen},
    )
    raw = json.dumps(
        {key: value for key, value in json.loads(raw).items() if key not in ("id", "trigger_time")}
    )
    notices = read_sky_notices(raw.encode(), received=NOW)
    assert [(one.event_id, one.part) for one in notices] == [(names[0], 0), (names[1], 1)]
    assert notices[1].time == datetime(2026, 4, 2, 22, tzinfo=UTC)
    assert notices[0].area is not None, "an optical position without an error has one of arcseconds"


def test_alerts_of_lvk_are_read_with_their_map():
    notice = read(write_lvk_alert("S260402ab", T0, created=NOW, skymap=write_sky_map(200.0, 10.0, 5.0)))
    assert (notice.detector, notice.event_id, notice.kind, notice.has_map) == (
        "LVK",
        "S260402ab",
        "update",
        True,
    )
    retraction = read(write_lvk_alert("S260402ab", T0, created=NOW, alert_type="RETRACTION"))
    assert retraction.is_retraction
    assert read(write_lvk_alert("MS260402ab", T0, created=NOW)).is_test


@pytest.mark.parametrize(
    ("ivorn", "detector"),
    [
        ("ivo://nasa.gsfc.gcn/Fermi#GBM_Fin_Pos2026-04-02T22:57:17.54_796863442_0-545", "Fermi GBM"),
        ("ivo://nasa.gsfc.gcn/Fermi#LAT_GRB_Pos_1", "Fermi LAT"),
        ("ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_1", "Swift BAT"),
        ("ivo://nasa.gsfc.gcn/SWIFT#XRT_Pos_1", "Swift XRT"),
        ("ivo://nasa.gsfc.gcn/SWIFT#UVOT_Pos_1", "Swift UVOT"),
        ("ivo://nasa.gsfc.gcn/INTEGRAL#Wakeup_1", "INTEGRAL IBIS"),
        ("ivo://nasa.gsfc.gcn/INTEGRAL#SPIACS_1", "INTEGRAL SPI-ACS"),
        ("ivo://nasa.gsfc.gcn/MAXI#Unknown_1", "MAXI GSC"),
        ("ivo://nasa.gsfc.gcn/AMON#ICECUBE_GOLD_1", "IceCube track alerts"),
        ("ivo://nasa.gsfc.gcn/GECAM#FLT_Event_2024-01-12T05:44:04.96_000018-768", "GECAM"),
        ("ivo://example.org/HERMES#Trigger_1", "HERMES"),
    ],
)
def test_each_mission_is_read_from_voevents(ivorn, detector):
    raw = write_sky_voevent(ivorn, T0, event_id="796863442", position=(238.41, 0.18, 11.43))
    notice = read(raw)
    assert is_sky_notice(raw)
    assert (notice.detector, notice.event_id, notice.time) == (detector, "796863442", T0)
    assert notice.area.containment == (0.683 if detector in ("Fermi GBM", "GECAM") else 0.9)


def test_retractions_tests_and_pointings_are_recognised():
    ivorn = "ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_1"
    retraction = read(write_sky_voevent(ivorn + "-2", T0, event_id="1", retracts=ivorn))
    assert retraction.is_retraction
    assert retraction.cites == (ivorn.replace("SWIFT", "swift"),)
    assert read(write_sky_voevent(ivorn, T0, event_id="99999")).is_test
    assert read(write_sky_voevent(ivorn, T0, event_id="1", role="test")).is_test
    assert read(gbm(alert_tense="injection")).is_test
    assert read(write_sky_voevent("ivo://nasa.gsfc.gcn/SWIFT#Point_Dir_1", T0, event_id="1")).kind == "other"
    assert read(gbm(alert_tense="planned")).kind == "other"
    flagged = write_sky_voevent(ivorn, T0, event_id="1", params={"Def_NOT_a_GRB": "true"})
    assert (read(flagged).is_burst, read(flagged).classified_as) == (False, "not a GRB")


def test_notices_of_gecam_are_read_with_their_number_and_class():
    ivorn = "ivo://nasa.gsfc.gcn/GECAM#FLT_Event_1"

    def gecam(number, source_class):
        params = {"Trigger_Number": number, "SRC_CLASS": source_class}
        return read(write_sky_voevent(ivorn, T0, event_id="", position=(238.0, 0.0, 3.0), params=params))

    burst = gecam("260", "GRB")
    assert (burst.detector, burst.event_id, burst.is_burst, burst.is_test) == ("GECAM", "260", True, False)
    assert not burst.systematic_included
    assert (gecam("261", "SGR").is_burst, gecam("261", "SGR").classified_as) == (False, "SGR")
    assert gecam("100000001", "GRB").is_test


def test_our_own_notices_and_packets_are_none():
    assert not is_sky_notice(write_notice(alert_of("sb26040203", "eclairs-wakeup", event_time=T0)))
    assert not is_sky_notice(bytes(90))
    assert not is_sky_notice(b"<html>")
    assert not is_sky_notice(b"<VOEvent role='test'/>")


def test_only_the_identifier_of_the_root_element_decides():
    """A notice of SVOM that quotes another one was filed as one of that mission, without a run."""
    ours = write_notice(alert_of("sb26040203", "eclairs-wakeup", event_time=T0))
    quoting = ours.replace(b"?>", b"?>\n<!-- answers ivorn='ivo://nasa.gsfc/x#1' -->", 1)
    assert b"answers" in quoting
    assert not is_sky_notice(quoting)
    other_stream = ours.replace(b"ivo://org.svom/fsc#", b"ivo://org.svom/fsc/v2#")
    assert other_stream != ours
    assert not is_sky_notice(other_stream), "its quarantine tells that the stream is unknown"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (changed(gbm(), **{"$schema": "https://example.org/x.json"}), "not a notice schema"),
        (
            changed(gbm(), **{"$schema": "https://gcn.nasa.gov/schema/v1.0.0/gcn/notices/a.schema.json"}),
            "v1.0.0 has other fields; expected version 4 or newer",
        ),
        (b'{"a": 1}', r"\$schema is missing; expected"),
        (
            gbm(alert_type="later"),
            r"violates its schema fermi/gbm/trigger: alert_type 'later': Input should be",
        ),
        (b'{"a": ', "not JSON"),
        (b'{"alert_type": "INITIAL", "superevent_id": "S260402ab"}', "invalid LVK alert"),
        (write_gcn_json("fermi/gbm/trigger", "1", NOW + timedelta(days=1)), "after the reception"),
        (b'<!DOCTYPE a><VOEvent ivorn="ivo://a/b#c"/>', "DOCTYPE"),
    ],
)
def test_a_wrong_notice_names_its_fault(raw, reason):
    with pytest.raises(InvalidInput, match=reason):
        read_sky_notices(raw, received=NOW)


def test_a_notice_of_a_newer_schema_is_read_as_far_as_possible_and_says_so():
    newer = {"$schema": "https://gcn.nasa.gov/schema/v8.0.0/gcn/notices/fermi/gbm/trigger.schema.json"}
    notice = read(changed(gbm(**PLACE, ra_dec_error=3.0), **newer, alert_phase={"new": 1}))
    assert (notice.detector, notice.area.semi_major_deg) == ("Fermi GBM", 3.0)
    assert notice.is_newer_schema
    assert "schema version v8.0.0 is newer than this software" in notice.warnings[0]
    assert not read(gbm()).is_newer_schema
    with pytest.raises(InvalidInput, match="violates its schema"):
        read(changed(gbm(), **newer, alert_type="later"))


@pytest.mark.parametrize(
    ("name", "includes"),
    [("Flt_Pos", True), ("Gnd_Pos", False), ("Fin_Pos", False), ("Test_Pos", True), ("Subthresh", True)],
)
def test_the_radius_of_gbm_includes_the_systematic_error_in_flight_positions(name, includes):
    raw = write_sky_voevent(
        f"ivo://nasa.gsfc.gcn/Fermi#GBM_{name}_2026-04-02T10:30:17.00_1_0-1", T0, event_id="1"
    )
    assert read(raw).systematic_included is includes
    assert read(gbm(systematic_included=True)).systematic_included
    assert not read(gbm()).systematic_included


def test_a_search_for_neutrinos_is_about_the_event_of_another_mission_and_is_no_detection():
    raw = write_gcn_json("icecube/lvk_nu_track_search", "", T0, ref_ID="S260402ab", pval_generic=0.02)
    notice = read(raw)
    assert (notice.detector, notice.event_id, notice.kind) == ("IceCube track search", "S260402ab", "other")


@pytest.mark.parametrize(
    ("fields", "warning"),
    [
        (
            PLACE | {"ra_dec_error": [3.0, 1.0, 20.0, 4.0]},
            "ra_dec_error '[3.0, 1.0, 20.0, 4.0]' is invalid: expect",
        ),
        (PLACE | {"ra_dec_error": -1.0}, "ra_dec_error '-1.0' is invalid: expected a radius"),
        (
            PLACE | {"ra_dec_error": []},
            "expected a radius, or both axes of an ellipse and its position angle",
        ),
        ({"ra": 400.0, "dec": 0.0, "ra_dec_error": 1.0}, "ra '400.0' is invalid: Input should be less than"),
        (
            PLACE | {"rectangular_error_corners": [[1.0, 2.0]]},
            "expected right ascension and declination of four",
        ),
        ({"classification": {"GRB": "high"}}, "classification \"{'GRB': 'high'}\" is invalid"),
    ],
)
def test_an_odd_value_is_left_out_with_a_warning_and_the_event_stays(fields, warning):
    notice = read(gbm(**fields))
    assert warning in notice.warnings[0]
    assert notice.warnings[0].endswith("; value ignored")
    assert (notice.event_id, notice.time, notice.area) == ("796863442", T0, None)


def test_an_oversized_notice_is_not_read():
    with pytest.raises(InvalidInput, match="at most"):
        read_sky_notices(b"{" + b" " * LONGEST_NOTICE, received=NOW)


def test_a_linked_or_oversized_map_is_not_checked():
    linked = read(gbm(healpix_url="https://x/map.fit"))
    assert not linked.has_map
    assert "not downloaded" in linked.map_problem
    large = read(gbm(healpix_file="A" * (LONGEST_MAP + 4)))
    assert not large.has_map
    assert "at most" in large.map_problem


def test_an_error_box_of_maxi_is_compared_as_the_ellipse_of_its_area():
    corners = [[345.72, 19.547], [345.464, 19.29], [347.309, 17.634], [347.566, 17.889]]
    fields = {"mission": "MAXI", "instrument": "GSC", "ra": 346.56, "dec": 18.61}

    def box(corners):
        more = fields | {"rectangular_error_corners": corners}
        return read(write_gcn_json("maxi/gsc.unknown", "1", T0, **more))

    notice = box(corners)
    assert notice.area.semi_major_deg == pytest.approx(1.36, abs=0.02)
    assert notice.warnings == ()
    flat = box(corners[:1] * 4)
    assert flat.area is None
    assert "expected a rectangle; the position is not compared" in flat.warnings[0]
