"""Records about an announcement that people type: number of the GCN Circular, name of the event.

::

    releases/<burst>/event.json                            name of the event
    releases/<burst>/<release>/submission.json             number of the GCN Circular
    releases/<burst>/.../record/<either>-<time>.json       earlier record that was corrected
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
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

_GRB_DATE = re.compile(r"\s*GRB ?(\d{6})")
_NEAR = timedelta(days=1)
"""Largest difference of the dates: one of them may be that of another detection, around midnight."""


def record_submission(folder: Path, circular: int, *, by: str, at: datetime) -> SubmittedCircular:
    """Record the number of the submitted circular of a release; an earlier number is kept.

    Parameters
    ----------
    folder
        Folder of the release.
    circular
        Number of the GCN Circular.
    by, at
        Login name, and time of the record, UTC.

    Raises
    ------
    InvalidInput
        Nothing was released, it is a test, or the number is invalid.
    """
    if not (folder / RELEASE).exists():
        raise InvalidInput(f"{folder.name}: nothing was released, so no circular can be recorded")
    if read_kept(folder / RELEASE, Release).is_test:
        raise InvalidInput(f"{folder.name}: tests are never submitted to GCN")
    return _record(folder / SUBMISSION, SubmittedCircular, circular=circular, recorded_by=by, recorded_at=at)


def submission_of(folder: Path) -> SubmittedCircular | None:
    """Return the record of the circular of a release; None without one."""
    return read_or_set_aside(folder / SUBMISSION, SubmittedCircular)


def name_event(releases: Path, burst_id: str, name: str, *, by: str, at: datetime) -> NamedEvent:
    """Record the name of the event of a burst, e.g. ``GRB 260511A``; an earlier name is kept.

    Parameters
    ----------
    releases
        Folder of the releases of all bursts.
    burst_id
        The burst.
    name
        Name as in circulars.
    by, at
        As in `record_submission`.

    Raises
    ------
    InvalidInput
        The name is invalid, or the date of a gamma-ray burst is not that of this burst.
    """
    _check_date(burst_id, name)
    folder = releases / burst_id
    folder.mkdir(parents=True, exist_ok=True)
    return _record(folder / EVENT, NamedEvent, name=name, recorded_by=by, recorded_at=at)


def _check_date(burst_id: str, name: str) -> None:
    """Compare the date in the name of a gamma-ray burst with that in a burst id, for typing errors."""
    match = _GRB_DATE.match(name)
    if match is None:
        return
    day = burst_id[2:8]
    try:
        is_near = abs(date.fromisoformat(f"20{match[1]}") - date.fromisoformat(f"20{day}")) <= _NEAR
    except ValueError:
        is_near = False
    if not is_near:
        raise InvalidInput(f"name: {name.strip()!r} has another date than {burst_id}; expected GRB {day}")


def event_of(folder: Path) -> str | None:
    """Return the name of the event of a burst; None if none is recorded."""
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
    """Return a record as the content of its file."""
    return record.model_dump_json(indent=1).encode() + b"\n"


def send_submission(folder: Path, outbox: Path | None) -> None:
    """Queue the message about the submitted circular of a release.

    Parameters
    ----------
    folder
        Folder of the release with the record of the circular.
    outbox
        Folder of the outbox for NATS; None without NATS.

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
        # The same record gives the same message id if it is queued again.
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
    """Format the state of an announcement with a submitted circular: ``submitted, GCN 44454``."""
    return f"submitted, GCN {submission.circular}"
