import json
from datetime import timedelta

import pytest
from markupsafe import escape

from mxtvhf.archive.archive import Archive
from mxtvhf.archive.products import product_folder
from mxtvhf.desk.burst_list import burst_lines
from mxtvhf.desk.burst_page import SLOW_REFRESH_S, catalogue_lines
from mxtvhf.desk.decision import AskedQuestion
from mxtvhf.desk.files import DeskFiles
from mxtvhf.desk.render import render_aladin, render_burst
from mxtvhf.desk.shown_run import shown_run
from mxtvhf.desk.states import State
from mxtvhf.models.galactic import galactic_text
from mxtvhf.models.ids import RunKind
from mxtvhf.models.position import Position
from mxtvhf.notices.voevent import read_alert
from mxtvhf.workflow.runs import StepProblem
from support.desk import BURST, HOSTILE, NOW, Elements, answer, html_of, page_of, release_of, run, source
from support.sources import FIELD, field


def test_catalogues_that_were_not_checked_come_first_with_the_reason():
    lines = catalogue_lines(
        [
            answer(sources=(source("A"),)),
            answer(sources=(source("A"), source("B"))),
            answer("vizier", checked=False, reason="no answer within 5 s"),
            answer("gaps", sources=(source("A"),)).model_copy(update={"unusable_here": 1}),
        ]
    )
    assert [(line.catalogue, line.checked, line.reason, line.sources) for line in lines] == [
        ("gaps", False, "1 row here without a usable position error", 1),
        ("vizier", False, "no answer within 5 s", 0),
        ("bright", True, None, 2),
    ]


def test_the_page_has_everything_for_the_decision(settings, put):
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
    assert f"{best['ra_deg']:.4f} {best['dec_deg']:+.4f}" in page
    assert report["verdict_reason"].split(".")[0].split("'")[0] in page
    assert "No catalogue was searched" in page
    judged = report["localisation"]["onboard"]
    assert len(judged) == 2
    assert all(str(escape(one["explanation"])) in page for one in judged)
    lost = report["lost"]
    assert f'<dt>observing time lost</dt><dd class="number">{100 * lost["fraction"]:.0f} %' in page
    sources = [one["href"].split("?")[0] for one in elements.named("image")]
    assert [one.rsplit("/")[-1] for one in sources] == ["detector.png"]
    folder = product_folder(settings.products, BURST, f"{BURST}__1")
    assert all((folder / one.split(f"{BURST}__1/")[1]).is_file() for one in sources)
    for product in report["products"].values():
        assert product["sha256"] in page
    assert {"SIMBAD", "ESASky", "Aladin Lite"} <= {word.strip() for word in page.replace("<", ">").split(">")}


def test_the_headline_shows_what_was_announced(settings, put):
    report = put(f"{BURST}__1")
    best = Position.model_validate(report["best_position"])
    other = next(one for one in report["positions"] if one["label"] != best.label)
    put(f"{BURST}__1", verdict="known source")
    release_of(settings, position=Position.model_validate(other))
    page = page_of(settings, [run()])
    assert page.best.label == other["label"]
    (line,) = burst_lines([run()], {}, (), DeskFiles(settings))
    assert line.best == page.best
    assert (line.verdict, line.verdict_words) == (
        "",
        f"announced position: {Position.model_validate(other).name}, chosen by the Burst Advocate",
    )
    html = html_of(settings, [run()])
    shown = html.split('id="headline"')[1].split('id="decision"')[0]
    assert page.best.sexagesimal_text[0] in shown
    assert "not the recommended position" in shown
    found = f"An MXT source was detected at R.A. {best.sexagesimal_text[0]}, Dec. {best.sexagesimal_text[1]}"
    assert f"Announced position: {page.best.instrument}, chosen by the Burst Advocate. {found}" in shown
    assert "no MXT source" not in shown
    assert "known source" not in shown
    assert "Announced by ann." in shown


