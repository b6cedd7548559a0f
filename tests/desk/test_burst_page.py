import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from io import BytesIO
from math import cos, hypot, radians
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.archive.archive import Archive, Retraction
from mxtvhf.archive.products import product_folder
from mxtvhf.catalogues.model import CatalogueAnswer, CatalogueSource
from mxtvhf.desk.burst_list import burst_lines, verdict_words
from mxtvhf.desk.burst_page import SLOW_REFRESH_S, burst_page, catalogue_lines, newest_run
from mxtvhf.desk.decision import Question, answer_address, form_address
from mxtvhf.desk.download import zipped
from mxtvhf.desk.files import DeskFiles
from mxtvhf.desk.render import render_aladin, render_burst, render_list
from mxtvhf.desk.sky_view import sky_view
from mxtvhf.desk.states import State, kind_of, state_of
from mxtvhf.localisation.model import CredibleRegion
from mxtvhf.models.angles import separation_arcsec
from mxtvhf.models.files import sha256_of
from mxtvhf.models.ids import RunKind
from mxtvhf.models.position import Origin, Position
from mxtvhf.notices.voevent import read_alert
from mxtvhf.reporting.announcement.model import Decision, Delivery, Release
from mxtvhf.settings import Settings
from mxtvhf.simulator.scenario import scenario_of, write_scenario
from mxtvhf.workflow.local import process_burst
from mxtvhf.workflow.runs import Run, StepProblem

