"""The decisions and announcements of a burst in the archive."""

import pytest

from mxtvhf.models.files import write_atomically
from mxtvhf.notification.answers import answers_about
from mxtvhf.notification.ledger import SubjectRecord
from mxtvhf.notification.model import Occurrence
from mxtvhf.reporting.announcement.model import Decision, Release
from support.desk import position
from support.duty import BURST, NOW, after


@pytest.fixture
def record():
    occurrence = Occurrence(key="k", event="first_position", subject=BURST, raised=NOW, title="t", body="b")
    return SubjectRecord(subject=BURST, occurrences=(occurrence,))


def decide(folder, run="1", minutes=1, choice="approve", **more):
    run_id = f"{BURST}__{run}"
    decision = Decision(
        run_id=run_id, burst_id=BURST, choice=choice, decided_by="ada", decided_at=after(minutes), **more
    )
    write_atomically(folder / BURST / run_id / "decision.json", decision.model_dump_json().encode())
    return decision


def announce(folder, number=1, is_test=False, **more):
    released = Release(
        decision=decide(folder, run=str(number), **more),
        number=number,
        ivorn=f"ivo://x/y#{number}",
        is_test=is_test,
        position=position(),
        released=NOW,
        products={},
    )
    path = folder / BURST / f"{BURST}__{number}" / "release.json"
    write_atomically(path, released.model_dump_json().encode())


def test_the_last_decision_about_the_burst_counts_and_not_those_about_its_tests(record, tmp_path):
    assert answers_about(record, tmp_path).decided is None
    decide(tmp_path, minutes=1, choice="reject")
    decide(tmp_path, run="2", minutes=2, choice="reject")
    decide(tmp_path, run="3__test", minutes=9)
    assert answers_about(record, tmp_path).decided == after(2)


def test_a_burst_counts_as_announced_until_its_retraction(record, tmp_path):
    announce(tmp_path, is_test=True)
    assert not answers_about(record, tmp_path).is_announced
    announce(tmp_path)
    assert answers_about(record, tmp_path).is_announced
    announce(tmp_path, number=2, action="retract")
    assert not answers_about(record, tmp_path).is_announced


def test_a_damaged_record_does_not_end_an_escalation(record, tmp_path, caplog):
    decide(tmp_path)
    (tmp_path / BURST / f"{BURST}__1" / "decision.json").write_text("{")
    assert answers_about(record, tmp_path).decided is None
    assert "escalations continue" in caplog.text
