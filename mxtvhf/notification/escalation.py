"""Escalation of an occurrence: first the person on duty, then the next person, then everybody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from mxtvhf.notification.ledger import SubjectRecord
from mxtvhf.notification.model import Addressed, Occurrence
from mxtvhf.notification.rota import Duty
from mxtvhf.settings import NotificationPolicy, NotificationRule

NEXT, EVERYBODY = 1, 2
"""Escalation stages after the first one."""
RESULTS = ("first_position", "result_changed")
"""Events about a result that ask for the decision about it."""


@dataclass(frozen=True)
class People:
    """The people who can be notified at a moment."""

    duty: Duty | None
    """The person on duty; None without a readable rota."""
    everybody: tuple[str, ...]
    """Tags of all people with a channel."""


@dataclass(frozen=True)
class Answers:
    """The reactions to a burst other than an acknowledgement."""

    decided: datetime | None = None
    """Time of the Burst Advocate's last decision, UTC; None before the first one."""
    is_announced: bool = False
    """True if an announcement was released and not retracted."""


def due_addresses(
    record: SubjectRecord,
    policy: NotificationPolicy,
    people: People,
    answers: Answers,
    *,
    is_unreached: Callable[[Addressed], bool],
    now: datetime,
) -> tuple[list[Addressed], datetime | None]:
    """Return the new addressees of a subject's occurrences at a moment.

    Parameters
    ----------
    record
        The ledger's record of the subject.
    policy
        Rules and waiting times.
    people
        People who can be notified.
    answers
        Reactions to the burst. A decision ends the escalation of earlier occurrences.
    is_unreached
        Function that returns True if every channel of the addressees has failed to deliver the message.
    now
        Current time, UTC.

    Returns
    -------
    addresses, again
        The new addressees, and the time of the next check if nothing happens (None if none is needed).
    """
    known = {one.key for one in record.addressed}
    first: list[Addressed] = []
    for one in record.occurrences:
        if one.key not in known:
            to, reason = _first_people(one, record, policy, people)
            if one.event == "decision_wanted":
                asked = _asked(one, record, [*record.addressed, *first])
                reason = f"{reason}; asked with the result" if asked.intersection(to) else reason
                to = tuple(tag for tag in to if tag not in asked)
            first.append(Addressed(key=one.key, stage=0, to=to, reason=reason, time=now))
    if record.acknowledgement is not None:
        return first, None
    open_ones = {one.key: one for one in record.occurrences if _is_open(one, record, policy, answers)}
    later, again = _escalation(
        [*record.addressed, *first], open_ones, policy, people, is_unreached=is_unreached, now=now
    )
    return [*first, *later], again


def _asked(question: Occurrence, record: SubjectRecord, addressed: list[Addressed]) -> set[str]:
    """Return the tags that were asked for the decision in the message about the result."""
    if question.run_id is None:
        return set()
    of_run = (one for one in record.occurrences if one.run_id == question.run_id)
    results = {one.key for one in of_run if one.event in RESULTS}
    return {tag for one in addressed if one.key in results for tag in one.to}


def _escalation(
    addressed: list[Addressed],
    open_ones: dict[str, Occurrence],
    policy: NotificationPolicy,
    people: People,
    *,
    is_unreached: Callable[[Addressed], bool],
    now: datetime,
) -> tuple[list[Addressed], datetime | None]:
    """Escalate the newest open occurrence to the next person and then to everybody."""
    about = [one for one in addressed if one.key in open_ones]
    if not about:
        return [], None
    wait = timedelta(minutes=policy.escalate_minutes)
    began, newest = min(one.time for one in about), list(open_ones)[-1]
    found: list[Addressed] = []
    for stage in (NEXT, EVERYBODY):
        if any(one.stage == stage for one in about):
            continue
        # An occurrence is addressed to nobody if all were told with the result.
        due, before = began + stage * wait, [one for one in about if one.stage == stage - 1 and one.to]
        is_lost = bool(before) and all(map(is_unreached, before))
        if now < due and not is_lost:
            return found, due
        told = {tag for one in [*about, *found] for tag in one.to}
        to = tuple(tag for tag in _stage_people(stage, people) if tag not in told)
        why = (
            "no channel delivered it"
            if is_lost
            else f"not acknowledged for {stage * policy.escalate_minutes:g} min"
        )
        found.append(Addressed(key=newest, stage=stage, to=to, reason=why, time=now))
        about.append(found[-1])
    return found, None


def _stage_people(stage: int, people: People) -> tuple[str, ...]:
    following = people.duty.following if people.duty else None
    if stage == NEXT and following is not None:
        return (following.person,)
    return people.everybody


def _first_people(
    occurrence: Occurrence, record: SubjectRecord, policy: NotificationPolicy, people: People
) -> tuple[tuple[str, ...], str]:
    if occurrence.to is not None:
        return (occurrence.to,), "for this person"
    rules = list(_rules(occurrence, record, policy))
    if not rules:
        return (), "no rule"
    tags: list[str] = []
    reasons: list[str] = []
    for rule in rules:
        to, reason = _addressees(rule.to, record, people)
        tags += to
        reasons.append(reason)
    return tuple(dict.fromkeys(tags)), "; ".join(dict.fromkeys(reasons))


def _addressees(to: str, record: SubjectRecord, people: People) -> tuple[tuple[str, ...], str]:
    if to == "all":
        return people.everybody, "everybody by the rules"
    if to != "duty":
        return (to,), "by the rules"
    if record.acknowledgement is not None and record.acknowledgement.by in people.everybody:
        return (record.acknowledgement.by,), "has it in hand"
    if people.duty is None:
        return people.everybody, "no rota: everybody"
    if people.duty.person is None:
        who = "several people are" if people.duty.people else "nobody is"
        return people.everybody, f"{who} on duty: everybody"
    # People who were notified of the burst before are kept informed.
    before = tuple(tag for one in record.addressed if one.stage for tag in one.to)
    return (people.duty.person, *before), "on duty"


def _rules(
    occurrence: Occurrence, record: SubjectRecord, policy: NotificationPolicy
) -> Iterator[NotificationRule]:
    return (rule for rule in policy.rules if occurrence.event in rule.events and record.kind in rule.kinds)


def _is_open(
    occurrence: Occurrence, record: SubjectRecord, policy: NotificationPolicy, answers: Answers
) -> bool:
    """Return True if an occurrence still needs an acknowledgement."""
    if not any(rule.escalate for rule in _rules(occurrence, record, policy)):
        return False
    if answers.decided is not None and answers.decided >= occurrence.raised:
        return False
    if occurrence.event == "retraction":
        return answers.is_announced
    return not any(one.event == "retraction" for one in record.occurrences)
