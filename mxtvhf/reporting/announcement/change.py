"""Correct or retract the current announcement; the change is archived and delivered, once only.

A change is an announcement with the next number, released as in ``release``: its reservation is written
first, and an interrupted change is completed later. If two people change the same announcement at once, the
second one gets an error that names the first one.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from mxtvhf.errors import InvalidInput
from mxtvhf.models.files import sha256_of
from mxtvhf.models.kept import read_kept
from mxtvhf.models.times import second_text
from mxtvhf.reporting.announcement.content import Announcement, chosen_position
from mxtvhf.reporting.announcement.deliveries import Channels
from mxtvhf.reporting.announcement.model import DECISION, RELEASE, Decision, Release, Reservation
from mxtvhf.reporting.announcement.release import (
    REPORT,
    announcement_of,
    burst_alone,
    carry_out,
    check_releasable,
    folder_of,
    keep_decision,
    next_reservation,
    reservations,
    reserve,
)
from mxtvhf.reporting.report.model import Report
from mxtvhf.settings import AnnouncementTexts

DONE = {"announce": "announced", "correct": "corrected", "retract": "retracted"}


def change(
    decision: Decision,
    *,
    about: str,
    report: Report | None,
    releases: Path,
    channels: Channels,
    now: datetime,
    retracted_by: str | None = None,
    desk_url: str | None = None,
    texts: AnnouncementTexts | None = None,
) -> Release:
    """Correct or retract an announcement, once.

    Parameters
    ----------
    decision
        Decision with the action and its reason.
    about
        Ivorn of the announcement that the person read.
    report
        Report to announce instead, for a correction; None for a retraction.
    releases, channels, now, retracted_by, desk_url, texts
        As in `release`.

    Raises
    ------
    InvalidInput
        The reason or the announcement is missing, another person has changed it in the meantime, it is
        already retracted, or a correction announces nothing new or may not be released.
    """
    folder = releases / decision.burst_id
    if not decision.comment.strip():
        raise InvalidInput(f"{decision.burst_id}: the reason is missing; give one, since it is published")
    if not folder.is_dir():
        raise InvalidInput(f"{decision.burst_id}: nothing was announced, so nothing can be changed")
    with burst_alone(folder):
        before = _announced(folder, about)
        out = _still_out(folder, before, about)
        changed = folder_of(folder, before[-1])
        new = _retracted(changed) if report is None else _checked(report, decision, changed, out)
        decided = decision.model_copy(update={"run_id": new.run_id, "position": _label(decision, out)})
        if report is not None:
            check_releasable(new, before, retracted_by)
        reservation = next_reservation(
            new, before, moment=now, decision=decided, burst_folder=folder, texts=texts
        )
        own = folder_of(folder, reservation)
        own.mkdir(exist_ok=True)
        keep_decision(own, decided)
        reserve(own, new, reservation)
        return carry_out(own, reservation, decided, channels, desk_url)


def resume(burst_folder: Path, channels: Channels, *, desk_url: str | None = None) -> Release | None:
    """Complete an interrupted correction or retraction of a burst; return None if there is none."""
    if not burst_folder.is_dir():
        return None
    with burst_alone(burst_folder):
        for is_test in (False, True):
            before, _ = reservations(burst_folder, is_test=is_test)
            for reservation in before[-1:]:
                folder = folder_of(burst_folder, reservation)
                if reservation.action != "announce" and not (folder / RELEASE).exists():
                    decision = read_kept(folder / DECISION, Decision)
                    return carry_out(folder, reservation, decision, channels, desk_url)
    return None


def unfinished(burst_folder: Path, *, is_test: bool) -> str | None:
    """Return the author of an interrupted correction or retraction; None if there is none."""
    before, _ = reservations(burst_folder, is_test=is_test)
    if not before or before[-1].action == "announce":
        return None
    folder = folder_of(burst_folder, before[-1])
    return None if (folder / RELEASE).exists() else read_kept(folder / DECISION, Decision).decided_by


def draft_of_retraction(burst_folder: Path, out: Release, reason: str) -> Announcement:
    """Return the draft of the retraction of the current announcement.

    Raises
    ------
    InvalidInput, OSError
        A record of the announcement is damaged or missing.
    """
    before, damaged = reservations(burst_folder, is_test=out.is_test)
    if damaged or not before:
        raise InvalidInput(
            f"{burst_folder.name}: the record of announcement {out.number} is damaged; restore it"
        )
    folder = folder_of(burst_folder, before[-1])
    report = read_kept(folder / REPORT, Report)
    decision = out.decision.model_copy(update={"action": "retract", "comment": reason})
    reservation = next_reservation(
        report, before, moment=out.released, decision=decision, burst_folder=burst_folder
    )
    return announcement_of(
        report, reservation, decision.model_copy(update={"position": out.position.label}), desk_url=None
    )


def announcements(burst_folder: Path, *, is_test: bool) -> list[Release]:
    """Return the complete announcements of a burst, or of its tests, including changes, oldest first.

    Raises
    ------
    InvalidInput
        A record is damaged.
    """
    before, damaged = reservations(burst_folder, is_test=is_test)
    if damaged:
        raise damaged[0]
    folders = [folder_of(burst_folder, reservation) for reservation in before]
    return [read_kept(folder / RELEASE, Release) for folder in folders if (folder / RELEASE).exists()]


def _announced(folder: Path, about: str) -> list[Reservation]:
    """Return all reservations of the kind of an announcement, live or test."""
    for is_test in (False, True):
        before, damaged = reservations(folder, is_test=is_test)
        if damaged:
            raise InvalidInput(
                f"{folder.name}: a record of an announcement is damaged, restore it: {damaged[0]}"
            )
        if any(reservation.ivorn == about for reservation in before):
            return before
    raise InvalidInput(f"{folder.name}: there is no announcement {about}; reload the desk")


def _still_out(folder: Path, before: list[Reservation], about: str) -> Release:
    """Return the current announcement, if it is the one that the person read."""
    newest = before[-1]
    path = folder_of(folder, newest)
    decided = read_kept(path / DECISION, Decision)
    who = f"by {decided.decided_by}, {second_text(newest.moment)} UTC"
    if newest.action == "retract":
        raise InvalidInput(f"{folder.name}: announcement {newest.number - 1} was already retracted {who}")
    if newest.ivorn != about:
        raise InvalidInput(
            f"{folder.name}: announcement {newest.number} is newer ({DONE[newest.action]} {who}); "
            "reload the desk"
        )
    if not (path / RELEASE).exists():
        raise InvalidInput(
            f"{folder.name}: the release of announcement {newest.number} is incomplete; continue it first"
        )
    return read_kept(path / RELEASE, Release)


def _retracted(folder: Path) -> Report:
    return read_kept(folder / REPORT, Report)


def _checked(report: Report, decision: Decision, changed: Path, out: Release) -> Report:
    """Return a report that differs from the current announcement."""
    chosen = chosen_position(report, decision.position)
    same = sha256_of(report.to_json()) == sha256_of(_retracted(changed).to_json())
    if same and chosen.label == out.position.label:
        raise InvalidInput(
            f"{report.burst_id}: announcement {out.number} already has this position of {report.run_id}; "
            "choose another one"
        )
    return report


def _label(decision: Decision, out: Release) -> str | None:
    return out.position.label if decision.action == "retract" else decision.position
