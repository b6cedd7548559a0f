"""Whom an occurrence goes to: the person on duty, then the next one, then everybody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from mxtvhf.notification.ledger import SubjectRecord
from mxtvhf.notification.model import Addressed, Occurrence
from mxtvhf.notification.rota import Duty
from mxtvhf.settings import NotificationPolicy, NotificationRule

NEXT, EVERYBODY = 1, 2
"""Stages after the first one."""
RESULTS = ("first_position", "result_changed")
"""Events that tell of a result, and ask for the decision about it."""


@dataclass(frozen=True)
class People:
    """Who can be notified at a moment."""

    duty: Duty | None
    """By the rota; None: there is none, or it cannot be read."""
    everybody: tuple[str, ...]
    """Tags of all people who have a channel."""


@dataclass(frozen=True)
class Answers:
    """What was done about a burst beside acknowledging it."""

    decided: datetime | None = None
    """When the Burst Advocate decided last, UTC."""
    is_announced: bool = False
    """True when an announcement is out."""


def due_addresses(
    record: SubjectRecord,
    policy: NotificationPolicy,
    people: People,
    answers: Answers,
    *,
    is_unreached: Callable[[Addressed], bool],
    now: datetime,
) -> tuple[list[Addressed], datetime | None]:
    """Decide to whom the occurrences of a subject go now.

    Parameters
    ----------
    record
        What the ledger holds.
    policy
        Rules and waiting times.
    people
        Who can be notified.
    answers
        A decision ends the escalation of what was raised before it.
    is_unreached
        Tells whether no channel of those addressed has taken the message, each after a try.
    now
        The moment, UTC.

    Returns
    -------
    addresses, again
        What is new, and when to ask again although nothing happens; None: not by itself.
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
    """Return the tags that were asked for the decision with the message about the result itself."""
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
    """Address the newest open occurrence to the next person, and then to everybody."""
    about = [one for one in addressed if one.key in open_ones]
    if not about:
        return [], None
    wait = timedelta(minutes=policy.escalate_minutes)
    began, newest = min(one.time for one in about), list(open_ones)[-1]
    found: list[Addressed] = []
    for stage in (NEXT, EVERYBODY):
        if any(one.stage == stage for one in about):
            continue
        due, before = began + stage * wait, [one for one in about if one.stage == stage - 1]
        is_lost = bool(before) and all(map(is_unreached, before))
        if now < due and not is_lost:
            return found, due
        told = {tag for one in [*about, *found] for tag in one.to}
        to = tuple(tag for tag in _stage_people(stage, people) if tag not in told)
        why = (
            "no channel took it"
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
    # Whoever was notified of the burst before is kept informed.
    before = tuple(tag for one in record.addressed if one.stage for tag in one.to)
    return (people.duty.person, *before), "on duty"


def _rules(
    occurrence: Occurrence, record: SubjectRecord, policy: NotificationPolicy
) -> Iterator[NotificationRule]:
    return (rule for rule in policy.rules if occurrence.event in rule.events and record.kind in rule.kinds)


def _is_open(
    occurrence: Occurrence, record: SubjectRecord, policy: NotificationPolicy, answers: Answers
) -> bool:
    """Tell whether somebody must acknowledge an occurrence."""
    if not any(rule.escalate for rule in _rules(occurrence, record, policy)):
        return False
    if answers.decided is not None and answers.decided >= occurrence.raised:
        return False
    if occurrence.event == "retraction":
        return answers.is_announced
    return not any(one.event == "retraction" for one in record.occurrences)
