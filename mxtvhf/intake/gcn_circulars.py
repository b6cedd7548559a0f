"""Event names of bursts from GCN Circulars, used in the subject of our own circular.

A circular is about a burst of SVOM if it quotes the burst id, like the circulars of SVOM. A name entered on
the desk is never replaced.
"""

from __future__ import annotations

import logging
import re
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from mxtvhf.archive.archive import Archive
from mxtvhf.errors import InvalidInput
from mxtvhf.models.ids import BURST_ID_PATTERN
from mxtvhf.models.text import one_line
from mxtvhf.reporting.announcement.submission import event_of, name_event

log = logging.getLogger(__name__)

TOPIC = "gcn.circulars"
BURST_ID = re.compile(rf"(?<![A-Za-z0-9]){BURST_ID_PATTERN.strip('^$')}(?![A-Za-z0-9])")


class Circular(BaseModel):
    """The used fields of a circular on GCN's topic (schema: https://gcn.nasa.gov/docs/circulars)."""

    number: int = Field(alias="circularId")
    event: str = Field(default="", alias="eventId")
    """Name of the event from the subject; empty if GCN found none."""
    subject: str
    body: str


def name_from_circular(raw: bytes, archive: Archive, releases: Path, *, now: datetime) -> str | None:
    """Record the event name that a circular gives to a burst without a name.

    Parameters
    ----------
    raw
        Circular as distributed by GCN, JSON.
    archive
        Archive of the received bursts.
    releases
        Folder of the announcements, which stores the name.
    now
        Current time, UTC.

    Returns
    -------
    str or None
        Burst id of the named burst; None if the circular names no burst.

    Raises
    ------
    OSError
        The name cannot be stored.
    """
    try:
        circular = Circular.model_validate_json(raw)
    except ValidationError as error:
        log.warning("GCN circular ignored: %s", one_line(error.errors()[0]["msg"], 200))
        return None
    bursts: set[str] = set(BURST_ID.findall(f"{circular.subject}\n{circular.body}"))
    if len(bursts) != 1 or not circular.event:
        return None
    (burst_id,) = bursts
    folder = releases / burst_id
    if not archive.has(burst_id) or event_of(folder) is not None:
        return None
    try:
        name_event(releases, burst_id, circular.event, by=f"GCN Circ. {circular.number}", at=now)
    except InvalidInput as error:
        log.warning("GCN circular %d ignored: %s", circular.number, one_line(error, 200))
        return None
    log.info("burst %s named %s by GCN Circ. %d", burst_id, one_line(circular.event, 40), circular.number)
    return burst_id
