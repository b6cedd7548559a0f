"""The person on duty is notified, then the next person, then everybody, until an acknowledgement."""

from datetime import UTC, datetime, timedelta

import pytest

from mxtvhf.notification.escalation import Answers, People, due_addresses
from mxtvhf.notification.ledger import SubjectRecord
from mxtvhf.notification.model import Acknowledgement, Addressed, Occurrence
from mxtvhf.notification.rota import Duty, Shift
from mxtvhf.settings import NotificationPolicy, NotificationRule

NOW = datetime(2026, 3, 7, 3, 0, tzinfo=UTC)
BURST = "sb26030704"
POLICY = NotificationPolicy(channels="channels", escalate_minutes=5.0)
ON_DUTY = Duty(
    people=("ada",),
    until=NOW + timedelta(hours=5),
    following=Shift(NOW + timedelta(hours=5), NOW + timedelta(hours=13), "bob"),
)
PEOPLE = People(ON_DUTY, ("ada", "bob", "eve"))


def minutes(number):
    return NOW + timedelta(minutes=number)


def occurrence(event="first_position", after=0, subject=BURST, **more):
    return Occurrence(
        key=f"{event}-{after}",
        event=event,
        subject=subject,
        raised=minutes(after),
        title="t",
        body="b",
        **more,
    )


class Subject:
    """A subject whose addressees are kept between calls like in the ledger."""

    def __init__(self, *occurrences, policy=POLICY, people=PEOPLE, **more):
        self.record = SubjectRecord(subject=occurrences[0].subject, occurrences=occurrences, **more)
        self.policy, self.people = policy, people

    def at(self, after, answers=None, unreached=lambda addressed: not addressed.to):
        found, self.again = due_addresses(
            self.record,
            self.policy,
            self.people,
            answers or Answers(),
            is_unreached=unreached,
            now=minutes(after),
        )
        self.record = self.changed(addressed=(*self.record.addressed, *found))
        return {(one.key, one.stage): one.to for one in found}

    def changed(self, **changes):
        return SubjectRecord(**{**vars(self.record), **changes})


def test_the_next_person_follows_after_the_waiting_time_and_then_everybody():
    subject, key = Subject(occurrence()), "first_position-0"
    assert subject.at(0) == {(key, 0): ("ada",)}
    assert subject.again == minutes(5)
    assert subject.at(4.9) == {}
    assert subject.at(5) == {(key, 1): ("bob",)}
    assert subject.at(9.9) == {}
    assert subject.at(10) == {(key, 2): ("eve",)}
    assert subject.at(1000) == {}
    assert subject.again is None


def test_an_acknowledgement_ends_the_escalation_and_later_events_go_to_that_person():
    subject = Subject(occurrence())
    subject.at(0)
    subject.at(5)
    subject.record = subject.changed(acknowledgement=Acknowledgement(by="bob", time=minutes(6)))
    assert subject.at(10) == {}
    change = occurrence("result_changed", 11)
    subject.record = subject.changed(occurrences=(*subject.record.occurrences, change))
    assert subject.at(11)[("result_changed-11", 0)][0] == "bob"
    assert subject.at(100) == {}


def test_a_decision_ends_the_escalation_of_earlier_events():
    subject = Subject(occurrence())
    subject.at(0)
    assert subject.at(6, Answers(decided=minutes(3))) == {}
    later = occurrence("result_changed", 8)
    subject.record = subject.changed(occurrences=(*subject.record.occurrences, later))
    assert subject.at(8, Answers(decided=minutes(3))) == {("result_changed-8", 0): ("ada",)}
    assert subject.at(13, Answers(decided=minutes(3))) == {("result_changed-8", 1): ("bob",)}


def test_only_the_newest_occurrence_is_escalated():
    subject = Subject(occurrence(), occurrence("decision_wanted", 1))
    assert set(subject.at(1).values()) == {("ada",)}
    assert subject.at(6) == {("decision_wanted-1", 1): ("bob",)}
    assert subject.at(11) == {("decision_wanted-1", 2): ("eve",)}


def test_who_was_asked_with_the_result_is_not_asked_again_and_others_are():
    first = occurrence(run_id=f"{BURST}__1")
    subject = Subject(first)
    subject.at(0)
    question = occurrence("decision_wanted", 0.1, run_id=f"{BURST}__1")
    subject.record = subject.changed(occurrences=(first, question))
    assert subject.at(0.1) == {("decision_wanted-0.1", 0): ()}
    assert subject.record.addressed[-1].reason == "on duty; asked with the result"
    second = occurrence("decision_wanted", 3, run_id=f"{BURST}__2")
    subject.record = subject.changed(occurrences=(first, question, second))
    assert subject.at(3) == {("decision_wanted-3", 0): ("ada",)}, "of another run"


