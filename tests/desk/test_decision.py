from dataclasses import replace

from mxtvhf.archive.products import product_folder
from mxtvhf.desk.burst_page import SLOW_REFRESH_S
from mxtvhf.desk.decision import AskedQuestion, answer_address, form_address
from mxtvhf.desk.files import DeskFiles
from mxtvhf.desk.render import render_burst
from support.desk import BURST, NOW, Elements, decision, html_of, page_of, release_of, run


def test_the_decision_is_asked_answered_and_announced(settings, put):
    put(f"{BURST}__1")
    question = AskedQuestion(run_id=f"{BURST}__1", asked=NOW)
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
