"""The name of a burst's event from GCN Circulars, for the subject of our own circular.

A circular is about a burst of SVOM if it quotes the burst's identifier, as the circulars of SVOM do. What a
person typed on the desk is never replaced.
"""

from __future__ import annotations

import logging
import re
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from mxtvhf.archive.archive import Archive
from mxtvhf.errors import InvalidInput
from mxtvhf.models.text import one_line
from mxtvhf.reporting.announcement.submission import event_of, name_event

log = logging.getLogger(__name__)

TOPIC = "gcn.circulars"
BURST_ID = re.compile(r"(?<![A-Za-z0-9])sb[0-9]{8}(?![A-Za-z0-9])")


class Circular(BaseModel):
    """What is used of a circular on GCN's topic; its schema is at https://gcn.nasa.gov/docs/circulars."""

    number: int = Field(alias="circularId")
    event: str = Field(default="", alias="eventId")
    """Name of the event, from the subject; empty where GCN found none."""
    subject: str
    body: str


def name_from_circular(raw: bytes, archive: Archive, releases: Path, *, now: datetime) -> str | None:
    """Record the name that a circular gives to a burst which has none yet.

    Parameters
    ----------
    raw
        The circular as GCN distributes it, JSON.
    archive
        Knows which bursts were received.
    releases
        Folder of the announcements, where the name is kept.
    now
        The moment, UTC.

    Returns
    -------
    str or None
        The burst that was named; None if the circular names none.

    Raises
    ------
    OSError
        The name cannot be kept.
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
        name_event(folder, circular.event, by=f"GCN Circ. {circular.number}", at=now)
    except InvalidInput as error:
        log.warning("GCN circular %d ignored: %s", circular.number, one_line(error, 200))
        return None
    log.info("%s is %s by GCN Circ. %d", burst_id, one_line(circular.event, 40), circular.number)
    return burst_id
