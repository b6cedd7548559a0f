from dataclasses import replace

from mxtvhf.archive.archive import Archive, Retraction
from mxtvhf.archive.products import product_folder
from mxtvhf.desk.burst_page import SLOW_REFRESH_S
from mxtvhf.desk.decision import AskedQuestion, answer_address, form_address
from mxtvhf.desk.files import DeskFiles
from mxtvhf.desk.render import Viewer, render_burst
from mxtvhf.models.position import Origin, Position
from mxtvhf.notices.voevent import read_alert
from mxtvhf.reporting.announcement.content import announceable
from support.desk import BURST, NOW, Elements, decision, html_of, page_of, release_of, run


def test_the_decision_is_asked_answered_and_announced(settings, put):
    report = put(f"{BURST}__1")
    question = AskedQuestion(run_id=f"{BURST}__1", asked=NOW)
    opened = Elements(html_of(settings, [run()], questions={question.run_id: question}))
    (form,) = [one for one in opened.named("form") if one.get("id") == "answer"]
    assert form["data-address"] == answer_address("/air", question.run_id)
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


def test_the_confirmation_names_every_caution(settings, put):
    put(f"{BURST}__1", is_test=True, verdict="inconsistent")
    question = AskedQuestion(run_id=f"{BURST}__1", asked=NOW)
    page = page_of(settings, [run(is_test=True)], questions={f"{BURST}__1": question})
    html = render_burst(page, base="").split('id="confirm-cautions"')[1].split("</ul>")[0]
    assert "This is a test: nothing is sent." in html
    assert "The positions are inconsistent." in html
    assert page.cautions[:2] == ["This is a test: nothing is sent.", "The positions are inconsistent."]


def test_the_reference_gp_is_never_announced(settings, put):
    """Its position is ours under another name, and could be chosen as that of GP."""
    put(f"{BURST}__1")
    report = DeskFiles(settings).report(BURST, f"{BURST}__1")
    gp = report.positions[0].model_copy(update={"origin": Origin.GP, "label": "analysis"})
    for is_reference in (True, False):
        outcome = report.gp.model_copy(update={"available": True, "is_reference": is_reference})
        changed = report.model_copy(update={"positions": (*report.positions, gp), "gp": outcome})
        assert ("analysis" in announceable(changed)) is not is_reference


def test_a_viewer_gets_no_form(settings, put):
    """A viewer had the buttons, and was refused with "HTTP 403 Forbidden" at the end."""
    put(f"{BURST}__1")
    question = AskedQuestion(run_id=f"{BURST}__1", asked=NOW)
    page = page_of(settings, [run()], questions={question.run_id: question})
    seen = render_burst(page, base="", viewer=Viewer("bob", may_decide=False))
    assert 'id="answer"' not in seen
    assert "you are logged in as bob" in seen
    assert 'id="answer"' in render_burst(page, base="", viewer=Viewer("ada", may_decide=True))


def test_no_question_no_decision(settings, put):
    put(f"{BURST}__1")
    assert "No decision is open." in html_of(settings, [run()])
