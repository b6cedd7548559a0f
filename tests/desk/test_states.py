from datetime import datetime, timedelta

import pytest

from mxtvhf.desk.burst_list import burst_lines
from mxtvhf.desk.burst_page import SLOW_REFRESH_S
from mxtvhf.desk.decision import AskedQuestion
from mxtvhf.desk.files import DeskFiles
from mxtvhf.desk.render import render_burst
from mxtvhf.desk.states import State, kind_of, state_of
from mxtvhf.models.ids import RunKind
from mxtvhf.reporting.announcement.model import Delivery
from support.desk import BURST, NOW, decision, page_of, release_of, run


@pytest.mark.parametrize(
    ("state", "report", "more", "expected"),
    [
        ("queued", None, {}, State.RUNNING),
        ("running", "preliminary", {}, State.PRELIMINARY),
        ("running", "final", {}, State.FINAL),
        ("failed", "final", {}, State.FINAL),
        ("failed", "preliminary", {}, State.FAILED),
        ("failed", None, {}, State.FAILED),
        ("success", None, {}, State.NO_PHOTONS),
        ("success", "final", {"is_asked": True}, State.AWAITING_DECISION),
        ("running", "preliminary", {"is_asked": True}, State.AWAITING_DECISION),
        ("running", "preliminary", {"answer": "Approve"}, State.APPROVED),
        ("success", "final", {"decision": decision("approve")}, State.APPROVED),
        ("success", "final", {"decision": decision("reject")}, State.REJECTED),
        ("success", "final", {"decision": decision("approve"), "is_refused": True}, State.NOT_RELEASED),
        ("success", "final", {"decision": decision("reject"), "is_refused": True}, State.REJECTED),
        ("success", "final", {"decision": decision("reject"), "is_asked": True}, State.AWAITING_DECISION),
        ("success", "final", {"answer": "Approve"}, State.APPROVED),
        ("success", "final", {"answer": "Reject"}, State.REJECTED),
        ("success", "final", {"is_asked": True, "is_retracted": True}, State.RETRACTED),
    ],
)
def test_the_state_of_a_burst(settings, put, state, report, more, expected):
    if report:
        put(f"{BURST}__1", report)
    assert state_of(run(state=state), DeskFiles(settings).summary(BURST, f"{BURST}__1"), **more) is expected


@pytest.mark.parametrize(
    ("delivered", "state"),
    [([], State.RELEASED), (["off", "refused"], State.RELEASED), (["off", "sent"], State.SENT)],
)
def test_a_release_that_was_not_sent_has_its_own_state(settings, delivered, state):
    """With no channel configured the page said "announced" although nobody had been told."""
    deliveries = tuple(Delivery(channel="nats", state=one, time=NOW) for one in delivered)
    release = release_of(settings, deliveries=deliveries)
    assert state_of(run(), None, decision=release.decision, release=release) is state


def test_the_state_is_approved_as_soon_as_it_is_answered(settings, put):
    """Between the answer and the archived decision it was called final, as if nobody had decided."""
    put(f"{BURST}__1")
    given = {"run_id": f"{BURST}__1", "asked": NOW, "answer": "Approve", "answered": NOW}
    answered = AskedQuestion(**given)
    assert page_of(settings, [run()], questions={f"{BURST}__1": answered}).state is State.APPROVED
    (line,) = burst_lines([run()], {}, (), DeskFiles(settings), answers={f"{BURST}__1": "Approve"})
    assert line.state is State.APPROVED


def test_an_answer_that_was_not_carried_out_is_no_approval(settings, put):
    """A refused older run was called approved for good."""
    put(f"{BURST}__1")
    given = {"answer": "Approve", "answered": NOW, "answered_by": "ann", "is_failed": True}
    question = AskedQuestion(run_id=f"{BURST}__1", asked=NOW, **given)
    page = page_of(settings, [run()], questions={f"{BURST}__1": question})
    assert (page.state, page.decision.is_pending) == (State.FINAL, False)
    assert "the answer was not carried out" in render_burst(page, base="")


def test_the_page_refreshes_often_until_the_question_appears(settings, put):
    put(f"{BURST}__1", written=NOW.isoformat())
    soon, later = (page_of(settings, [run()], now=NOW + timedelta(seconds=s)) for s in (5, 120))
    assert (soon.refresh_s, later.refresh_s) == (2, SLOW_REFRESH_S)
    assert "The question is being prepared." in render_burst(soon, base="")
    assert "No decision is open." in render_burst(later, base="")
    put(f"{BURST}__1", is_retracted=True, written=NOW.isoformat())
    assert not page_of(settings, [run()], now=NOW + timedelta(seconds=5)).is_question_due


def test_a_refused_result_is_not_approved(settings, put):
    put(f"{BURST}__1")
    folder = DeskFiles(settings).release_folder(BURST, f"{BURST}__1")
    folder.mkdir(parents=True)
    (folder / "decision.json").write_text(decision("approve").model_dump_json())
    (folder / "refused.txt").write_text("a newer one was released\n")
    assert page_of(settings, [run()]).state is State.NOT_RELEASED


def test_the_first_report_of_a_run_decides_about_its_latency(settings, put):
    first = put(f"{BURST}__1", "preliminary")
    before = page_of(settings, [run(state="running")]).latency_s
    later = datetime.fromisoformat(first["written"]) + timedelta(seconds=100)
    put(f"{BURST}__1", written=later.isoformat())
    assert page_of(settings, [run()]).latency_s == before
    (line,) = burst_lines([run()], {}, (), DeskFiles(settings))
    assert line.latency_s == before


def test_tests_and_replays_are_recognised_by_id_or_report(settings, put):
    put(f"{BURST}__1", is_test=True)
    assert kind_of(f"{BURST}__1", DeskFiles(settings).summary(BURST, f"{BURST}__1")) is RunKind.TEST
    assert kind_of(f"{BURST}__1__test", None) is RunKind.TEST
    assert kind_of(f"{BURST}__1__replay_20260301T000000.000000Z", None) is RunKind.REPLAY
    assert kind_of(f"{BURST}__1", None) is RunKind.LIVE