def test_a_question_asked_with_the_result_is_escalated_after_the_waiting_time():
    """It is addressed to nobody, which counted as delivered by no channel."""
    rules = (
        NotificationRule(events=("first_position",)),
        NotificationRule(events=("decision_wanted",), escalate=True),
    )
    run_id, policy = f"{BURST}__1", POLICY.model_copy(update={"rules": rules})
    both = occurrence(run_id=run_id), occurrence("decision_wanted", run_id=run_id)
    subject = Subject(*both, policy=policy)
    assert subject.at(0) == {("first_position-0", 0): ("ada",), ("decision_wanted-0", 0): ()}
    assert subject.at(5) == {("decision_wanted-0", 1): ("bob",)}


def test_a_rule_for_questions_alone_is_kept():
    rule = NotificationRule(events=("decision_wanted",), to="chat")
    policy = POLICY.model_copy(update={"rules": (*POLICY.rules, rule)})
    run_id = f"{BURST}__1"
    both = occurrence(run_id=run_id), occurrence("decision_wanted", 1, run_id=run_id)
    assert Subject(*both, policy=policy).at(1) == {
        ("first_position-0", 0): ("ada",), ("decision_wanted-1", 0): ("chat",),
    }  # fmt: skip


def test_people_notified_by_an_escalation_are_kept_informed():
    subject = Subject(occurrence())
    subject.at(0)
    subject.at(5)
    change = occurrence("result_changed", 6)
    subject.record = subject.changed(occurrences=(*subject.record.occurrences, change))
    assert subject.at(6) == {("result_changed-6", 0): ("ada", "bob")}


def test_an_unreached_person_is_escalated_at_once():
    subject = Subject(occurrence())
    assert subject.at(0) == {("first_position-0", 0): ("ada",)}
    assert subject.at(0.1, unreached=lambda addressed: "ada" in addressed.to) == {
        ("first_position-0", 1): ("bob",)
    }


@pytest.mark.parametrize("people", [(), ("ada", "bob")])
def test_a_gap_or_two_people_at_once_notifies_everybody(people):
    """A gap in the rota used to notify nobody."""
    duty = Duty(people=people, until=None, following=None)
    subject = Subject(occurrence(), people=People(duty, PEOPLE.everybody))
    assert subject.at(0) == {("first_position-0", 0): ("ada", "bob", "eve")}
    assert subject.record.addressed[0].reason.endswith("on duty: everybody")


def test_without_a_rota_everybody_is_notified():
    subject = Subject(occurrence(), people=People(None, ("chat",)))
    assert subject.at(0) == {("first_position-0", 0): ("chat",)}
    assert not any(subject.at(10).values())


def test_a_first_notice_is_not_escalated():
    subject = Subject(occurrence("first_notice"))
    assert subject.at(0) == {("first_notice-0", 0): ("ada",)}
    assert subject.again is None
    assert subject.at(60) == {}


def test_a_test_notifies_nobody_but_a_drill_does():
    test = occurrence(subject=f"{BURST}__test")
    assert Subject(test).at(0) == {("first_position-0", 0): ()}
    assert Subject(test, is_drill=True).at(0) == {("first_position-0", 0): ("ada",)}


def test_a_rule_may_send_tests_to_a_chat():
    rule = NotificationRule(events=("first_position",), kinds=("test",), to="chat")
    policy = POLICY.model_copy(update={"rules": (*POLICY.rules, rule)})
    test = occurrence(subject=f"{BURST}__test")
    assert Subject(test, policy=policy).at(0) == {("first_position-0", 0): ("chat",)}


def test_all_matching_rules_apply():
    chat = NotificationRule(events=("first_position",), to="chat")
    policy = POLICY.model_copy(update={"rules": (*POLICY.rules, chat)})
    assert Subject(occurrence(), policy=policy).at(0) == {("first_position-0", 0): ("ada", "chat")}


def test_a_retraction_ends_escalations_and_is_escalated_after_an_announcement():
    subject = Subject(occurrence())
    subject.at(0)
    subject.record = subject.changed(occurrences=(*subject.record.occurrences, occurrence("retraction", 2)))
    assert subject.at(2) == {("retraction-2", 0): ("ada",)}
    assert subject.at(20) == {}
    assert subject.at(20, Answers(is_announced=True)) == {
        ("retraction-2", 1): ("bob",),
        ("retraction-2", 2): ("eve",),
    }


def test_an_event_for_one_person_goes_only_to_this_person():
    reminder = occurrence("shift_reminder", subject="installation", to="bob")
    subject = Subject(reminder)
    assert subject.at(0) == {("shift_reminder-0", 0): ("bob",)}
    assert subject.at(60) == {}


def test_an_address_names_its_stage():
    with pytest.raises(ValueError, match="stage"):
        Addressed(key="k", stage=3, to=(), reason="r", time=NOW)