def test_the_headline_has_verdict_position_and_significance_before_everything_else(settings, put):
    report = put(f"{BURST}__1")
    shown = html_of(settings, [run()]).split('id="headline"')[1].split('id="decision"')[0]
    found, best = report["localisation"], report["best_position"]
    for words in (
        f"{found['ts'] ** 0.5:.0f} sigma (TS {found['ts']:.0f})",
        f"{found['n_source']:.0f} source photons on {found['n_background']:.0f} background in 300 s",
        "erg/cm2/s (0.3-10 keV, observed)",
        galactic_text(best["ra_deg"], best["dec_deg"]),
    ):
        assert words in shown
    # Sentences with probabilities are behind a fold.
    explanations = [str(escape(pair["explanation"])) for pair in report["crosscheck"]]
    assert not any(one in shown for one in explanations)
    folded = html_of(settings, [run()]).split('id="explanation"')[1].split("</details>")[0]
    assert all(one in folded for one in explanations)


def test_the_latency_of_a_run_is_that_of_its_first_report_also_after_the_final_one(settings, put):
    """The page told 35 s while the run went on and 51 s afterwards, of the same first report."""
    first = put(f"{BURST}__1", "preliminary", written="2026-02-28T22:00:10Z")
    before = page_of(settings, [run(state="running")]).latency_s
    put(f"{BURST}__1", written="2026-02-28T22:05:00Z", timeline=first["timeline"])
    assert page_of(settings, [run()]).latency_s == before


def test_the_page_runs_no_script_from_a_notice_or_a_catalogue(settings, put):
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
    assert all(one.get("role") == "img" for one in elements.named("svg"))


def test_the_page_links_to_a_report_of_another_version(settings, put):
    put(f"{BURST}__1", photons="told in another way")
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
    assert "No catalogue was searched" in page


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("running", "Analysis running; this page updates itself."),
        ("success", "The run ended without a report."),
        ("failed", "no packets"),
    ],
)
def test_a_run_without_a_report_says_why(settings, state, words):
    problems = (StepProblem(step="reception_message", state="skipped", reason="no packets"),)
    shown = run(state=state, problems=problems if state == "failed" else ())
    assert words in html_of(settings, [shown], shown)


def test_a_burst_without_a_run_has_a_page_and_an_unknown_one_has_none(settings, processed):
    assert page_of(settings, []) is None
    raw = (processed / "input" / "alert.xml").read_bytes()
    archive = Archive(settings.archive)
    archive.log_receipt(archive.keep_alert(BURST, raw), NOW)
    page = page_of(settings, [])
    assert (page.state, len(page.notices)) == (State.RECEIVING, 1)
    assert read_alert(raw).notice_type in render_burst(page, base="")


@pytest.mark.parametrize("runs", [[], [run()], [run(state="running")]], ids=["no run", "ended", "running"])
def test_before_the_first_photon_the_notice_gives_position_significance_and_t0(settings, processed, runs):
    """The first alert of a burst read "nothing to analyse", without a position, its age that of the run."""
    raw = (processed / "input" / "alert.xml").read_bytes().replace(b'role="test"', b'role="observation"')
    notice, archive = read_alert(raw), Archive(settings.archive)
    archive.log_receipt(archive.keep_alert(BURST, raw), NOW)
    page = page_of(settings, runs)
    html = render_burst(page, base="")
    assert notice.position.sexagesimal_text[0] in html
    assert f"{notice.notice_type}, SNR {notice.snr:g}" in html
    assert page.trigger_time == notice.trigger_time
    waits = "analysing the photons" if runs and runs[0].ended is None else "waiting for MXT photons"
    assert waits in html
    (line,) = burst_lines(runs, {BURST: NOW}, (), DeskFiles(settings))
    assert (line.best, line.since) == (notice.position, notice.trigger_time)
    assert line.verdict_words.startswith(notice.notice_type)


def test_a_burst_of_which_only_a_test_was_received_is_a_test(settings, processed):
    archive = Archive(settings.archive)
    raw = (processed / "input" / "alert.xml").read_bytes()
    archive.log_receipt(archive.keep_alert(BURST, raw), NOW)
    assert page_of(settings, []).kind is RunKind.TEST
    (line,) = burst_lines([], {BURST: NOW}, (), DeskFiles(settings))
    assert line.kind is RunKind.TEST


