import re
from dataclasses import replace

import pytest
from markupsafe import escape

from mxtvhf.archive.archive import Archive, Retraction
from mxtvhf.archive.products import product_folder
from mxtvhf.desk.burst_page import SLOW_REFRESH_S
from mxtvhf.desk.decision import AskedQuestion, form_address
from mxtvhf.desk.files import DeskFiles
from mxtvhf.desk.render import Viewer, render_burst
from mxtvhf.desk.states import State
from mxtvhf.models.files import sha256_of
from mxtvhf.models.position import Origin, Position
from mxtvhf.notices.voevent import read_alert
from mxtvhf.reporting.announcement.content import announceable
from support.desk import BURST, NOW, Elements, decision, html_of, page_of, release_of, run


def test_a_decision_is_requested_answered_and_announced(settings, put):
    report = put(f"{BURST}__1")
    question = AskedQuestion(run_id=f"{BURST}__1", asked=NOW)
    opened = Elements(html_of(settings, [run()], questions={question.run_id: question}))
    (form,) = [one for one in opened.named("form") if one.get("id") == "answer"]
    assert form["data-address"] == f"/air/mxtvhf/desk/{BURST}/answer?run={BURST}__1"
    folder = product_folder(settings.products, BURST, f"{BURST}__1")
    assert form["data-report"] == sha256_of((folder / "report.json").read_bytes())
    choices = {one["value"]: one["data-place"] for one in opened.named("option")}
    assert list(choices) == ["best", "eclairs-wakeup", "mxt-initial_qf2"]
    best = Position.model_validate(report["best_position"])
    assert choices["best"].startswith(f"{' '.join(best.sexagesimal_text)}, R90 ")
    assert form_address("/air", question.run_id) in [one.get("href") for one in opened.named("a")]

    given_ = replace(question, answer="Approve", answered=NOW, answered_by="ann")
    answered = html_of(settings, [run()], questions={question.run_id: given_})
    assert "releasing ..." in answered
    assert 'id="answer"' not in answered

    release_of(settings)
    announced = html_of(settings, [run()], questions={question.run_id: given_})
    for words in ("Approved", "ann", "Announcement 1", "nats: sent", "GCN CIRCULAR &lt;script&gt;"):
        assert words in announced


def test_drafts_are_shown_before_the_decision_and_a_refusal_after_it(settings, put):
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


def test_a_retracted_burst_has_no_drafts(settings, put):
    put(f"{BURST}__1")
    drafts = product_folder(settings.products, BURST, f"{BURST}__1") / "drafts"
    drafts.mkdir()
    (drafts / "circular.txt").write_text("TITLE: a draft")
    retraction = Retraction(ivorn="ivo://org.svom/fsc#x", received=NOW)
    Archive(settings.archive).mark_retracted(BURST, retraction, is_test=False)
    page = html_of(settings, [run()])
    assert "The burst was retracted. No decision is needed." in page
    assert "Draft: " not in page


def test_a_question_that_a_newer_result_supersedes_cannot_be_answered(settings, put):
    """The form of every superseded run stayed open: thirteen open questions for eight bursts."""
    put(f"{BURST}__1")
    put(f"{BURST}__2")
    questions = {f"{BURST}__{n}": AskedQuestion(run_id=f"{BURST}__{n}", asked=NOW) for n in (1, 2)}
    runs = [run(f"{BURST}__2", minutes=1, sequence=2), run()]
    old = html_of(settings, runs, run(), questions)
    assert 'id="answer"' not in old
    assert "Superseded by update 2." in old
    assert 'id="answer"' in html_of(settings, runs, runs[0], questions)


def test_a_retraction_closes_the_question_and_keeps_the_report(settings, put, processed):
    """The page jumped to the run of the retraction, which has no report, and hid what was announced."""
    report = put(f"{BURST}__1")
    release_of(settings)
    alert = read_alert((processed / "input" / "alert.xml").read_bytes())
    Archive(settings.archive).mark_retracted(
        BURST, Retraction(ivorn=alert.ivorn, received=NOW), is_test=False
    )
    question = AskedQuestion(run_id=f"{BURST}__1", asked=NOW)
    runs = [run(f"{BURST}__2", minutes=1, sequence=2), run()]
    html = html_of(settings, runs, run(), {f"{BURST}__1": question})
    assert 'id="answer"' not in html
    assert f"{report['localisation']['ts']:.0f}" in html
    assert "Announcement 1 of 2026-02-28 12:00:00 UTC is out and must be retracted" in html


