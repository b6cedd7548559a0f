"""The texts of an announcement: valid for any report, and saying what the report says."""

import json
import re
import sys
from datetime import timedelta
from itertools import combinations, starmap
from math import floor, log10
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import voeventparse
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from lxml import etree
from referencing import Registry, Resource

from mxtvhf.analysis.model import SourceAnalysis
from mxtvhf.archive.products import ReportSummary
from mxtvhf.catalogues.model import CatalogueAnswer
from mxtvhf.crosscheck.pairs import compare
from mxtvhf.errors import InvalidInput, NothingToDo
from mxtvhf.localisation.model import FluxLimit
from mxtvhf.models.angles import separation_arcsec
from mxtvhf.models.kept import parse_kept
from mxtvhf.models.position import Origin, Position
from mxtvhf.notices.voevent import read_alert
from mxtvhf.reporting.announcement.chat import message
from mxtvhf.reporting.announcement.circular import DRAFT, TEST, circular, circular_of
from mxtvhf.reporting.announcement.content import chosen_position, names
from mxtvhf.reporting.announcement.drafts import texts
from mxtvhf.reporting.announcement.gcn_notice import gcn_notice
from mxtvhf.reporting.announcement.question import decision_of, write_question
from mxtvhf.reporting.announcement.release import announcement_of, next_reservation
from mxtvhf.reporting.announcement.request import check_askable
from mxtvhf.reporting.announcement.voevent import voevent
from mxtvhf.reporting.messages import AnnouncementMessage
from mxtvhf.reporting.report.assembly import headline
from support.announcements import BURST, DECIDED, ECLAIRS, T0, VHF, announcement, decision, notice, report
from support.positions import localisation_of, place
from support.sources import BRIGHT, FIELD, field
from support.sources import BURST as OURS

GCN_SCHEMA = Path(sys.prefix) / "gcn-schema" / "gcn" / "notices" / "core"
MXT_SCHEMA = Path(__file__).parents[2] / "data" / "mxt_notice.schema.json"


@pytest.fixture(scope="session")
def notice_schema(request):
    """The schema of a notice of MXT, of GCN's core schemas that `tools/test-schemas.sh` has brought.

    It is missing on a machine without npm, so every test that needs it must be marked.

    It has the parts that pull request 245 of nasa-gcn/gcn-schema proposes, and those of a follow-up.
    """
    needed_by = [item for item in request.session.items if "notice_schema" in item.fixturenames]
    assert [item.name for item in needed_by if item.get_closest_marker("service") is None] == []
    paths = [*GCN_SCHEMA.glob("*.schema.json"), *GCN_SCHEMA.glob("models/*.schema.json")]
    schemas = [json.loads(path.read_text()) for path in paths]
    known = Registry().with_resources((schema["$id"], Resource.from_contents(schema)) for schema in schemas)
    return Draft202012Validator(json.loads(MXT_SCHEMA.read_text()), registry=known)


def measured(value, low=None, high=None):
    return {"value": value, "error_low": low, "error_high": high}


FIT = {
    "photon_index": measured(2.03, 0.34, 0.37),
    "norm": measured(1e-3),
    "flux": measured(7.2e-11, 2.4e-11, 3.7e-11),
    "unabsorbed_flux": measured(8e-11),
    "flux_band_kev": (0.3, 10.0),
    "nh_1e22_cm2": measured(0.1, 0.0, 0.0),
    "nh_free": False,
    "statistic": 1.0,
    "expected_statistic": 1.0,
    "expected_sigma": 1.0,
    "trusted": True,
    "doubts": (),
    "bins": (),
}


def analysis(**changes):
    return SourceAnalysis.model_validate({"analysed": True, "spectrum": {**FIT, **changes}})


LOCALISATION = localisation_of(
    VHF, exposure_s=211.0, observed=(T0 + timedelta(seconds=181.6), T0 + timedelta(seconds=402))
).model_dump()

