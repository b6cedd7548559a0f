"""The state of decisions and announcements of real bursts."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from mxtvhf.archive.archive import Archive, Retraction
from mxtvhf.archive.products import product_folder
from mxtvhf.desk.decision import AskedQuestion
from mxtvhf.operation.announcements import live_releases, open_decisions, undelivered
from mxtvhf.reporting.announcement.model import Decision, Delivery, Release
from mxtvhf.settings import Settings
from support.desk import position

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
BURST = "sb26112901"
RUN = f"{BURST}__2"


@pytest.fixture
def settings(tmp_path):
    return Settings(state=tmp_path)


def asked(run_id=RUN, minutes=20):
    return AskedQuestion(run_id=run_id, asked=NOW - timedelta(minutes=minutes))


def put_report(settings, run_id=RUN, **changes):
    facts = {
        "burst_id": BURST, "run_id": run_id, "status": "final", "is_test": False, "is_replay": False,
        "is_retracted": False, "headline": "found", "written": "2026-11-29T11:40:00Z", "trigger_time": None,
        "best_position": None, "products": {}, "packets": None, "timeline": [],
    }  # fmt: skip
    folder = product_folder(settings.products, run_id.partition("__")[0], run_id)
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps({**facts, **changes}))


def decide(settings, run_id=RUN, minutes=5, choice="approve"):
    burst_id = run_id.partition("__")[0]
    decision = Decision(
        run_id=run_id,
        burst_id=burst_id,
        choice=choice,
        decided_by="ann",
        decided_at=NOW - timedelta(minutes=minutes),
    )
    folder = settings.releases / burst_id / run_id
    folder.mkdir(parents=True)
    (folder / "decision.json").write_text(decision.model_dump_json())
    return folder, decision


def release(settings, *states, is_test=False, minutes=5, run_id=RUN):
    folder, decision = decide(settings, run_id, minutes)
    released = Release(
        decision=decision,
        number=1,
        ivorn="ivo://x/y#z",
        is_test=is_test,
        position=position(),
        released=decision.decided_at,
        products={},
        deliveries=tuple(Delivery(channel="webhook", state=state, time=NOW) for state in states),
    )
    (folder / "release.json").write_text(released.model_dump_json())


def test_waiting_time_of_a_burst_starts_with_its_first_question(settings):
    put_report(settings)
    questions = [asked(minutes=20), asked(f"{BURST}__3", minutes=2)]
    assert open_decisions(questions, settings, now=NOW) == {BURST: 1200.0}
    assert open_decisions([], settings, now=NOW) == {}


def test_tests_replays_and_retracted_bursts_need_no_decision(settings):
    put_report(settings, is_test=True)
    put_report(settings, f"{BURST}__3", is_replay=True)
    assert open_decisions([asked(), asked(f"{BURST}__3")], settings, now=NOW) == {}
    other = "sb26112905__1"
    retraction = Retraction(ivorn="ivo://x", received=NOW)
    Archive(settings.archive).mark_retracted("sb26112905", retraction, is_test=False)
    assert open_decisions([asked(other)], settings, now=NOW) == {}


def test_a_question_older_than_the_last_decision_is_not_open(settings):
    decide(settings, f"{BURST}__3", minutes=10, choice="reject")
    assert open_decisions([asked(minutes=20)], settings, now=NOW) == {}
    assert open_decisions([asked(minutes=5)], settings, now=NOW) == {BURST: 300.0}


def test_a_retraction_does_not_answer_a_question(settings):
    """After a retraction the decision about the newer result is still open."""
    folder, decision = decide(settings)
    retraction = decision.model_copy(update={"action": "retract", "comment": "A particle event."})
    (folder / "decision.json").write_text(retraction.model_dump_json())
    assert list(open_decisions([asked()], settings, now=NOW)) == [BURST]


def test_announcements_of_tests_are_not_counted(settings):
    release(settings, "sent")
    release(settings, "off", is_test=True, run_id="sb26112905__1")
    assert [one.decision.run_id for one in live_releases(settings)] == [RUN]


@pytest.mark.parametrize(
    ("states", "minutes", "late"),
    [
        (("sent", "off"), 5, []),
        ((), 5, []),
        (("refused",), 5, [RUN]),
        (("sent", "unknown"), 5, [RUN]),
        (("refused",), 60 * 30, []),
    ],
)
def test_partially_delivered_announcements_are_undelivered(settings, states, minutes, late):
    release(settings, *states, minutes=minutes)
    assert undelivered(settings, now=NOW) == late


def test_an_approval_without_a_release_is_undelivered_after_a_minute(settings):
    decide(settings, minutes=5)
    decide(settings, "sb26112905__1", minutes=0)
    decide(settings, "sb26112906__1", minutes=5, choice="reject")
    assert undelivered(settings, now=NOW) == [RUN]


def test_a_damaged_record_is_ignored(settings, caplog):
    folder, _ = decide(settings)
    (folder / "release.json").write_text(json.dumps({"number": 1}))
    assert live_releases(settings) == []
    assert "the file is not counted" in caplog.text
