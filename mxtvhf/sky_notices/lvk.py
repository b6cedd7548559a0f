"""Read gravitational-wave alerts of LIGO, Virgo and KAGRA in JSON.

The format is that of the topic ``igwn.gwalert``, see https://emfollow.docs.ligo.org/userguide/content.html.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mxtvhf.errors import InvalidInput
from mxtvhf.models.kept import first_error
from mxtvhf.models.quantities import Finite
from mxtvhf.models.text import one_line
from mxtvhf.notices.parameters import utc
from mxtvhf.sky_notices.gcn_json import LONGEST_MAP
from mxtvhf.sky_notices.model import Significance, SkyNotice, web_links


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    time: str
    far: Finite | None = None
    group: str = ""
    search: str = ""
    classification: dict[str, float] = {}
    skymap: str | None = None


class _Alert(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    alert_type: Literal["EARLYWARNING", "EARLY_WARNING", "PRELIMINARY", "INITIAL", "UPDATE", "RETRACTION"]
    time_created: str
    superevent_id: str = Field(pattern=r"^[A-Za-z]{1,4}[0-9]{6}[a-z]{1,8}$")
    """A leading M or T marks a mock or test event."""
    event: _Event | None = None
    urls: dict[str, str] = {}


def is_lvk(content: dict[str, Any]) -> bool:
    """Return True if a JSON notice is an alert of LVK, which names no schema."""
    return "superevent_id" in content and "alert_type" in content


def read_lvk(content: dict[str, Any], *, digest: str, received: datetime) -> SkyNotice:
    """Read an alert of LVK.

    Parameters
    ----------
    content
        The parsed JSON.
    digest
        SHA-256 of the alert as received.
    received
        Time of reception, UTC.

    Raises
    ------
    InvalidInput
        A used field is missing or invalid.
    """
    try:
        alert = _Alert.model_validate(content)
    except ValidationError as error:
        raise InvalidInput(f"invalid LVK alert: {one_line(first_error(error), 200)}") from None
    event, is_retraction = alert.event, alert.alert_type == "RETRACTION"
    if event is None and not is_retraction:
        raise InvalidInput("invalid LVK alert: event is missing; only a retraction has none")
    skymap = event.skymap if event else None
    is_large = skymap is not None and len(skymap) > LONGEST_MAP
    created = utc(alert.time_created, "time_created")
    is_update = alert.alert_type in ("INITIAL", "UPDATE")
    return SkyNotice(
        mission="LVK",
        instrument="",
        event_id=alert.superevent_id,
        kind="retraction" if is_retraction else "update" if is_update else "initial",
        time=utc(event.time, "event.time") if event else created,
        published=created,
        received=received,
        has_map=skymap is not None and not is_large,
        map_problem=f"the sky map has {len(skymap or '')} characters; at most {LONGEST_MAP} are read"
        if is_large
        else "",
        significance=Significance(value=event.far, unit="FAR Hz") if event and event.far else None,
        is_test=alert.superevent_id[0] in "MT",
        links=web_links(alert.urls.values()),
        schema_name="igwn.gwalert",
        digest=digest,
    )
