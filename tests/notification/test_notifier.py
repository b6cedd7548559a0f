"""The notifier with real servers: each person is notified once, and escalations follow without an answer."""

import errno
import threading
from datetime import UTC, datetime, timedelta
from unittest.mock import MagicMock

import pytest

from mxtvhf.archive.failures import PartFailure, failing_folder
from mxtvhf.crosscheck.model import BurstVerdict
from mxtvhf.intake.listen import parts_of
from mxtvhf.models.files import write_atomically
from mxtvhf.models.kept_lines import read_records
from mxtvhf.notification.ledger import ATTEMPTS, Ledger
from mxtvhf.notification.model import Attempt, DrillOrder
from mxtvhf.notification.notifier import OWN_PART, Notifier
from mxtvhf.notification.run_events import decision_wanted
from mxtvhf.operation.stack.processes import wait_until
from mxtvhf.reporting.announcement.model import Decision
from support.duty import BURST, NOW, Installation, after
from support.webhook_server import SECRET


def titles(server):
    return [body["title"].partition(": ")[2] for _, body in server.got]


def attempts(installation, subject=BURST):
    return read_records(installation.settings.notifications / subject / ATTEMPTS, Attempt)


@pytest.fixture
def burst(installation):
    """Return a burst with its first position."""
    installation.first_notice(at=NOW - timedelta(minutes=3))
    installation.report()
    return installation


def test_the_first_pass_notifies_the_person_on_duty_of_a_first_position(burst, phones, at):
    at(burst.notifier(), NOW)
    new, position = sorted(titles(phones["ada"]))
    assert position.startswith("new burst") or new.startswith("first position, R90 48")
    assert phones["bob"].got == phones["eve"].got == []
    assert {(one.channel, one.state) for one in attempts(burst)} == {("ada/json", "sent")}


def test_a_position_and_its_question_are_one_message_and_who_is_called_next_gets_the_question(
    burst, phones, at
):
    """Two messages used to be sent within seconds."""
    notifier = burst.notifier()
    at(notifier, NOW)
    question = decision_wanted(burst.report(), desk=None, now=NOW + timedelta(seconds=4))
    notifier.ledger.raise_occurrence(question)
    at(notifier, NOW + timedelta(seconds=4))
    assert [one for one in titles(phones["ada"]) if "decision needed" in one] == [
        'first position, R90 48", decision needed'
    ]
    body = next(body["message"] for _, body in phones["ada"].got if "position" in body["title"])
    assert "Where: RA 14:10:00.0" in body
    assert body.split("Evidence: ")[1].splitlines()[0].endswith("; consistent")
    assert body.split("Follow-up: ")[1].splitlines()[0].endswith(" mag")
    assert "What to do: Check the position and decide." in body
    at(notifier, after(5))
    assert titles(phones["bob"]) == ["decision needed (not acknowledged for 5 min)"]
    assert "Where: RA 14:10:00.0" in phones["bob"].got[0][1]["message"]


def test_without_an_acknowledgement_the_next_person_and_then_all_are_notified(burst, phones, at):
    notifier = burst.notifier()
    at(notifier, NOW)
    at(notifier, after(4))
    assert phones["bob"].got == []
    at(notifier, after(5))
    assert titles(phones["bob"]) == ['first position, R90 48", decision needed (not acknowledged for 5 min)']
    assert phones["eve"].got == []
    at(notifier, after(10))
    assert titles(phones["eve"]) == ['first position, R90 48", decision needed (not acknowledged for 10 min)']
    assert (len(phones["ada"].got), len(phones["bob"].got)) == (2, 1)


def test_an_acknowledgement_ends_the_escalation(burst, phones, at):
    notifier = burst.notifier()
    at(notifier, NOW)
    notifier.ledger.acknowledge(BURST, "ada", instead_of=None, now=after(2))
    at(notifier, after(6))
    at(notifier, after(30))
    assert phones["bob"].got == phones["eve"].got == []


def test_a_decision_ends_the_escalation(burst, phones, at):
    notifier = burst.notifier()
    at(notifier, NOW)
    decision = Decision(
        run_id=f"{BURST}__1", burst_id=BURST, choice="reject", decided_by="ada", decided_at=after(2)
    )
    path = burst.settings.releases / BURST / f"{BURST}__1" / "decision.json"
    write_atomically(path, decision.model_dump_json().encode())
    at(notifier, after(6))
    assert phones["bob"].got == []


def test_a_restart_sends_nothing_twice(burst, phones, at):
    at(burst.notifier(), NOW)
    at(burst.notifier(), after(1))
    at(burst.notifier(), after(6))
    at(burst.notifier(), after(7))
    assert (len(phones["ada"].got), len(phones["bob"].got), len(phones["eve"].got)) == (2, 1, 0)


def test_a_failing_channel_is_retried_with_growing_pauses_without_showing_its_secret(
    burst, phones, at, caplog
):
    phones["ada"].status = 502
    notifier = burst.notifier()
    at(notifier, NOW)
    at(notifier, NOW + timedelta(seconds=4))
    assert len(phones["ada"].got) == 2, "one try for each of two events"
    at(notifier, NOW + timedelta(seconds=5))
    assert len(phones["ada"].got) == 4
    at(notifier, NOW + timedelta(seconds=14))
    assert len(phones["ada"].got) == 4
    phones["ada"].status = 200
    at(notifier, NOW + timedelta(seconds=15))
    at(notifier, after(60))
    assert len(phones["ada"].got) == 6
    kept = attempts(burst)
    assert [one.state for one in kept].count("failed") == 4
    text = caplog.text + "".join(one.model_dump_json() for one in kept)
    assert "HTTP 502" in text
    assert not [part for part in SECRET.split("/") if part in text]


