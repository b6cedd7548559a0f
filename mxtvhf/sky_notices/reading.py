"""Read a received message as notices of other missions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from pydantic_core import from_json

from mxtvhf.errors import InvalidInput
from mxtvhf.models.files import sha256_of
from mxtvhf.notices.parameters import shown
from mxtvhf.notices.role import BEGINNING, ivorn_of
from mxtvhf.sky_notices.gcn_json import LONGEST_MAP, read_gcn_json
from mxtvhf.sky_notices.lvk import is_lvk, read_lvk
from mxtvhf.sky_notices.missions import mission_facts
from mxtvhf.sky_notices.model import SkyNotice
from mxtvhf.sky_notices.probability_map import embedded_map
from mxtvhf.sky_notices.voevents import read_voevent

LONGEST_NOTICE = LONGEST_MAP + (1 << 20)
"""Largest number of bytes of a notice that is read; a larger one is only kept."""
_OURS = "ivo://org.svom/"
"""Beginning of the identifiers of SVOM's notices."""
_SPACE = b" \t\r\n\xef\xbb\xbf"


def is_sky_notice(raw: bytes) -> bool:
    """Return True if a message is a notice of another mission: JSON, or a VOEvent of another stream.

    Only the beginning is examined, so the check is fast. VHF packets never begin like JSON, because their
    first three bits are zero. A VOEvent of SVOM from any stream is ours, so that one of an unknown stream
    goes to quarantine, where people see it.

    Parameters
    ----------
    raw
        The message as received.
    """
    start = raw[:BEGINNING].lstrip(_SPACE)
    if start.startswith(b"{"):
        return True
    if not start.startswith(b"<"):
        return False
    ivorn = (ivorn_of(start) or "").strip().lower()
    return ivorn.startswith("ivo://") and not ivorn.startswith(_OURS)


def read_sky_notices(raw: bytes, *, received: datetime) -> tuple[SkyNotice, ...]:
    """Read the notices of a message; most messages contain one.

    Parameters
    ----------
    raw
        The message as received.
    received
        Time of reception, UTC.

    Returns
    -------
    tuple of SkyNotice
        An unusable sky map leaves the notice without one, with the reason in ``map_problem``.

    Raises
    ------
    InvalidInput
        The message is too large, no notice of a known format, violates its schema, or gives an impossible
        time.
    """
    if len(raw) > LONGEST_NOTICE:
        raise InvalidInput(f"the notice has {len(raw)} bytes; at most {LONGEST_NOTICE} are read")
    digest = sha256_of(raw)
    if raw.lstrip(_SPACE).startswith(b"<"):
        notices: tuple[SkyNotice, ...] = (read_voevent(raw, digest=digest, received=received),)
    else:
        content = json_object(raw)
        if is_lvk(content):
            notices = (_with_checked_map(read_lvk(content, digest=digest, received=received), content),)
        else:
            every = read_gcn_json(content, digest=digest, received=received)
            notices = tuple(_with_checked_map(one, content) for one in every)
    for notice in notices:
        _check_time(notice)
    return notices


def json_object(raw: bytes) -> dict[str, Any]:
    """Return the content of a JSON notice.

    Parameters
    ----------
    raw
        The notice as received.

    Raises
    ------
    InvalidInput
        The notice is not a JSON object.
    """
    try:
        content = from_json(raw.lstrip(_SPACE))
    except ValueError as error:
        raise InvalidInput(f"not JSON: {error}") from None
    if not isinstance(content, dict):
        raise InvalidInput("not a JSON object; expected a notice")
    return content


def _with_checked_map(notice: SkyNotice, content: dict[str, Any]) -> SkyNotice:
    if not notice.has_map:
        return notice
    try:
        embedded_map(content)
    except InvalidInput as error:
        return notice.model_copy(update={"has_map": False, "map_problem": str(error)})
    return notice


def _check_time(notice: SkyNotice) -> None:
    """Reject an event time in the future.

    Raises
    ------
    InvalidInput
        The event time is later than the reception by more than a clock error.
    """
    latest = mission_facts().reading.latest_after_now_s
    if notice.kind != "other" and notice.time > notice.received + timedelta(seconds=latest):
        raise InvalidInput(
            f"event time {shown(notice.time.isoformat())} is after the reception; "
            "the clock of the sender or of this host is wrong"
        )
