"""What people record about an announcement: the number of its GCN Circular, and the name of the event.

::

    releases/<burst>/event.json                            name of the event
    releases/<burst>/<release>/submission.json             number of the GCN Circular
    releases/<burst>/.../record/<either>-<time>.json       what stood there before it was corrected
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from mxtvhf.errors import InvalidInput
from mxtvhf.models.files import safe_name, sha256_of, write_atomically, write_once
from mxtvhf.models.kept import Kept, KeptModel, first_error, read_kept, read_or_set_aside
from mxtvhf.reporting.announcement.deliveries import RECORD
from mxtvhf.reporting.announcement.model import (
    EVENT,
    RELEASE,
    SUBMISSION,
    NamedEvent,
    Release,
    SubmittedCircular,
)
from mxtvhf.reporting.messages.model import CircularMessage
from mxtvhf.reporting.messages.outbox import Outbox


def record_submission(folder: Path, circular: int, *, by: str, at: datetime) -> SubmittedCircular:
    """Record the number of the circular that a person submitted about a release; an earlier one is kept.

    Parameters
    ----------
    folder
        Of the release.
    circular
        Number that GCN gave it.
    by, at
        Who records it, and when, UTC.

    Raises
    ------
    InvalidInput
        Nothing was released there, it is a test, or this is no number of a circular.
    """
    if not (folder / RELEASE).exists():
        raise InvalidInput(f"{folder.name}: nothing was released that could have been submitted")
    if read_kept(folder / RELEASE, Release).is_test:
        raise InvalidInput(f"{folder.name}: a test is not submitted to GCN")
    return _record(folder / SUBMISSION, SubmittedCircular, circular=circular, recorded_by=by, recorded_at=at)


def submission_of(folder: Path) -> SubmittedCircular | None:
    """Return what is recorded about the circular of a release; None where nothing is."""
    return read_or_set_aside(folder / SUBMISSION, SubmittedCircular)


def name_event(folder: Path, name: str, *, by: str, at: datetime) -> NamedEvent:
    """Record the name of a burst's event, e.g. ``GRB 260511A``; an earlier one is kept.

    Parameters
    ----------
    folder
        Of the burst's releases.
    name
        As circulars use it.
    by, at
        As in `record_submission`.

    Raises
    ------
    InvalidInput
        It is no such name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return _record(folder / EVENT, NamedEvent, name=name, recorded_by=by, recorded_at=at)


def event_of(folder: Path) -> str | None:
    """Return the name of a burst's event; None while nobody has typed it."""
    named = read_or_set_aside(folder / EVENT, NamedEvent)
    return named.name if named else None


def _record(path: Path, model: type[Kept], **fields: object) -> Kept:
    try:
        record = model.model_validate(fields)
    except ValidationError as error:
        raise InvalidInput(f"{path.parent.name}: {first_error(error)}") from None
    earlier = read_or_set_aside(path, model)
    if earlier is not None:
        name = f"{path.stem}-{safe_name(str(fields['recorded_at']))}.json"
        write_once(path.parent / RECORD / name, record_content(earlier))
    write_atomically(path, record_content(record))
    return record


def record_content(record: KeptModel) -> bytes:
    """Return a record as its file holds it."""
    return record.model_dump_json(indent=1).encode() + b"\n"


def send_submission(folder: Path, outbox: Path | None) -> None:
    """Queue the message that the circular of a release was submitted.

    Parameters
    ----------
    folder
        Of the release; its submission is recorded.
    outbox
        Of the messages for NATS; None: no NATS.

    Raises
    ------
    OSError
        A record is missing.
    """
    submission = read_kept(folder / SUBMISSION, SubmittedCircular)
    release = read_kept(folder / RELEASE, Release)
    if outbox is None:
        return
    message = CircularMessage(
        # The same record is the same message, whenever it is queued again.
        id=sha256_of(record_content(submission))[:32],
        time=submission.recorded_at,
        burst_id=release.decision.burst_id,
        run_id=release.decision.run_id,
        is_test=release.is_test,
        ivorn=release.ivorn,
        circular=submission.circular,
        recorded_by=submission.recorded_by,
        text=submitted_words(submission),
    )
    Outbox(outbox).put(message)


def submitted_words(submission: SubmittedCircular) -> str:
    """Write the state of an announcement whose circular was submitted: ``submitted, GCN 44454``."""
    return f"submitted, GCN {submission.circular}"
