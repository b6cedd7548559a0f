import pytest

from mxtvhf.desk.files import DeskFiles
from mxtvhf.desk.states import State, kind_of, state_of
from mxtvhf.models.ids import RunKind
from support.desk import BURST, decision, release_of, run


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
