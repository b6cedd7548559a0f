"""The release of an announcement: it is archived and delivered, once only.

::

    releases/<burst>/.lock               lock: one release of a burst at a time
    releases/<burst>/<run>/              for a correction or retraction: <burst>__announcement_<number>/
        decision.json                    decision of the Burst Advocate
        refused.txt                      reason why an approved result was not released
        record/decision-<time>.json      earlier decision that was not carried out
        record/report.json               report of the decision
        record/claim.json                reservation: number and ivorn; from here on a release is completed
        voevent.xml, gcn_notice.json, circular.txt, message.txt
        record/nats.json, webhook.json   result of each delivery
        record/webhook.begun             written before the webhook is called, so that it is called once only
        release.json                     complete release

Each file is written atomically and synced to disk. If a release is interrupted, the next call with the same
decision continues it, and its texts have the same bytes.

A damaged record is never replaced if that could release an announcement twice: the release is refused until
the record is restored. A damaged reservation is restored from the complete release.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from mxtvhf.errors import InvalidInput, NothingToDo
from mxtvhf.models.files import safe_name, write_atomically, write_once
from mxtvhf.models.kept import Kept, log_once, read_kept, read_or_set_aside
from mxtvhf.models.text import one_line
from mxtvhf.reporting.announcement.content import Announcement, chosen_position, our_ivorn
from mxtvhf.reporting.announcement.deliveries import RECORD, Channels, deliver
from mxtvhf.reporting.announcement.drafts import write_texts
from mxtvhf.reporting.announcement.model import (
    DECISION,
    REFUSAL,
    RELEASE,
    Action,
    Decision,
    Release,
    Reservation,
)
from mxtvhf.reporting.announcement.submission import event_of, record_content, submission_of
from mxtvhf.reporting.report.model import Report
from mxtvhf.settings import AnnouncementTexts

RESERVATION, REPORT = f"{RECORD}/claim.json", f"{RECORD}/report.json"


def release(
    report: Report,
    decision: Decision,
    *,
    releases: Path,
    channels: Channels,
    now: datetime,
    retracted_by: str | None = None,
    desk_url: str | None = None,
    texts: AnnouncementTexts | None = None,
) -> Release:
    """Archive a decision and, if it is an approval, release the announcement once.

    Parameters
    ----------
    report
        Report of the decision.
    decision
        Decision about the run of this report.
    releases
        Folder of all releases, ``Settings.releases``.
    channels
        Channels of the delivery; tests are never delivered.
    now
        Time of a release that starts now, UTC.
    retracted_by
        Ivorn of SVOM's retraction of the burst; None without one.
    desk_url
        As in `Announcement`.
    texts
        Authors and acknowledgement of the circular.

    Raises
    ------
    NothingToDo
        The result was rejected.
    InvalidInput
        The result cannot be released: it is a replay, retracted or older than a released one, or the report
        has no such position. Or this run was released by another decision, or a record of an earlier release
        is damaged. The decision is archived.
    """
    folder = releases / report.burst_id / safe_name(report.run_id)
    folder.mkdir(parents=True, exist_ok=True)
    with burst_alone(folder.parent):
        reservation = _reservation(folder)
        if reservation is None:
            keep_decision(folder, decision)
            reservation = _new_reservation(
                folder, report, decision, now=now, retracted_by=retracted_by, texts=texts
            )
        kept = read_kept(folder / DECISION, Decision)
        if kept != decision:
            raise InvalidInput(
                f"{report.run_id}: already released as {reservation.ivorn} by {kept.decided_by}; "
                "reload the desk"
            )
        return carry_out(folder, reservation, decision, channels, desk_url)


def carry_out(
    folder: Path, reservation: Reservation, decision: Decision, channels: Channels, desk_url: str | None
) -> Release:
    """Complete a reserved release, and return it."""
    complete = _read(folder / RELEASE, Release)
    if complete is not None:
        return complete
    report = read_kept(folder / REPORT, Report)
    announced = announcement_of(report, reservation, decision, desk_url=desk_url)
    products = write_texts(announced, folder)
    released = Release(
        decision=decision,
        number=reservation.number,
        ivorn=reservation.ivorn,
        supersedes=reservation.supersedes,
        is_test=reservation.is_test,
        position=announced.position,
        released=reservation.moment,
        products=products,
        deliveries=deliver(announced, folder, channels),
    )
    write_once(folder / RELEASE, record_content(released))
    return released


def announcement_at(folder: Path) -> Announcement:
    """Return a released announcement, with the current name of its event.

    Raises
    ------
    InvalidInput, OSError
        A record of the release is damaged or missing.
    """
    reservation = _reservation(folder)
    if reservation is None:
        raise InvalidInput(f"{folder.name}: nothing was released")
    event = event_of(folder.parent)
    current = reservation if event is None else reservation.model_copy(update={"event": event})
    report, decision = read_kept(folder / REPORT, Report), read_kept(folder / DECISION, Decision)
    return announcement_of(report, current, decision, desk_url=None)


def announcement_of(
    report: Report, reservation: Reservation, decision: Decision | None = None, *, desk_url: str | None = None
) -> Announcement:
    """Return the announcement of a decision; without one, the draft for the recommended position."""
    return Announcement(
        report=report,
        position=chosen_position(report, decision.position if decision else None),
        number=reservation.number,
        ivorn=reservation.ivorn,
        supersedes=reservation.supersedes,
        moment=reservation.moment,
        author=one_line(decision.decided_by) if decision else None,
        comment=one_line(decision.comment) if decision else "",
        desk_url=desk_url,
        action=reservation.action,
        event=reservation.event,
        byline=reservation.byline,
        acknowledgement=reservation.acknowledgement,
        supersedes_circular=reservation.supersedes_circular,
    )


def keep_decision(folder: Path, decision: Decision) -> None:
    """Archive a decision; an earlier one that was not carried out is kept in the record."""
    path = folder / DECISION
    earlier = read_or_set_aside(path, Decision)
    if earlier is not None and earlier != decision:
        name = f"decision-{safe_name(earlier.decided_at.isoformat())}.json"
        write_once(folder / RECORD / name, record_content(earlier))
        (folder / REFUSAL).unlink(missing_ok=True)
    write_atomically(path, record_content(decision))


def _new_reservation(
    folder: Path,
    report: Report,
    decision: Decision,
    *,
    now: datetime,
    retracted_by: str | None,
    texts: AnnouncementTexts | None,
) -> Reservation:
    """Reserve the next number of the burst for this run, if it may be released."""
    if decision.choice == "reject":
        raise NothingToDo(f"{report.run_id}: rejected by {decision.decided_by}; nothing is announced")
    before, damaged = reservations(folder.parent, is_test=report.is_test)
    try:
        if damaged:
            raise InvalidInput(
                f"{report.run_id}: a record of an earlier announcement is damaged, restore it: {damaged[0]}"
            )
        chosen_position(report, decision.position)
        check_releasable(report, before, retracted_by)
    except InvalidInput as error:
        write_atomically(folder / REFUSAL, f"{error}\n".encode())
        raise
    reservation = next_reservation(
        report, before, moment=now, decision=decision, burst_folder=folder.parent, texts=texts
    )
    reserve(folder, report, reservation)
    return reservation


def reserve(folder: Path, report: Report, reservation: Reservation) -> None:
    """Write the reservation of an announcement; from here on its release is completed."""
    write_atomically(folder / REPORT, report.to_json())
    write_once(folder / RESERVATION, record_content(reservation))


def next_reservation(
    report: Report,
    before: Sequence[Reservation],
    *,
    moment: datetime,
    decision: Decision | None = None,
    burst_folder: Path | None = None,
    texts: AnnouncementTexts | None = None,
) -> Reservation:
    """Return the next reservation.

    Parameters
    ----------
    report
        Report to announce.
    before
        Previous reservations of the burst, in the order of their numbers.
    moment
        Time of the announcement, UTC.
    decision
        Decision to carry out; None for a draft.
    burst_folder
        Folder of the releases of the burst, with the name of the event and the numbers of the circulars.
    texts
        Authors and acknowledgement of the circular.
    """
    number, texts = 1 + len(before), texts or AnnouncementTexts()
    return Reservation(
        run_id=report.run_id,
        number=number,
        ivorn=our_ivorn(report.burst_id, number, is_test=report.is_test),
        action=decision.action if decision else "announce",
        supersedes=before[-1].ivorn if before else None,
        supersedes_circular=_circular_number(burst_folder, before[-1]) if burst_folder and before else None,
        event=event_of(burst_folder) if burst_folder else None,
        byline=texts.byline(decision.decided_by if decision else None),
        acknowledgement=texts.acknowledgement,
        is_test=report.is_test,
        report_written=report.written,
        moment=moment,
    )


def _circular_number(burst_folder: Path, reservation: Reservation) -> int | None:
    """Return the number of the circular of an announcement; None if none is recorded."""
    found = submission_of(folder_of(burst_folder, reservation))
    return found.circular if found else None


def folder_of(burst_folder: Path, reservation: Reservation) -> Path:
    """Return the folder of a release: that of the run, or an own one for a correction or retraction."""
    return _folder(burst_folder, reservation.action, reservation.run_id, reservation.number)


def release_folder(burst_folder: Path, release: Release) -> Path:
    """Return the folder of a complete release, as `folder_of`."""
    return _folder(burst_folder, release.decision.action, release.decision.run_id, release.number)


def _folder(burst_folder: Path, action: Action, run_id: str, number: int) -> Path:
    if action == "announce":
        return burst_folder / safe_name(run_id)
    return burst_folder / safe_name(f"{burst_folder.name}__announcement_{number}")


def check_releasable(report: Report, before: Sequence[Reservation], retracted_by: str | None) -> None:
    """Check that a result may be released.

    Raises
    ------
    InvalidInput
        It is a replay, the burst is retracted, or a newer result was released.
    """
    if report.is_replay:
        raise InvalidInput(f"{report.run_id}: a replay of an archived alert is never announced")
    if retracted_by or report.is_retracted:
        raise InvalidInput(
            f"{report.run_id}: the burst was retracted ({retracted_by or 'see the report'}); "
            "nothing is announced"
        )
    if newer := [reservation for reservation in before if reservation.report_written > report.written]:
        raise InvalidInput(
            f"{report.run_id}: the newer result {newer[-1].run_id} was released as {newer[-1].ivorn}; "
            "an older result cannot supersede it"
        )


def reservations(burst_folder: Path, *, is_test: bool) -> tuple[list[Reservation], list[InvalidInput]]:
    """Return the reservations of a burst, or of its tests, by number, and the errors of damaged ones."""
    found, damaged = [], []
    for path in burst_folder.glob(f"*/{RESERVATION}"):
        try:
            reservation = _reservation(path.parents[1])
        except InvalidInput as error:
            damaged.append(error)
            continue
        if reservation is not None and reservation.is_test == is_test:
            found.append(reservation)
    return sorted(found, key=lambda reservation: reservation.number), damaged


def _reservation(folder: Path) -> Reservation | None:
    """Read the reservation of a run; a damaged one is restored from the complete release."""
    try:
        return _read(folder / RESERVATION, Reservation)
    except InvalidInput as error:
        try:
            released, report = read_kept(folder / RELEASE, Release), read_kept(folder / REPORT, Report)
        except (InvalidInput, OSError):
            raise error from None
        log_once(f"{error}; {RELEASE} is used instead")
        return Reservation(
            run_id=report.run_id,
            number=released.number,
            ivorn=released.ivorn,
            action=released.decision.action,
            supersedes=released.supersedes,
            is_test=released.is_test,
            report_written=report.written,
            moment=released.released,
        )


@contextmanager
def burst_alone(folder: Path) -> Iterator[None]:
    """Hold the lock of the releases of a burst; it is released if the process dies."""
    with (folder / ".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _read(path: Path, model: type[Kept]) -> Kept | None:
    return read_kept(path, model) if path.exists() else None