WORDS = st.text(max_size=120)
MOMENTS = st.timedeltas(min_value=timedelta(days=-300), max_value=timedelta(days=300)).map(lambda d: T0 + d)
RADII = st.floats(1e-3, 3600.0)
POSITIONS = st.builds(
    Position,
    origin=st.sampled_from(Origin),
    label=st.from_regex(r"[a-z][a-z0-9_-]{0,30}", fullmatch=True),
    ra_deg=st.floats(0.0, 360.0, exclude_max=True),
    dec_deg=st.floats(-90.0, 90.0),
    r90_stat_arcsec=st.none() | RADII,
    r90_sys_arcsec=st.floats(0.0, 120.0),
    r90_arcsec=RADII,
)
ANY = st.builds(
    lambda best, trigger, first, is_test, fit, related, comment, author, before: announcement(
        report(
            best_position=best,
            positions=(best,),
            trigger_time=trigger,
            photons=first and {"count": 1, "first": first, "last": first},
            is_test=is_test,
            analysis=fit,
            related=related,
        ),
        comment=" ".join("".join(c for c in comment if c.isprintable()).split()),
        author=author,
        supersedes=before,
    ),
    best=POSITIONS,
    trigger=st.none() | MOMENTS,
    first=st.none() | MOMENTS,
    is_test=st.booleans(),
    fit=st.sampled_from([None, analysis(), analysis(trusted=False), analysis(flux=measured(1e-12))]),
    related=st.sampled_from([(), (notice("eclairs-wakeup", "ECLAIRs"),)]),
    comment=WORDS,
    author=st.sampled_from([None, "Ada", "Zoë Müller 王"]),
    before=st.sampled_from([None, f"ivo://mxt-vhf/announcements#{BURST}_1"]),
)


def assert_as_the_radius_allows(position, ra, dec, radius):
    """Hold that a text rounds a position by its error: near enough, and without digits that say nothing."""
    away = separation_arcsec(position.ra_deg, position.dec_deg, ra, dec)
    assert away <= 0.03 * position.r90_arcsec
    assert 0.0 <= ra < 360.0
    assert radius * 3600 == pytest.approx(position.r90_arcsec, rel=0.03)
    most = 4 + max(0, 2 - floor(log10(position.r90_arcsec)))
    assert all(round(number, most) == number for number in (ra, dec, radius))


@given(ANY)
def test_any_voevent_is_valid_and_has_position_and_kind(announced):
    raw = voevent(announced)
    voeventparse.voevent_v2_0_schema.assertValid(etree.fromstring(raw))
    event = voeventparse.loads(raw)
    assert event.get("role") == ("test" if announced.report.is_test else "observation")
    assert event.get("ivorn") == announced.ivorn
    there = voeventparse.get_event_position(event)
    assert_as_the_radius_allows(announced.position, there.ra, there.dec, there.err)
    cited = [(str(one), one.get("cite")) for one in event.Citations.EventIVORN]
    assert (announced.report.alert.ivorn, "followup") in cited
    assert [ivorn for ivorn, how in cited if how == "supersedes"] == [
        ivorn for ivorn in [announced.supersedes] if ivorn
    ]


@pytest.mark.service
@given(ANY)
def test_any_gcn_notice_is_valid_against_the_schema(notice_schema, announced):
    document = json.loads(gcn_notice(announced))
    notice_schema.validate(document)
    assert (document["alert_tense"] == "test") == announced.report.is_test
    assert document["alert_type"] == ("update" if announced.supersedes else "initial")
    assert_as_the_radius_allows(announced.position, document["ra"], document["dec"], document["ra_dec_error"])
    numbers = [number for number in document.values() if isinstance(number, float)]
    assert all(len(repr(number)) <= 13 for number in numbers), numbers
    assert len(gcn_notice(announced)) < 4 << 20


@given(ANY)
def test_any_circular_keeps_the_style_guide(announced):
    text = circular(announced).decode("ascii")
    assert len(text.splitlines()) < 60
    assert "\t" not in text
    assert circular_of(announced).subject.startswith(f"{BURST}: SVOM")
    assert not re.search(r"ivo://|MXT-VHF(?! *\. Read)|best|photons \w+;", text.replace(DRAFT, ""))
    assert (TEST in text) == announced.report.is_test
    assert DRAFT in text
    assert f"{', '.join(announced.position.degrees_text)} degrees" in text
    assert "360.0" not in text.split("degrees, which")[0]
    assert re.search(r"R\.A\. \(J2000\) = \d\dh\d\dm\d\d\.\d+s", text)
    (uncertainty,) = re.findall(r"uncertainty of ([0-9.]+) arcsec \(radius, 90% containment", text)
    assert float(uncertainty) == pytest.approx(announced.position.r90_arcsec, rel=0.054)


