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
from mxtvhf.models.files import safe_name, write_atomically, write_once
from mxtvhf.models.kept import Kept, KeptModel, first_error, read_kept, read_or_set_aside
from mxtvhf.reporting.announcement.deliveries import RECORD
from mxtvhf.reporting.announcement.model import EVENT, RELEASE, SUBMISSION, NamedEvent, Release, Submission


def record_submission(folder: Path, circular: int, *, by: str, at: datetime) -> Submission:
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
    return _record(folder / SUBMISSION, Submission, circular=circular, recorded_by=by, recorded_at=at)


def submission_of(folder: Path) -> Submission | None:
    """Return what is recorded about the circular of a release; None where nothing is."""
    return read_or_set_aside(folder / SUBMISSION, Submission)


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