def test_the_confirmation_lists_every_caution(settings, put):
    put(f"{BURST}__1", is_test=True, verdict="inconsistent")
    question = AskedQuestion(run_id=f"{BURST}__1", asked=NOW)
    page = page_of(settings, [run(is_test=True)], questions={f"{BURST}__1": question})
    html = render_burst(page, base="").split('id="confirm-cautions"')[1].split("</ul>")[0]
    assert "This is a test: nothing is sent." in html
    assert "The positions are inconsistent." in html
    assert page.cautions[:2] == ["This is a test: nothing is sent.", "The positions are inconsistent."]
    # The caveats of the page, such as a placeholder calibration, were missing.
    assert any(one.startswith("Placeholder calibration: ") for one in page.caveats)
    assert set(page.caveats) <= set(page.cautions)
    for caveat in page.caveats:
        assert str(escape(caveat)) in html


def test_the_reference_gp_is_never_announced(settings, put):
    """Its position is ours under another name, and could be chosen as that of GP."""
    put(f"{BURST}__1")
    report = DeskFiles(settings).report(BURST, f"{BURST}__1")
    gp = report.positions[0].model_copy(update={"origin": Origin.GP, "label": "analysis"})
    for is_reference in (True, False):
        outcome = report.gp.model_copy(update={"available": True, "is_reference": is_reference})
        changed = report.model_copy(update={"positions": (*report.positions, gp), "gp": outcome})
        assert ("analysis" in announceable(changed)) is not is_reference


@pytest.mark.parametrize("is_reference", [True, False])
def test_headline_positions_and_decision_recommend_the_same_position(settings, put, is_reference):
    """The headline showed the position of the reference GP, which is never announced."""
    report = put(f"{BURST}__1")
    gp = report["positions"][0] | {"origin": str(Origin.GP), "label": "analysis", "r90_arcsec": 10.0}
    outcome = report["gp"] | {"available": True, "is_reference": is_reference}
    put(f"{BURST}__1", positions=[*report["positions"], gp], best_position=gp, gp=outcome)
    page = asked(settings)
    best = page.decision.choices[0]
    assert (best.label == "analysis") is not is_reference
    assert page.best == best
    assert [one.position for one in page.comparisons if one.is_best] == [best]
    assert ("reference, never announced" in render_burst(page, base="")) is is_reference


def test_a_viewer_gets_no_form(settings, put):
    """A viewer had the buttons, and was refused with "HTTP 403 Forbidden" at the end."""
    put(f"{BURST}__1")
    question = AskedQuestion(run_id=f"{BURST}__1", asked=NOW)
    page = page_of(settings, [run()], questions={question.run_id: question})
    seen = render_burst(page, base="", viewer=Viewer("bob", may_decide=False))
    assert 'id="answer"' not in seen
    assert "you are logged in as bob" in seen
    assert 'id="answer"' in render_burst(page, base="", viewer=Viewer("ada", may_decide=True))


def asked(settings, **more):
    """Return the page of a run about which the Burst Advocate was asked."""
    question = AskedQuestion(run_id=f"{BURST}__1", asked=NOW, **more)
    return page_of(settings, [run(state="running")], questions={question.run_id: question})


def test_the_question_is_open_while_gp_runs(settings, put):
    """The Burst Advocate had to wait for GP, up to 30 minutes."""
    put(f"{BURST}__1", "preliminary")
    page = asked(settings)
    assert page.state is State.AWAITING_DECISION
    html = render_burst(page, base="")
    assert 'id="answer"' in html
    assert "You can decide now; the final report updates this question." in html


def test_the_final_report_updates_the_question(settings, put):
    put(f"{BURST}__1", "preliminary")
    read = asked(settings).decision.report_sha256
    put(f"{BURST}__1", written="2026-02-28T12:05:00.000Z")
    same = asked(settings)
    assert same.decision.changes == ()
    assert "The final report confirms the preliminary result." in render_burst(same, base="")
    put(f"{BURST}__1", verdict="inconsistent")
    page = asked(settings)
    assert "Updated by the final report: verdict inconsistent (was " in render_burst(page, base="")
    assert page.decision.objection(page.decision.report_sha256) is None
    said = page.decision.objection(read)
    assert said.startswith("A newer result is available, the final report: verdict inconsistent (was ")
    assert said.endswith("Read it, then decide.")
    assert page.decision.objection(None) == said