@given(ANY)
def test_the_first_line_of_any_message_contains_the_result(announced):
    first, *links = message(announced).splitlines()
    assert first.startswith("TEST") == announced.report.is_test
    assert BURST in first
    assert "R.A." in first
    assert "90 % radius" in first
    assert any(line.startswith("Draft of") for line in links) == (announced.author is None)
    assert "Galactic l " in links[0]
    assert all(re.fullmatch(r"[A-Za-z ]+: https://\S+", link) for link in links[-3:])


@given(ANY)
def test_the_same_announcement_gives_the_same_bytes(announced):
    assert texts(announced) == texts(announced)


def test_circular_word_by_word():
    text = circular(announcement(report(analysis=analysis(), localisation=LOCALISATION))).decode()
    for said in (
        f"Subject: {BURST}: SVOM/MXT detection of an X-ray source\n",
        "Ada Lovelace reports on behalf of the SVOM/MXT team:",
        f"We report the detection of an X-ray source in the field of the burst {BURST}.\n",
        f"SVOM/ECLAIRs triggered on {BURST} at 2026-05-11T11:00:32 UTC (T0). "
        "MXT began observing the field at 2026-05-11T11:03:34 UTC, 182 s after T0. "
        "The exposure time of the data used here is 211 s.\n",
        "R.A., Dec. = 212.5000, -12.7300 degrees",
        "R.A. (J2000) = 14h10m00.0s\nDec. (J2000) = -12d43m48s\n",
        "48 arcsec (radius, 90% containment, including a systematic error of 25 arcsec added in quadrature)",
        "a photon index of 2.0 +- 0.6 and an absorbing column fixed at N_H = 1.0 x 10^21 cm^-2",
        "The mean 0.3-10 keV flux is 7 (+6/-4) x 10^-11 erg/cm^2/s (observed,",
        "All errors are at the 90% confidence level.",
        names().circular.acknowledgement,
    ):
        assert said in text


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, "fixed at N_H = 1.0 x 10^21 cm^-2."),
        (
            {"nh_free": True, "nh_90_1e22_cm2": measured(0.1, 0.08, 0.12)},
            "N_H = 1.0 (+1.2/-0.8) x 10^21 cm^-2.",
        ),
        (
            {"nh_free": True, "nh_galactic_1e22_cm2": 0.05},
            "a total N_H = (1.0 +- 1.0) x 10^21 cm^-2, including the Galactic column of 5.0 x 10^20 cm^-2 "
            "(HI4PI).",
        ),
        (
            {"nh_free": True, "nh_determined": False, "nh_galactic_1e22_cm2": 0.05},
            "an absorbing column that the data do not constrain (Galactic: 5.0 x 10^20 cm^-2, HI4PI).",
        ),
    ],
)
def test_circular_names_the_column_and_the_galactic_one(facts, said):
    column = measured(0.1, 0.06, 0.061) if facts else measured(0.1, 0.0, 0.0)
    text = circular(announcement(report(analysis=analysis(nh_1e22_cm2=column, **facts)))).decode()
    assert said in " ".join(text.split())


def test_times_are_rounded_to_the_second_and_their_difference_is_that_of_the_printed_ones():
    trigger, start = T0.replace(second=31, microsecond=800_000), T0.replace(second=40, microsecond=499_000)
    seen = {**LOCALISATION, "observed": (start, start + timedelta(seconds=200))}
    text = circular(announcement(report(trigger_time=trigger, localisation=seen))).decode()
    assert "at 2026-05-11T11:00:32 UTC (T0)" in text
    assert "at 2026-05-11T11:00:40 UTC, 8 s after T0" in text


def test_without_a_gti_the_first_photon_is_not_called_the_start():
    for content in texts(announcement(report())).values():
        assert b"began observing" not in content
        assert b"observation_start" not in content


@pytest.mark.parametrize(
    ("radius", "words"), [(0.36, "0.36 arcsec"), (9.97, "10 arcsec"), (4.04, "4.0 arcsec")]
)
def test_a_small_radius_is_not_rounded_to_nothing(radius, words):
    vt = place(212.5, -12.73, radius, Origin.VT, "vt", r90_stat_arcsec=None)
    assert f"uncertainty of {words} (radius" in circular(announcement(report(best_position=vt))).decode()


def other_positions():
    """Positions of all origins around one place, far enough apart that their coordinates differ in print."""
    for number, origin in enumerate(Origin):
        yield place(
            212.5 + 0.01 * number, -12.71 - 0.01 * number, 40.0 + number, origin, f"label-{number}", time=T0
        )


