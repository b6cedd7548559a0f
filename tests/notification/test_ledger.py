"""The ledger has one acknowledgement at a time, and unreadable records stop nothing."""

import pytest

from mxtvhf.errors import InvalidInput
from mxtvhf.notification.ledger import Ledger
from mxtvhf.notification.model import Attempt, Occurrence
from support.duty import BURST, NOW, after


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.raise_occurrence(occurrence())
    return ledger


def occurrence(key="first_notice", title="new"):
    return Occurrence(key=key, event="first_notice", subject=BURST, raised=NOW, title=title, body="b")


def test_an_occurrence_is_recorded_once(ledger):
    assert not ledger.raise_occurrence(occurrence(title="changed"))
    assert [one.title for one in ledger.record(BURST).occurrences] == ["new"]
    assert list(ledger.subjects()) == [BURST]


def test_a_second_acknowledgement_is_rejected_with_the_name_of_the_first_person(ledger):
    ledger.acknowledge(BURST, "ada", instead_of=None, now=after(1))
    with pytest.raises(InvalidInput, match=f"{BURST}: acknowledged by ada at 11:04:52 UTC"):
        ledger.acknowledge(BURST, "bob", instead_of=None, now=after(2))
    assert ledger.acknowledge(BURST, "ada", instead_of=None, now=after(3)).time == after(1), "no second one"
    ledger.acknowledge(BURST, "bob", instead_of="ada", now=after(4))
    assert ledger.record(BURST).acknowledgement.by == "bob"


def test_a_subject_without_notification_cannot_be_acknowledged(ledger):
    with pytest.raises(InvalidInput, match="no notification was sent about it"):
        ledger.acknowledge("sb26051199", "ada", instead_of=None, now=NOW)


def test_a_damaged_record_is_set_aside(ledger):
    ledger.raise_occurrence(occurrence("second"))
    (ledger.folder / BURST / "occurrences" / "second.json").write_text("{")
    attempt = Attempt(key="first_notice", channel="ada/json", to=("ada",), state="sent", time=NOW)
    ledger.log_attempt(BURST, attempt)
    with (ledger.folder / BURST / "attempts.jsonl").open("a") as file:
        file.write("half a li")
    record = ledger.record(BURST)
    assert [one.key for one in record.occurrences] == ["first_notice"]
    assert record.attempts == (attempt,)