def test_an_answer_is_refused_with_the_reason(settings, put):
    put(f"{BURST}__1")
    digest = asked(settings).decision.report_sha256
    assert page_of(settings, [run()]).decision.objection(digest) == "No decision is open."
    given = asked(settings, answer="Reject", answered=NOW, answered_by="bob").decision
    assert given.objection(digest) == "Already answered by bob, 2026-02-28 12:00:00 UTC."
    release_of(settings)
    assert asked(settings).decision.objection(digest) == "Already decided by ann, 2026-02-28 12:00:00 UTC."
    closed = replace(given, decision=None, question=asked(settings).decision.question, closed="Retracted.")
    assert closed.objection(digest) == "Retracted. No decision is needed."


def test_a_rejection_can_be_changed_after_the_question_is_asked_again(settings, put):
    put(f"{BURST}__1")
    folder = DeskFiles(settings).release_folder(BURST, f"{BURST}__1")
    folder.mkdir(parents=True)
    (folder / "decision.json").write_text(decision("reject").model_dump_json())
    box = asked(settings).decision
    assert box.is_open
    assert box.objection(box.report_sha256) is None


def test_an_announcement_of_the_preliminary_result_is_marked(settings, put):
    put(f"{BURST}__1", "preliminary")
    early = decision("approve").model_copy(update={"report_status": "preliminary"})
    release_of(settings, decision=early)
    before = html_of(settings, [run(state="running")])
    assert "with the preliminary report" in before
    assert "The final report" not in before.split('id="decision"')[1].split("</section>")[0]
    put(f"{BURST}__1")
    assert "The final report agrees." in html_of(settings, [run()])
    put(f"{BURST}__1", verdict="inconsistent")
    assert "The final report differs: verdict inconsistent (was " in html_of(settings, [run()])


def test_the_drafts_belong_to_the_displayed_report(settings, put):
    folder = product_folder(settings.products, BURST, f"{BURST}__1")
    for status, below in (("preliminary", "preliminary/"), ("final", "")):
        put(f"{BURST}__1", status)
        (folder / f"{below}drafts").mkdir()
        (folder / f"{below}drafts" / "circular.txt").write_text(f"TITLE: {status}")
        html = html_of(settings, [run()])
        assert f"TITLE: {status}" in html
        assert f"/air/mxtvhf/runs/{BURST}__1/{below}drafts/circular.txt" in html


def test_a_known_source_is_named_in_the_question_and_approve_is_not_green(settings, put):
    """The box asked "Announce this burst?" beside a green button."""
    put(f"{BURST}__1")
    plain = render_burst(asked(settings), base="")
    assert "Announce this burst?" in plain
    assert 'class="approve"' in plain
    report = DeskFiles(settings).report(BURST, f"{BURST}__1")
    known = {
        "position": report.best_position.label, "catalogue": "bright-xray", "source": "4U 1702-429",
        "separation_arcsec": 3.0, "combined_r90_arcsec": 40.0, "log10_bayes_factor": 5.0, "probability": 0.99,
        "explanation": "it is",
    }  # fmt: skip
    put(f"{BURST}__1", verdict="known source", associations=[known])
    html = render_burst(asked(settings), base="")
    assert "This is probably 4U 1702-429. Announce it anyway?" in html
    assert 'class="approve"' not in html


def test_every_choice_has_coordinates_and_r90(settings, put):
    put(f"{BURST}__1")
    html = render_burst(asked(settings), base="")
    texts = [one.split("</option>")[0] for one in html.split("<option")[1:]]
    assert all(re.search(r"[0-9]{2}:[0-9]{2}:[0-9.]+ [+-][0-9]{2}:.*, R90 [0-9]", one) for one in texts)


def test_no_question_no_decision(settings, put):
    put(f"{BURST}__1")
    assert "No decision is open." in html_of(settings, [run()])