@pytest.mark.parametrize("chosen", [None, *range(len(Origin))])
def test_every_text_is_about_the_chosen_position(chosen):
    """Only the sentence about the choice may contain another position; no text has its measurements."""
    positions = tuple(other_positions())
    best = next(one for one in positions if one.origin is Origin.MXT_VHF)
    about = build_headline(
        report(
            best_position=best,
            best_reason=f"MXT-VHF {best.label} has the smallest 90 % radius.",
            positions=positions,
            crosscheck=tuple(starmap(compare, combinations(positions, 2))),
            catalogues=tuple(answer_around(one) for one in positions),
            verdict="new source",
            verdict_reason=f"No source is at MXT-VHF {best.label}.",
            localisation=LOCALISATION,
            analysis=analysis(),
        )
    )
    wanted = decision(about, position=None if chosen is None else positions[chosen].label)
    announced = announcement_of(about, next_reservation(about, [], moment=DECIDED), wanted)
    made = {name: content.decode() for name, content in texts(announced).items()}
    told = announced.position
    for name, text in made.items():
        assert any(
            ra in text for ra in (told.degrees_text[0], told.sexagesimal_text[0], str(told.degrees[0]))
        )
        rest = text.replace(announced.choice_words, "") if announced.choice_words else text
        for other in positions:
            if other.label != told.label:
                assert other.degrees_text[0] not in text, (name, other.label)
                assert other.sexagesimal_text[0] not in rest, (name, other.label)
        ours = told.origin is Origin.MXT_VHF
        assert ours or "smallest 90 % radius" not in text
        assert ours or "flux" not in text.lower()
        assert ours or "VHF link" not in text
        assert ours or "began observing" not in text
    notice = json.loads(made["gcn_notice"])
    assert (notice["ra"], notice["dec"], notice["ra_dec_error"]) == (*told.degrees, told.r90_deg)
    assert ("observation_start" in notice) == (told.origin is Origin.MXT_VHF)
    assert notice.get("instrument") == INSTRUMENT_OF[told.origin]
    assert told.sexagesimal_text[0] in notice["additional_info"]


def build_headline(about):
    return about.model_copy(update={"headline": headline(about, about.best_position)})


def answer_around(position):
    return CatalogueAnswer(
        catalogue="bright", checked=True, ra_deg=position.ra_deg, dec_deg=position.dec_deg, radius_arcsec=60.0
    )


INSTRUMENT_OF = {
    Origin.ECLAIRS: "ECLAIRs",
    Origin.MXT_ONBOARD: "MXT",
    Origin.MXT_VHF: "MXT",
    Origin.GP: "MXT",
    Origin.VT: "VT",
    Origin.GRM: "GRM",
    Origin.OTHER: None,
}


def test_an_unreliable_flux_is_in_no_text():
    for content in texts(announcement(report(analysis=analysis(trusted=False)))).values():
        assert b"flux" not in content.lower()


MATCH = {
    "position": VHF.label,
    "catalogue": "bright",
    "source": "4U 1702-429",
    "separation_arcsec": 5.0,
    "combined_r90_arcsec": 50.0,
    "log10_bayes_factor": 6.0,
    "probability": 0.999,
    "explanation": "MXT-VHF photons is 4U 1702-429.",
}


def test_a_known_source_is_named_in_every_text():
    known = report(verdict="known source", verdict_reason="It is 4U 1702-429.", associations=(MATCH,))
    assert all(b"4U 1702-429" in content for content in texts(announcement(known)).values())


def test_a_failed_catalogue_search_excludes_no_known_source():
    answer = {
        "catalogue": "heasarc",
        "checked": False,
        "reason": "timeout",
        "ra_deg": 1.0,
        "dec_deg": 1.0,
        "radius_arcsec": 60.0,
    }
    text = circular(announcement(report(catalogues=(answer,), verdict="consistent"))).decode()
    assert "catalogue" not in text


def no_detection():
    """A report in which MXT detected nothing, with ECLAIRs' position."""
    nothing = localisation_of(
        None, exposure_s=211.0, upper_limit_photons=19.2, upper_limit_flux=4.2e-12,
        upper_limit_fluxes=(FluxLimit(photon_index=2.0, nh_1e22_cm2=0.1, flux=1.1e-12),),
        observed=(T0 + timedelta(seconds=181.6), T0 + timedelta(seconds=402)),
    )  # fmt: skip
    fields = {"positions": (ECLAIRS,), "best_position": ECLAIRS, "verdict": "no MXT source"}
    return build_headline(report(localisation=nothing.model_dump(), **fields))