def test_the_page_refreshes_itself_while_something_may_change(settings, put):
    put(f"{BURST}__1", "preliminary")
    assert page_of(settings, [run(state="running")]).refresh_s == 2
    put(f"{BURST}__1")
    asked = {f"{BURST}__1": AskedQuestion(run_id=f"{BURST}__1", asked=NOW)}
    later = NOW + timedelta(days=2)
    assert page_of(settings, [run()], questions=asked, now=later).refresh_s == 2
    assert page_of(settings, [run()]).refresh_s == SLOW_REFRESH_S
    assert page_of(settings, [run()], now=later).refresh_s == 0


def test_the_newest_run_with_a_report_is_shown_live_before_tests_before_replays(settings, put):
    files = DeskFiles(settings)
    replay, test = run(f"{BURST}__1__replay_20260301T000000.000000Z", minutes=5), run(f"{BURST}__3__test")
    assert shown_run([replay, test, run(minutes=1)], files).run_id == f"{BURST}__1"
    assert shown_run([replay, test], files) is test
    assert shown_run([replay], files) is replay
    assert shown_run([], files) is None
    runs = [run(f"{BURST}__2", "running", minutes=2), run()]
    assert shown_run(runs, files).run_id == f"{BURST}__2"
    put(f"{BURST}__1")
    assert shown_run(runs, files).run_id == f"{BURST}__1"


def test_a_known_position_stays_while_an_update_runs(settings, put):
    """The page and the list showed the newest run: each update took the position away for a minute."""
    report = put(f"{BURST}__1")
    runs = [run(f"{BURST}__2", "running", minutes=2, sequence=2), run()]
    page = page_of(settings, runs, run())
    assert page.newer is None
    assert page.is_updating
    html = render_burst(page, base="")
    assert Position.model_validate(report["best_position"]).sexagesimal_text[0] in html
    assert "is running, created" in html.split('id="update"')[1]
    (line,) = burst_lines(runs, {}, (), DeskFiles(settings))
    assert (line.best.ra_deg, line.is_updating) == (report["best_position"]["ra_deg"], True)
    failed = page_of(settings, [run(f"{BURST}__2", "failed", minutes=2), run()], run())
    assert "ended without a report (failed); the page shows update 1" in render_burst(failed, base="")


def test_a_banner_announces_a_newer_report_than_the_displayed_one(settings, put):
    put(f"{BURST}__1")
    put(f"{BURST}__2")
    page = page_of(settings, [run(f"{BURST}__2", minutes=2, sequence=2), run()], run())
    assert page.newer.run.run_id == f"{BURST}__2"
    assert "A newer analysis is available" in render_burst(page, base="")


def test_several_sources_have_a_table_and_their_places_in_the_sky_view(settings, put):
    put(f"{BURST}__1", localisation=field().model_dump(mode="json"))
    page = html_of(settings, [run()])
    elements = Elements(page)
    parts = {one["id"] for _, one in elements.found if "data-part" in one}
    assert "sources" in parts
    assert "S2 is identified as the burst: S2 lies in the ECLAIRs circle, S1 and S3 do not." in page


def test_sources_near_the_position_have_a_layer_of_the_sky_view(settings, put):
    report = put(f"{BURST}__1")
    best = Position.model_validate(report["best_position"])
    near = tuple(
        one.model_copy(update={"position": best.model_copy(update={"dec_deg": best.dec_deg + 0.1 * number})})
        for number, one in enumerate(FIELD)
    )
    put(f"{BURST}__1", localisation=field(near, near[0]).model_dump(mode="json"))
    page = html_of(settings, [run(f"{BURST}__1")])
    layers = {one["data-layer"] for one in Elements(page).named("input") if "data-layer" in one}
    assert "sources" in layers


def test_one_source_has_no_table(settings, put):
    put(f"{BURST}__1")
    assert "Sources in the field" not in html_of(settings, [run()])


def test_lost_time_is_explained_and_not_shown_beside_complete_packets(settings, put):
    """ "Packets missing 0 of 104, 1 % of the time" left the reader to guess what was lost."""
    report = put(f"{BURST}__1")
    lost = report["lost"] | {"seconds": 3.14, "fraction": 0.0104, "gaps": 2}
    for missing in (0, 5):
        put(f"{BURST}__1", lost=lost, packets=report["packets"] | {"missing": missing})
        html = html_of(settings, [run()])
        assert ("; 1 % of the observing time lost" in html) is bool(missing)
        assert "1 %<small>3.1 s in 2 gaps of the photons</small>" in html