BURST = "sb26022802"
NOW = datetime(2026, 2, 28, 12, 0, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def processed(tmp_path_factory):
    """The product folder of a burst, made by the real chain."""
    folder = tmp_path_factory.mktemp("burst")
    write_scenario(scenario_of(BURST, seed=3), folder / "input")
    process_burst(folder / "input" / "alert.xml", folder / "input" / "packets.bin", folder / "products")
    return folder


@pytest.fixture
def settings(tmp_path):
    return Settings(state=tmp_path)


@pytest.fixture
def put(settings, processed):
    """Lay a report with some changes into the products of a run; ``status`` decides where."""

    def lay(run_id, status="final", **changes):
        folder = product_folder(settings.products, BURST, run_id)
        if not folder.exists():
            shutil.copytree(processed / "products", folder)
            (folder / "report.json").unlink()
            (folder / "preliminary" / "report.json").unlink()
        report = json.loads((processed / "products" / "report.json").read_text())
        report |= {"run_id": run_id, "status": status, "is_test": False, **changes}
        own = "report.json" if status == "final" else "preliminary/report.json"
        (folder / own).write_text(json.dumps(report))
        return report

    return lay


def run(run_id=f"{BURST}__1", state="success", minutes=0, **more):
    created = NOW + timedelta(minutes=minutes)
    ended = None if state in ("queued", "running") else created + timedelta(seconds=9)
    return Run(run_id=run_id, burst_id=BURST, sequence=1, state=state, created=created, ended=ended, **more)


def page_of(settings, runs, shown=None, questions=None, now=NOW):
    return burst_page(
        BURST,
        runs,
        shown or (runs[0] if runs else None),
        questions or {},
        DeskFiles(settings),
        airflow="/air",
        now=now,
    )


def html_of(settings, *arguments, **options):
    return render_burst(page_of(settings, *arguments, **options), base="/air/mxtvhf")


def decision(choice):
    return Decision(
        run_id=f"{BURST}__1", burst_id=BURST, choice=choice, comment=HOSTILE, decided_by="ann", decided_at=NOW
    )


def position(ra=10.0, dec=20.0, r90=30.0, label="photons", origin=Origin.MXT_VHF):
    return Position(
        origin=origin,
        label=label,
        ra_deg=ra,
        dec_deg=dec,
        r90_stat_arcsec=r90,
        r90_sys_arcsec=0.0,
        r90_arcsec=r90,
    )


def release_of(settings, **more):
    release = Release(
        decision=decision("approve"),
        number=1,
        ivorn="ivo://x/y#z",
        is_test=False,
        position=position(),
        released=NOW,
        products={},
        deliveries=(Delivery(channel="nats", state="sent", time=NOW),),
        **more,
    )
    folder = DeskFiles(settings).release_folder(BURST, f"{BURST}__1")
    folder.mkdir(parents=True)
    (folder / "decision.json").write_text(release.decision.model_dump_json())
    (folder / "release.json").write_text(release.model_dump_json())
    (folder / "circular.txt").write_text(f"TITLE: GCN CIRCULAR {HOSTILE}")
    return release


def answer(catalogue="bright", checked=True, sources=(), **more):
    return CatalogueAnswer(
        catalogue=catalogue,
        checked=checked,
        ra_deg=10.0,
        dec_deg=20.0,
        radius_arcsec=600.0,
        sources=sources,
        **more,
    )


def source(name, ra=10.01, dec=20.0):
    return CatalogueSource(
        catalogue="bright", name=name, ra_deg=ra, dec_deg=dec, r90_arcsec=5.0, reference="none"
    )


class Elements(HTMLParser):
    """The elements of a page: (name, attributes)."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def named(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


@pytest.mark.parametrize(
    ("state", "report", "more", "expected"),
    [
        ("queued", None, {}, State.RUNNING),
        ("running", "preliminary", {}, State.PRELIMINARY),
        ("running", "final", {}, State.FINAL),
        ("failed", "final", {}, State.FINAL),
        ("failed", "preliminary", {}, State.FAILED),
        ("failed", None, {}, State.FAILED),
        ("success", None, {}, State.NOTHING_TO_ANALYSE),
        ("success", "final", {"is_asked": True}, State.AWAITING_DECISION),
        ("success", "final", {"decision": decision("approve")}, State.APPROVED),
        ("success", "final", {"decision": decision("reject")}, State.REJECTED),
        ("success", "final", {"is_asked": True, "is_retracted": True}, State.RETRACTED),
    ],
)
def test_where_a_burst_stands(settings, put, state, report, more, expected):
    if report:
        put(f"{BURST}__1", report)
    assert state_of(run(state=state), DeskFiles(settings).summary(BURST, f"{BURST}__1"), **more) is expected


def test_an_announcement_comes_before_the_decision(settings, put):
    release = release_of(settings)
    assert state_of(run(), None, decision=release.decision, release=release) is State.ANNOUNCED


def test_tests_and_replays_are_told_by_id_or_report(settings, put):
    put(f"{BURST}__1", is_test=True)
    assert kind_of(f"{BURST}__1", DeskFiles(settings).summary(BURST, f"{BURST}__1")) is RunKind.TEST
    assert kind_of(f"{BURST}__1__test", None) is RunKind.TEST
    assert kind_of(f"{BURST}__1__replay_20260301T000000.000000Z", None) is RunKind.REPLAY
    assert kind_of(f"{BURST}__1", None) is RunKind.LIVE


def test_the_list_has_one_line_per_burst_and_kind_newest_first(settings, put):
    replay = f"{BURST}__1__replay_20260301T000000.000000Z"
    put(f"{BURST}__2")
    put(replay, is_replay=True)
    runs = [run(replay, minutes=60), run(f"{BURST}__2", minutes=2), run(minutes=1)]
    receiving = {"sb26022809": NOW + timedelta(days=1), BURST: NOW}
    lines = burst_lines(runs, receiving, {f"{BURST}__2"}, DeskFiles(settings))
    assert [(line.burst_id, line.kind, line.state) for line in lines] == [
        ("sb26022809", RunKind.LIVE, State.RECEIVING),
        (BURST, RunKind.REPLAY, State.FINAL),
        (BURST, RunKind.LIVE, State.AWAITING_DECISION),
    ]
    live = lines[2]
    assert (live.updates, live.address, live.verdict) == (2, BURST, "consistent")
    assert lines[1].address == f"{BURST}?run={replay}"
    assert 0.0 < live.latency_s < 600.0
    page = Elements(render_list(lines, quarantined=3, base="/mxtvhf"))
    rows = [row for row in page.named("tr") if "data-kind" in row]
    assert [("hidden" in row, row["data-kind"]) for row in rows] == [
        (False, "live"),
        (True, "replay"),
        (False, "live"),
    ]


def test_what_could_not_be_read_is_counted():
    assert "1 input could not be read" in render_list([], quarantined=1, base="")
    assert "every input could be read" in render_list([], quarantined=0, base="")


def test_a_retraction_marks_list_and_page(settings, put, processed):
    put(f"{BURST}__1")
    alert = read_alert((processed / "input" / "alert.xml").read_bytes())
    retraction = Retraction(ivorn=alert.ivorn, received=NOW)
    Archive(settings.archive).mark_retracted(BURST, retraction, is_test=False)
    (line,) = burst_lines([run()], {}, (), DeskFiles(settings))
    assert line.state is State.RETRACTED
    assert "RETRACTED: a notice took the burst back" in html_of(settings, [run()])


@pytest.mark.parametrize(
    ("headline", "verdict", "words"),
    [
        ("sb · R90 · consistent with ECLAIRs, 1.0' away", "", "consistent with ECLAIRs, 1.0' away"),
        ("sb · consistent with ECLAIRs", "consistent", "consistent with ECLAIRs"),
        ("sb · inconsistent with ECLAIRs · new source", "new source", "inconsistent with ECLAIRs"),
        ("sb · no better position · known source 4U 1", "known source", "4U 1; no better position"),
    ],
)
def test_the_verdict_in_words(settings, put, headline, verdict, words):
    put(f"{BURST}__1", headline=headline, verdict=verdict)
    assert verdict_words(DeskFiles(settings).summary(BURST, f"{BURST}__1")) == words


@given(
    ra=st.floats(0.0, 359.9),
    dec=st.floats(-85.0, 85.0),
    east=st.floats(-10.0, 10.0),
    north=st.floats(-10.0, 10.0),
)
def test_places_in_the_sky_view_are_as_far_apart_as_on_the_sky(ra, dec, east, north):
    other = position(
        (ra + east / 60.0 / cos(radians(dec))) % 360.0 % 360.0, dec + north / 60.0, label="other"
    )
    best = position(ra, dec)
    _, circle = sky_view(best, [best, other]).circles
    away = separation_arcsec(ra, dec, other.ra_deg, other.dec_deg) / 60.0
    assert hypot(circle.x, circle.y) == pytest.approx(away, rel=1e-4, abs=2e-5)


def test_east_is_positive_and_what_is_far_away_is_left_to_the_words():
    best, opposite = position(), position(ra=190.0, dec=-20.0, label="grm")
    view = sky_view(best, [best, position(ra=10.01, label="east"), opposite])
    assert [(circle.label, circle.x > 0.5) for circle in view.circles] == [("photons", False), ("east", True)]
    assert [layer.name for layer in view.layers] == ["position photons", "position east"]


def test_a_source_within_two_cones_is_drawn_once():
    answers = [answer(sources=(source("A"), source("B"))), answer(sources=(source("A"),))]
    region = CredibleRegion(
        part=0.9, area_arcmin2=1.0, outlines=(((10.0, 20.0), (10.01, 20.0), (10.0, 20.01)),)
    )
    view = sky_view(position(), [position()], [region], answers)
    assert [circle.label for circle in view.circles] == ["photons", "A", "B"]
    assert [layer.words for layer in view.layers][1:] == ["bright", "MXT-VHF 90 % region"]
    assert view.regions[0].outlines[0][0] == (0.0, 0.0)


def test_catalogues_that_were_not_checked_come_first_with_the_reason():
    lines = catalogue_lines(
        [
            answer(sources=(source("A"),)),
            answer(sources=(source("A"), source("B"))),
            answer("vizier", checked=False, reason="no answer within 5 s"),
        ]
    )
    assert [(line.catalogue, line.checked, line.reason, line.sources) for line in lines] == [
        ("vizier", False, "no answer within 5 s", 0),
        ("bright", True, None, 2),
    ]


def test_the_page_has_all_that_decides(settings, put):
    report = put(f"{BURST}__1")
    page = html_of(settings, [run()])
    elements = Elements(page)
    parts = {one["id"] for _, one in elements.found if "data-part" in one}
    assert parts >= {
        "headline",
        "decision",
        "sky",
        "verdict",
        "catalogues",
        "positions",
        "photons",
        "timeline",
        "packets",
        "history",
        "downloads",
    }
    best = report["best_position"]
    assert f"{best['ra_deg']:.5f} {best['dec_deg']:+.5f}" in page
    assert report["verdict_reason"].split(".")[0].split("'")[0] in page
    assert "No catalogue was asked" in page
    sources = [one["src"].split("?")[0] for one in elements.named("img")]
    assert any(one.endswith("source_spectrum.png") for one in sources)
    folder = product_folder(settings.products, BURST, f"{BURST}__1")
    assert all((folder / one.split(f"{BURST}__1/")[1]).is_file() for one in sources)
    for product in report["products"].values():
        assert product["sha256"] in page
    assert {"SIMBAD", "ESASky", "Aladin Lite"} <= {word.strip() for word in page.replace("<", ">").split(">")}


def test_the_page_runs_nothing_that_a_notice_or_a_catalogue_brings(settings, put):
    bad = {"catalogue": HOSTILE, "checked": True, "ra_deg": 1.0, "dec_deg": 1.0, "radius_arcsec": 5.0}
    flags = [HOSTILE, '"><img src=x onerror=alert(1)>']
    report = put(f"{BURST}__1", headline=HOSTILE, verdict_reason=HOSTILE, flags=flags, catalogues=[bad])
    report["positions"][0]["label"] = "\"'><svg onload=alert(1)>"
    put(f"{BURST}__1", **{name: report[name] for name in ("positions", "flags", "catalogues", "headline")})
    release_of(settings)
    problem = StepProblem(step=HOSTILE, state="failed", reason=HOSTILE)
    shown = run(problems=(problem,))
    for page in (html_of(settings, [shown], shown), render_aladin(page_of(settings, [shown]), base="")):
        elements = Elements(page)
        scripts = elements.named("script")
        assert scripts
        assert all("/desk/static/" in one["src"] for one in scripts)
        for _, attributes in elements.found:
            assert not [name for name in attributes if name.startswith("on") or name == "style"]
    assert not elements.named("svg")


def test_a_report_of_another_version_is_led_to(settings, put):
    put(f"{BURST}__1", what_is_this="a field of tomorrow")
    page = html_of(settings, [run()])
    assert "another version of this software" in page
    assert f"/air/mxtvhf/runs/{BURST}__1/report" in page


def test_a_report_older_than_the_verdict_is_shown(settings, put, processed):
    report = put(f"{BURST}__1")
    for name in ("verdict", "verdict_reason", "catalogues", "associations", "flags"):
        del report[name]
    folder = product_folder(settings.products, BURST, f"{BURST}__1")
    (folder / "report.json").write_text(json.dumps(report))
    page = html_of(settings, [run()])
    assert report["headline"].rsplit(" · ", 1)[-1].split("'")[0] in page
    assert "No catalogue was asked" in page


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("running", "its first report appears here"),
        ("success", "ended without one"),
        ("failed", "no packets"),
    ],
)
def test_a_run_without_a_report_says_why(settings, state, words):
    problems = (StepProblem(step="reception_message", state="skipped", reason="no packets"),)
    shown = run(state=state, problems=problems if state == "failed" else ())
    assert words in html_of(settings, [shown], shown)


def test_a_burst_that_is_only_received_has_a_page_and_an_unknown_one_none(settings, processed):
    assert page_of(settings, []) is None
    raw = (processed / "input" / "alert.xml").read_bytes()
    archive = Archive(settings.archive)
    archive.log_receipt(archive.keep_alert(BURST, raw), NOW)
    page = page_of(settings, [])
    assert (page.state, len(page.notices)) == (State.RECEIVING, 1)
    assert read_alert(raw).notice_type in render_burst(page, base="")


def test_the_decision_is_asked_answered_and_announced(settings, put):
    put(f"{BURST}__1")
    question = Question(run_id=f"{BURST}__1", asked=NOW)
    opened = Elements(html_of(settings, [run()], questions={question.run_id: question}))
    (form,) = [one for one in opened.named("form") if one.get("id") == "answer"]
    assert form["data-address"] == answer_address("/air", question.run_id)
    choices = [one["value"] for one in opened.named("option")]
    assert choices[0] == "best"
    assert "photons" in choices
    assert form_address("/air", question.run_id) in [one.get("href") for one in opened.named("a")]

    given_ = replace(question, answer="Approve", answered=NOW, answered_by="ann")
    answered = html_of(settings, [run()], questions={question.run_id: given_})
    assert "being carried out" in answered
    assert 'id="answer"' not in answered

    release_of(settings)
    announced = html_of(settings, [run()], questions={question.run_id: given_})
    for words in ("Approved", "ann", "Announcement 1", "nats: sent", "GCN CIRCULAR &lt;script&gt;"):
        assert words in announced


def test_drafts_are_shown_before_and_a_refusal_after_the_decision(settings, put):
    put(f"{BURST}__1")
    drafts = product_folder(settings.products, BURST, f"{BURST}__1") / "drafts"
    drafts.mkdir()
    (drafts / "circular.txt").write_text("TITLE: a draft")
    page = html_of(settings, [run()])
    assert "Draft: circular.txt" in page
    assert f"/air/mxtvhf/runs/{BURST}__1/drafts/circular.txt" in page

    folder = DeskFiles(settings).release_folder(BURST, f"{BURST}__1")
    folder.mkdir(parents=True)
    (folder / "decision.json").write_text(decision("approve").model_dump_json())
    assert page_of(settings, [run()]).refresh_s == 2
    (folder / "refused.txt").write_text("a newer one was released\n")
    refused = page_of(settings, [run()])
    assert refused.refresh_s == SLOW_REFRESH_S
    assert "a newer one was released" in render_burst(refused, base="")


def test_no_question_no_decision(settings, put):
    put(f"{BURST}__1")
    assert "No decision is open." in html_of(settings, [run()])


def test_the_page_refreshes_itself_while_something_may_change(settings, put):
    put(f"{BURST}__1", "preliminary")
    assert page_of(settings, [run(state="running")]).refresh_s == 2
    put(f"{BURST}__1")
    asked = {f"{BURST}__1": Question(run_id=f"{BURST}__1", asked=NOW)}
    later = NOW + timedelta(days=2)
    assert page_of(settings, [run()], questions=asked, now=later).refresh_s == 2
    assert page_of(settings, [run()]).refresh_s == SLOW_REFRESH_S
    assert page_of(settings, [run()], now=later).refresh_s == 0


def test_the_newest_run_that_is_no_replay_is_shown(settings, put):
    replay = run(f"{BURST}__1__replay_20260301T000000.000000Z", minutes=5)
    assert newest_run([replay, run(minutes=1)]).run_id == f"{BURST}__1"
    assert newest_run([replay]) is replay
    assert newest_run([]) is None
    put(f"{BURST}__1")
    page = page_of(settings, [run(f"{BURST}__2", minutes=2), run()], run())
    assert page.newer == f"{BURST}__2"
    assert "Not the newest run" in render_burst(page, base="")


def test_a_report_is_read_again_when_it_changed(settings, put):
    put(f"{BURST}__1", "preliminary")
    files = DeskFiles(settings)
    assert files.summary(BURST, f"{BURST}__1").status == "preliminary"
    put(f"{BURST}__1")
    assert files.summary(BURST, f"{BURST}__1").status == "final"
    put(f"{BURST}__1", headline="another one")
    assert files.summary(BURST, f"{BURST}__1").headline == "another one"


def test_all_products_in_one_file(settings, put):
    report = put(f"{BURST}__1")
    folder = product_folder(settings.products, BURST, f"{BURST}__1")
    made = DeskFiles(settings).report(BURST, f"{BURST}__1")
    outside = made.products["event_file"].model_copy(update={"path": "../../../secret"})
    made = made.model_copy(update={"products": {**made.products, "trap": outside}})
    (settings.home / "secret").write_text("no")
    with ZipFile(BytesIO(zipped(folder, made))) as file:
        assert not [name for name in file.namelist() if "secret" in name]
        for product in report["products"].values():
            assert sha256_of(file.read(f"{BURST}__1/{product['path']}")) == product["sha256"]
        assert f"{BURST}__1/report.json" in file.namelist()