@pytest.mark.service
def test_no_detection_is_announced_as_an_upper_limit_and_not_as_a_position_of_mxt(notice_schema):
    """The notice gave ECLAIRs' position as one of MXT, and no text said that MXT sees nothing."""
    made = texts(announcement(no_detection()))
    draft = made["circular"].decode()
    assert f"Subject: {BURST}: SVOM/MXT upper limit" in draft
    assert f"MXT did not detect an X-ray source in the field of the burst {BURST}." in draft
    assert "The 90% upper limit is 4.2 x 10^-12 erg/cm^2/s (0.3-10 keV, observed), or 19 counts." in draft
    assert "nine tenths of the expected spectra" in draft
    assert "photon index 2 with N_H = 1.0 x 10^21 cm^-2 it is 1.1 x 10^-12 erg/cm^2/s" in " ".join(
        draft.split()
    )
    assert "MXT began observing the field at 2026-05-11T11:03:34 UTC, 182 s after T0" in draft
    assert "R.A. (J2000)" not in draft
    sent = json.loads(made["gcn_notice"])
    assert not {"ra", "dec", "ra_dec_error"} & set(sent)
    assert (sent["instrument"], sent["observation_livetime"]) == ("MXT", 211.0)
    assert "no X-ray source detected: 90 % upper limit 19 counts" in sent["additional_info"]
    assert (sent["limiting_flux"], sent["limiting_flux_sigma"]) == (4.2e-12, 1.28)
    notice_schema.validate(sent)
    tree = voeventparse.loads(made["voevent"])
    assert tree.xpath("//Param[@name='Upper_Limit_Counts']/@value") == ["19.2"]
    assert tree.xpath("//Param[@name='Origin']/@value") == ["ECLAIRs"]
    assert "no X-ray source detected" in made["message"].decode()


def test_another_position_with_a_detection_is_not_an_upper_limit():
    found = report(localisation=LOCALISATION)
    assert "upper limit" not in circular(announcement(found, position=ECLAIRS)).decode()


def test_the_message_has_t0_and_one_unit_for_all_radii():
    """A reader of the chat could not tell when the burst was; the bracket mixed arcmin and arcsec."""
    wide = place(212.5, -12.73, 103.0, label="photons", r90_stat_arcsec=100.0, r90_sys_arcsec=25.0, time=T0)
    text = message(announcement(report(best_position=wide, positions=(ECLAIRS, wide))))
    assert "\nT0 2026-05-11 11:00:32.123 UTC\n" in text
    assert "R90 1.7' (stat 1.7', sys 0.42')" in text
    assert "T0" not in message(announcement(report(trigger_time=None)))


def test_the_choice_of_another_position_hides_no_detection():
    """With the ECLAIRs position chosen, every text called a source of 36 sigma "no MXT source"."""
    found = report(localisation=LOCALISATION, verdict="consistent", catalogues=(answer_around(ECLAIRS),))
    announced = announcement(found, position=ECLAIRS)
    place = "R.A. 14:10:00.0, Dec. -12:43:48 (J2000), 90% radius 48 arcsec"
    words = (
        f"Announced position: ECLAIRs, chosen by the Burst Advocate. An MXT source was detected at {place}."
    )
    for name, content in texts(announced).items():
        assert words in content.decode(), name
        assert "no MXT source" not in content.decode(), name
    assert voeventparse.loads(voevent(announced)).xpath("//Param[@name='Verdict']/@value") != [
        "no MXT source"
    ]
    assert "chosen by" not in circular(announcement(found)).decode()
    onboard = VHF.model_copy(update={"origin": Origin.MXT_ONBOARD, "label": "mxt-initial_qf2"})
    beside = announcement(found.model_copy(update={"positions": (ECLAIRS, onboard, VHF)}), position=onboard)
    assert f"The recommended position, from MXT (VHF photons), is {place}." in beside.choice_words
    refined = announcement(found, position=ECLAIRS, supersedes="ivo://mxt-vhf/announcements#1")
    assert refined.result == "SVOM/ECLAIRs position"


def test_our_voevent_is_not_one_of_svom():
    with pytest.raises(InvalidInput, match="another stream"):
        read_alert(voevent(announcement(report())))


def test_topic_keeps_gcns_rule():
    assert re.fullmatch(r"gcn\.notices\.[a-z]+\.[a-z]+\.[a-z_]+", names().gcn.topic)