def test_if_no_channel_delivers_the_next_person_is_notified_at_once(burst, phones, at):
    phones["ada"].status = 500
    notifier = burst.notifier()
    at(notifier, NOW)
    at(notifier, NOW + timedelta(seconds=1))
    assert titles(phones["bob"]) == ['first position, R90 48", decision needed (no channel delivered it)']


def test_a_hanging_channel_does_not_delay_others(burst, phones, tmp_path):
    released = threading.Event()
    phones["ada"].on_request = lambda: released.wait(60)
    burst.channels.write_text(burst.channels.read_text().replace("bob = ", "ada, bob = "))
    notifier = burst.notifier(timeout_s=120.0)

    def second_channel():
        notifier.round(NOW)
        return len(phones["bob"].got) == 2

    try:
        wait_until(second_channel, what="the other channel", timeout=60)
        assert notifier.is_sending
    finally:
        released.set()
    stop = threading.Event()
    stop.set()
    notifier.run(stop)
    assert not notifier.is_sending


def test_an_invalid_line_and_an_invalid_rota_do_not_stop_the_notifier(burst, phones, at, caplog):
    burst.channels.write_text(f"nonsense\n{burst.channels.read_text()}")
    burst.policy.rota.write_text("people")
    at(burst.notifier(), NOW)
    assert [len(phone.got) for phone in phones.values()] == [2, 2, 2], "everybody"
    assert "line 1: invalid line; expected" in caplog.text
    assert "everybody is notified" in caplog.text


def test_a_test_sends_nothing_but_a_drill_does(installation, phones, at):
    installation.first_notice(role="test")
    installation.report(is_test=True)
    notifier, subject = installation.notifier(), f"{BURST}__test"
    at(notifier, NOW)
    assert phones["ada"].got == []
    installation.report(sequence=2, is_test=True, verdict=BurstVerdict.KNOWN_SOURCE, at=after(1))
    notifier.ledger.order_drill(subject, DrillOrder(by="ada", time=NOW))
    at(notifier, after(1))
    assert titles(phones["ada"]) == ['result changed: known source (before: consistent), R90 48"']


def test_a_silent_intake_is_notified_once(installation, phones, at):
    since = datetime.now(UTC)
    failure = PartFailure(part="GCN", reason="no heartbeat for 60 s", failures=9, since=since, last=since)
    for part in ("GCN", "GCN other missions"):
        path = failing_folder(installation.archive.root) / f"{part}.json"
        write_atomically(path, failure.model_copy(update={"part": part}).model_dump_json().encode())
    notifier = installation.notifier()
    at(notifier, since + timedelta(minutes=4))
    assert not any(phone.got for phone in phones.values())
    for minutes in (6, 7, 30):
        at(notifier, since + timedelta(minutes=minutes))
    got = [body for phone in phones.values() for _, body in phone.got]
    assert {body["title"] for body in got} == {"Intake silent: GCN"}
    assert "no heartbeat for 60 s" in got[0]["message"]
    assert max(len(phone.got) for phone in phones.values()) == 1


def test_the_reminder_of_a_shift_has_local_times(tmp_path, at):
    installation = Installation(tmp_path)
    notifier = installation.notifier()
    start = datetime(2026, 5, 11, 6, tzinfo=UTC)
    at(notifier, start - timedelta(minutes=31))
    assert not list(notifier.ledger.subjects())
    at(notifier, start - timedelta(minutes=30))
    at(notifier, start - timedelta(minutes=10))
    (reminder,) = notifier.ledger.record("installation").occurrences
    assert (reminder.to, reminder.title) == ("ada", "MXT-VHF: your shift begins at 08:00 CEST")


def test_of_two_notifiers_one_works(burst, phones):
    stop, rounds = threading.Event(), []
    notifiers = [burst.notifier() for _ in range(2)]
    threads = [
        threading.Thread(target=one.run, args=(stop, lambda one=one: rounds.append(one))) for one in notifiers
    ]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: len(rounds) > 3, what="rounds", timeout=60)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert len(set(rounds)) == 1


def test_a_message_is_sent_once_while_the_ledger_cannot_be_written(burst, phones, monkeypatch):
    """A full disk repeated the same page with each restart of the notifier."""
    notifier, log_attempt = burst.notifier(), Ledger.log_attempt
    full = OSError(errno.ENOSPC, "No space left on device")

    def refuse(*_):
        raise full

    monkeypatch.setattr(Ledger, "log_attempt", refuse)

    def is_refused():
        try:
            notifier.round(NOW)
        except OSError:
            return True
        return False

    # The channel sends one message at a time: the first outcome cannot be written, and nothing else is sent.
    wait_until(is_refused, what="the first message", timeout=60)
    for _ in range(3):
        with pytest.raises(OSError, match="No space left"):
            notifier.run(threading.Event())
    assert len(phones["ada"].got) == 1
    monkeypatch.setattr(Ledger, "log_attempt", log_attempt)
    wait_until(lambda: notifier.round(NOW) or not notifier.is_sending, what="the other message", timeout=60)
    assert len(set(titles(phones["ada"]))) == len(phones["ada"].got) == 2
    assert [one.state for one in attempts(burst)] == ["sent", "sent"]


def test_the_listener_starts_the_same_notifier_again_after_an_error(installation, monkeypatch):
    started = []
    monkeypatch.setattr(Notifier, "run", lambda self, *_: started.append(self))
    part = parts_of(installation.settings, MagicMock(), MagicMock(), MagicMock())[OWN_PART]
    part(threading.Event(), None)
    part(threading.Event(), None)
    assert started[0] is started[1]
