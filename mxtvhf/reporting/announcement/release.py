"""The release of an announcement: archived, delivered, and never twice.

::

    releases/<burst>/.lock               one release of a burst at a time
    releases/<burst>/<run>/              of a correction or retraction <burst>__announcement_<number>/
        decision.json                    what the Burst Advocate decided
        refused.txt                      why an approved result was not released
        record/decision-<time>.json      an earlier decision, of which nothing came
        record/report.json               the report that was decided about
        record/claim.json                number and ivorn: from here on the release goes on, whoever dies
        voevent.xml, gcn_notice.json, circular.txt, message.txt
        record/nats.json, webhook.json   what became of each delivery
        record/webhook.begun             written before the webhook is called: it is never called again
        release.json                     the end of it

Each file is complete or not there, and synced to the disk. A release that was killed goes on where it stopped
when it is called again with the same decision; its texts come out the same, byte for byte.

A damaged record is never made anew where that could release an announcement twice: the release is refused
until the record is restored. A damaged claim is read from the release that came of it.
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
from mxtvhf.reporting.announcement.model import DECISION, REFUSAL, RELEASE, Decision, Release, Reservation
from mxtvhf.reporting.announcement.submission import event_of, record_content, submission_of
from mxtvhf.reporting.report import Report
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
    """Archive a decision and, when it approves, release the announcement once.

    Parameters
    ----------
    report
        What was decided about.
    decision
        Of this report's run.
    releases
        The archive of what was announced, ``Settings.releases``.
    channels
        Where to tell it. A test is told nowhere.
    now
        The moment of a release that begins now, UTC.
    retracted_by
        Ivorn of the notice that took the burst back meanwhile.
    desk_url
        As in `Announcement`.
    texts
        Authors and acknowledgement of the circular.

    Raises
    ------
    NothingToDo
        It was rejected.
    InvalidInput
        It cannot be released: of a replay, retracted, older than what was released, the chosen position is
        none of the report's; or this run was released by another decision. The decision is archived. Or a
        record of an earlier release is damaged.
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
                f"{report.run_id}: already released as {reservation.ivorn} by decision of {kept.decided_by}"
            )
        return carry_out(folder, reservation, decision, channels, desk_url)


def carry_out(
    folder: Path, reservation: Reservation, decision: Decision, channels: Channels, desk_url: str | None
) -> Release:
    """Go on with a reserved release from wherever it stopped; return it when it is complete already."""
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
    """Return a released announcement, with the name of its event as it is known now.

    Raises
    ------
    InvalidInput, OSError
        A record of it is damaged or missing.
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
    """Return what a decision wants to be told; without one, the draft of the report's best position."""
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
    """Archive a decision; an earlier, different one of which nothing came is kept beside it."""
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
    """Claim the next number of the burst for this run, when it may be released."""
    if decision.choice == "reject":
        raise NothingToDo(f"{report.run_id}: rejected by {decision.decided_by}: nothing is announced")
    before, damaged = reservations(folder.parent, is_test=report.is_test)
    try:
        if damaged:
            raise InvalidInput(f"{report.run_id}: which numbers are taken is unknown: {damaged[0]}")
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
    """Write down what an announcement will be: from here on it goes on, whoever dies."""
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
    """Return the reservation that follows others.

    Parameters
    ----------
    report
        What is announced.
    before
        Reservations of the burst so far, in the order of their numbers.
    moment
        Of the announcement, UTC.
    decision
        What was decided; None: a draft of an announcement.
    burst_folder
        Of the burst's releases, with the name of its event and the numbers of its circulars.
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
    """Return the number of an announcement's circular; None where nobody has recorded one."""
    found = submission_of(folder_of(burst_folder, reservation))
    return found.circular if found else None


def folder_of(burst_folder: Path, reservation: Reservation) -> Path:
    """Return the folder of a release: a run has one, a correction or retraction has its own."""
    if reservation.action == "announce":
        return burst_folder / safe_name(reservation.run_id)
    return burst_folder / safe_name(f"{burst_folder.name}__announcement_{reservation.number}")


def check_releasable(report: Report, before: Sequence[Reservation], retracted_by: str | None) -> None:
    """Tell whether a result may be released after others.

    Raises
    ------
    InvalidInput
        It is of a replay or of a retracted burst, or a newer one was released.
    """
    if report.is_replay:
        raise InvalidInput(f"{report.run_id}: an archived alert was sent again: no burst of now to announce")
    if retracted_by or report.is_retracted:
        raise InvalidInput(f"{report.run_id}: the burst was retracted ({retracted_by or 'says the report'})")
    if newer := [reservation for reservation in before if reservation.report_written > report.written]:
        raise InvalidInput(
            f"{report.run_id}: {newer[-1].run_id}, which is newer, was released as {newer[-1].ivorn}; "
            "an older result does not supersede it"
        )


def reservations(burst_folder: Path, *, is_test: bool) -> tuple[list[Reservation], list[InvalidInput]]:
    """Return the claims of a burst, or of its tests, in the order of their numbers, and what is damaged."""
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
    """Read the claim of a run; a damaged one is taken from the release that came of it."""
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
    """Hold the releases of a burst alone; the lock of a process that dies is released."""
    with (folder / ".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _read(path: Path, model: type[Kept]) -> Kept | None:
    return read_kept(path, model) if path.exists() else None