def test_another_position_and_a_comment_are_announced():
    about = report()
    wanted = decision(about, position=ECLAIRS.label, comment="Photons\nare doubtful.\x07")
    told = announcement_of(about, next_reservation(about, [], moment=DECIDED), wanted)
    assert told.position == ECLAIRS
    made = texts(told)
    assert f"Subject: {BURST}: SVOM/ECLAIRs position\n".encode() in made["circular"]
    assert all(b"Photons are doubtful." in text for text in made.values())
    assert json.loads(made["gcn_notice"])["ra"] == ECLAIRS.ra_deg


def test_a_position_without_a_radius_cannot_be_chosen():
    vt = VHF.model_copy(update={"label": "vt", "r90_arcsec": None})
    with pytest.raises(
        InvalidInput, match=r"position 'vt' cannot be announced; expected one of: eclairs-wakeup, photons"
    ):
        chosen_position(report(positions=(ECLAIRS, VHF, vt)), "vt")


def answered(about=None, *, options=("Approve",), **answers):
    return decision_of(
        about or report(), "ab" * 32, options=options, answers=answers, decided_by="ada", decided_at=DECIDED
    )


def test_answers_become_decisions():
    assert answered(position="best", comment="").position is None
    assert answered(position=ECLAIRS.label).position == ECLAIRS.label
    assert answered().choice == "approve"
    assert answered(options=("Reject",), position="anything").choice == "reject"


@pytest.mark.parametrize(
    ("options", "answers", "cause"),
    [
        ((), {}, "expected Approve or Reject"),
        (("Approve", "Reject"), {}, "expected Approve or Reject"),
        (("Approve",), {"position": "moon"}, "position 'moon'"),
        (
            ("Approve",),
            {"comment": "x" * 2001},
            "invalid comment in the answer: String should have",
        ),
    ],
)
def test_invalid_answers(options, answers, cause):
    with pytest.raises(InvalidInput, match=cause):
        answered(options=options, **answers)


@pytest.mark.parametrize(
    "changes", [{"is_replay": True}, {"is_retracted": True}, {"best_position": None}], ids=str
)
def test_results_without_a_question(changes):
    check_askable(summary())
    with pytest.raises(NothingToDo, match=f"{BURST}__1: "):
        check_askable(summary(**changes))


def summary(**changes):
    return parse_kept(report(**changes).to_json(), ReportSummary, name="report.json")


def test_the_question_shows_drafts_and_positions(tmp_path):
    asked = write_question(
        report(),
        out=tmp_path / "out",
        releases=tmp_path / "releases",
        desk_url="http://x/desk",
        page="http://x/r",
    )
    assert asked.subject == report().headline
    assert asked.positions == ("best", "eclairs-wakeup", "photons")
    assert '| photons | MXT (VHF photons) | 212.5000 | -12.7300 | 48" (stat 41", sys 25") |' in asked.body
    assert "[circular](http://x/r/drafts/circular.txt)" in asked.body
    assert "SVOM/MXT detection of an X-ray source" in asked.body
    names_there = {path.name for path in (tmp_path / "out" / "drafts").iterdir()}
    assert names_there == {"voevent.xml", "gcn_notice.json", "circular.txt", "message.txt"}


def test_message_on_nats_has_its_subject():
    fields = {"number": 1, "ivorn": "x", "supersedes": None, "position": VHF, "decided_by": "a"}
    told = AnnouncementMessage(burst_id=BURST, text="", voevent="", gcn_notice={}, **fields)
    assert told.subject == f"mxtvhf.out.{BURST}.announcement"


def with_sources(sources=FIELD, **changes):
    return announcement(report(localisation=field(sources, OURS).model_dump(), **changes))


def test_the_other_sources_are_a_sentence_of_the_texts():
    words = (
        "The MXT field of view shows 2 other sources, at R.A., Dec. = 212.7500, -12.6000 degrees "
        "(90% radius 33 arcsec, 16.6 arcmin from the position above, 400 counts, consistent with the "
        "catalogued source NGC 1); at R.A., Dec. = "
    )
    announced = with_sources()
    assert words in circular(announced).decode()
    assert words in json.loads(gcn_notice(announced))["additional_info"]
    tree = voeventparse.loads(voevent(announced))
    assert tree.xpath("//Param[@name='Other_Sources']/@value") == ["2"]


def test_a_second_source_is_described_with_its_catalogue_match():
    known = {
        "position": "S1", "catalogue": "made", "source": "NGC 2", "separation_arcsec": 3.0,
        "combined_r90_arcsec": 40.0, "log10_bayes_factor": 5.0, "probability": 0.99, "explanation": "it is",
    }  # fmt: skip
    announced = with_sources((BRIGHT, OURS), identities=[{"name": "S1", "checked": True, "matches": [known]}])
    text = circular(announced).decode()
    assert "The MXT field of view shows a second source, at R.A., Dec. = 212.7500, -12.6000" in text
    assert "consistent with the catalogued source NGC 2)." in text


def test_one_source_and_positions_of_other_instruments_mention_no_sources():
    for announced in (
        with_sources((OURS,)),
        announcement(report(localisation=field().model_dump()), position=ECLAIRS),
    ):
        assert "MXT field of view" not in circular(announced).decode()
        assert b"Other_Sources" not in voevent(announced)


OURS_BEFORE = f"ivo://mxt-vhf/announcements#{BURST}_1"
GCN_EVENT = re.compile(r"^GRB[.\s_-]*(\d{6}[a-z|.]\d*)", re.IGNORECASE)
"""How GCN finds the event in a subject (app/routes/circulars/circulars.lib.ts of nasa-gcn/gcn.nasa.gov)."""


WHY = "It was a particle event."


def retraction(**changes):
    fields = {
        "action": "retract",
        "number": 2,
        "supersedes": OURS_BEFORE,
        "comment": "It was a particle event.",
    }
    return announcement(report(localisation=LOCALISATION, analysis=analysis()), **{**fields, **changes})


@pytest.mark.service
def test_a_retraction_names_the_announcement_and_the_reason_and_has_no_measurement(notice_schema):
    made = {name: text.decode() for name, text in texts(retraction(supersedes_circular=44454)).items()}
    assert all(WHY in text for text in made.values())
    assert all("flux" not in text and VHF.degrees_text[0] not in text for text in made.values())
    event = voeventparse.loads(made["voevent"].encode())
    cited = {str(one): one.get("cite") for one in event.Citations.EventIVORN}
    assert cited[OURS_BEFORE] == "retraction"
    assert not event.xpath("//Position2D")
    sent = json.loads(made["gcn_notice"])
    notice_schema.validate(sent)
    assert (sent["alert_type"], sent["id"], sent["record_number"]) == ("retraction", [BURST], 2)
    assert sent["reference"]["retracts"] == OURS_BEFORE
    assert not {"ra", "dec", "ref_type", "flux", "image_snr"} & set(sent)
    assert f"Subject: {BURST}: retraction of the SVOM/MXT result\n" in made["circular"]
    assert "that we reported in GCN Circ. 44454. Please disregard it." in made["circular"]
    assert "it retracts announcement 1" in made["message"]


def test_any_retraction_is_a_valid_voevent():
    for announced in (retraction(), retraction(position=ECLAIRS), retraction(comment="<b> & ]]>")):
        voeventparse.voevent_v2_0_schema.assertValid(etree.fromstring(voevent(announced)))


@pytest.mark.parametrize(
    ("circular_before", "words"),
    [(44454, "that we reported in GCN Circ. 44454."), (None, "that we reported earlier.")],
)
@pytest.mark.service
def test_an_update_names_the_superseded_announcement(notice_schema, circular_before, words):
    announced = announcement(
        report(localisation=LOCALISATION), supersedes=OURS_BEFORE, supersedes_circular=circular_before
    )
    text = circular(announced).decode()
    assert f"Subject: {BURST}: SVOM/MXT refined position\n" in text
    assert f"This result supersedes the one {words}" in text
    sent = json.loads(gcn_notice(announced))
    notice_schema.validate(sent)
    assert (sent["alert_type"], sent["reference"]["supersedes"]) == ("update", OURS_BEFORE)


@pytest.mark.service
def test_a_known_source_is_not_called_a_burst(notice_schema):
    """Its notice said ``ref_type: GRB``, and its circular was a paragraph of probabilities."""
    known = report(verdict="known source", associations=(MATCH,), localisation=LOCALISATION)
    text = circular(announcement(known)).decode()
    assert f"Subject: {BURST}: SVOM/MXT detection of the known source 4U 1702-429\n" in text
    assert "is consistent with the catalogued source 4U 1702-429, 5.0 arcsec away." in text
    assert "probability" not in text
    sent = json.loads(gcn_notice(announcement(known)))
    notice_schema.validate(sent)
    assert "ref_type" not in sent
    assert sent["classification"] == {"4U 1702-429": 0.999, "other": 0.001}


def deep(**changes):
    fields = {"catalogue": "4XMM", "checked": True, "density_per_deg2": 200.0, "radius_arcsec": 60.0}
    return {**fields, "ra_deg": VHF.ra_deg, "dec_deg": VHF.dec_deg, **changes}


def test_only_a_deep_catalogue_makes_a_source_uncatalogued():
    asked = report(verdict="uncatalogued", catalogues=(deep(),))
    text = circular(announcement(asked)).decode()
    assert "We report the detection of an uncatalogued X-ray source" in text
    assert "No source of 4XMM is consistent with this position." in text
    shallow = report(verdict="uncatalogued", catalogues=(deep(catalogue="bright", density_per_deg2=0.01),))
    text = circular(announcement(shallow)).decode()
    assert "uncatalogued" not in text
    assert "No bright catalogued X-ray source is consistent with this position; no deeper" in text


def decaying(index, low, high):
    curve = {
        "zero": T0, "zero_is_trigger": True, "exposure_s": 211.0, "mean": measured(0.57, 0.05, 0.05),
        "bins": (), "blocks": (),
        "decay": {
            "index": measured(index, 0.6 * low, 0.6 * low), "index_90": measured(index, low, high),
            "reference_s": 280.0, "rate_at_reference": 0.5,
        },
    }  # fmt: skip
    return SourceAnalysis.model_validate({"analysed": True, "light_curve": curve})


def test_significance_rate_and_decay_are_given_if_determined():
    seen = {**LOCALISATION, "ts": 1296.0}
    text = circular(announcement(report(localisation=seen, analysis=decaying(1.31, 0.42, 0.44)))).decode()
    assert "with a significance of 36 sigma at a mean rate of (0.57 +- 0.08) counts/s." in text
    assert "rate ~ (t - T0)^-alpha, with alpha = 1.3 +- 0.4." in text
    assert "The source is fading, as expected for the afterglow of the burst." in text
    for undetermined in (decaying(5.0, 5.0, 5.0), decaying(1.3, 0.4, None)):
        text = circular(announcement(report(localisation=seen, analysis=undetermined))).decode()
        assert "alpha" not in text
        assert "fades" not in text


@pytest.mark.service
def test_the_name_of_the_event_opens_the_subject(notice_schema):
    named = announcement(report(), event="GRB 260511A", byline=("A. Lovelace (CEA)", "D. Example (CEA)"))
    written = circular_of(named)
    assert written.subject == "GRB 260511A: SVOM/MXT detection of an X-ray source"
    assert GCN_EVENT.search(written.subject)[1] == "260511A"
    assert written.body.startswith("A. Lovelace (CEA), D. Example (CEA) report on behalf of")
    assert f"in the field of GRB 260511A (SVOM burst-id {BURST})." in written.body
    sent = json.loads(gcn_notice(named))
    notice_schema.validate(sent)
    assert sent["event_name"] == "GRB 260511A"
    assert message(named).startswith(f"GRB 260511A ({BURST}): SVOM/MXT detection of an X-ray source, R.A.")


def test_the_gcn_form_is_filled_in_without_our_marks():
    address = urlsplit(circular_of(announcement(report(), comment="50% & more <b>")).form_address)
    fields = parse_qs(address.query, strict_parsing=True)
    assert (address.hostname, address.path, set(fields)) == (
        "gcn.nasa.gov",
        "/circulars/new",
        {"subject", "body"},
    )
    assert fields["subject"] == [f"{BURST}: SVOM/MXT detection of an X-ray source"]
    assert "50% & more <b>" in fields["body"][0]
    assert "DRAFT" not in fields["body"][0]
    assert len(address.geturl()) < 8000


@pytest.mark.service
def test_a_comment_with_markup_and_2000_characters_is_plain_text_everywhere(notice_schema):
    comment = "<script>alert(1)</script> & ]]> " + 1900 * "x"
    announced = announcement(report(), comment=comment)
    voeventparse.voevent_v2_0_schema.assertValid(etree.fromstring(voevent(announced)))
    sent = json.loads(gcn_notice(announced))
    notice_schema.validate(sent)
    assert comment in sent["additional_info"]
    assert comment in circular(announced).decode()
