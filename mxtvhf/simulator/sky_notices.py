"""Simulated notices of other missions: GCN's unified JSON, alerts of LVK, VOEvents, and sky maps."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import datetime
from io import BytesIO
from typing import Any

import hpgeom
import numpy as np
from astropy.io import fits

from mxtvhf.models.times import utc_text
from mxtvhf.notices.constants import notice_facts
from mxtvhf.notices.voevent_writer import (
    add,
    add_citations,
    add_params,
    add_position,
    add_where_when,
    add_who,
    event_bytes,
    new_event,
)

SCHEMAS = "https://gcn.nasa.gov/schema/v7.2.1/gcn/notices"


def write_gcn_json(
    schema: str, event_id: str, time: datetime, *, published: datetime | None = None, **fields: Any
) -> bytes:
    """Write a notice in GCN's unified schema.

    Parameters
    ----------
    schema
        Path of the schema below ``gcn/notices``: ``fermi/gbm/trigger``.
    event_id
        Identifier of the event.
    time
        Time of the trigger, UTC.
    published
        Time of the notice, UTC.
    **fields
        Further fields of the schema, such as ``ra`` and ``dec``.
    """
    content: dict[str, Any] = {"$schema": f"{SCHEMAS}/{schema}.schema.json", "id": [event_id]}
    content["trigger_time"] = utc_text(time)
    if published is not None:
        content["alert_datetime"] = utc_text(published)
    return json.dumps(content | fields).encode()


def write_lvk_alert(
    superevent_id: str,
    time: datetime,
    *,
    created: datetime,
    alert_type: str = "INITIAL",
    far_hz: float = 1e-9,
    skymap: bytes | None = None,
) -> bytes:
    """Write an alert of LVK.

    Parameters
    ----------
    superevent_id
        Identifier, such as ``S260402ab``.
    time, created
        Times of the event and of the alert, UTC.
    alert_type
        ``PRELIMINARY``, ``INITIAL``, ``UPDATE`` or ``RETRACTION``.
    far_hz
        False alarm rate, Hz.
    skymap
        Sky map as FITS file.
    """
    event = {
        "time": utc_text(time),
        "far": far_hz,
        "group": "CBC",
        "skymap": None if skymap is None else b64encode(skymap).decode(),
    }
    content = {
        "alert_type": alert_type,
        "time_created": utc_text(created),
        "superevent_id": superevent_id,
        "event": None if alert_type == "RETRACTION" else event,
        "urls": {"gracedb": f"https://gracedb.ligo.org/superevents/{superevent_id}/view/"},
    }
    return json.dumps(content).encode()


def write_sky_voevent(
    ivorn: str,
    time: datetime,
    *,
    event_id: str,
    position: tuple[float, float, float] | None = None,
    params: dict[str, str] | None = None,
    role: str = "observation",
    retracts: str | None = None,
) -> bytes:
    """Write a VOEvent of another mission.

    Parameters
    ----------
    ivorn
        Identifier, such as ``ivo://nasa.gsfc.gcn/Fermi#GBM_Fin_Pos...``.
    time
        Time of the event, UTC.
    event_id
        Value of ``TrigID``.
    position
        Right ascension, declination and error radius, degrees; None for a notice without a position.
    params
        Further parameters.
    role
        Role of the VOEvent.
    retracts
        Ivorn of the retracted notice.
    """
    root = new_event(role=role, ivorn=ivorn)
    author = notice_facts().simulated
    add_who(
        root,
        author_ivorn=author.author_ivorn,
        date=time,
        title=author.title,
        short_name=author.short_name,
    )
    given = {"TrigID": event_id, **(params or {})}
    add_params(add(root, "What"), [(name, value, None, "meta.id") for name, value in given.items()])
    coordinates = add_where_when(root, time)
    if position is not None:
        ra_deg, dec_deg, radius_deg = position
        add_position(coordinates, ra_deg=ra_deg, dec_deg=dec_deg, radius_deg=radius_deg)
    if retracts is not None:
        add_citations(root, [(retracts, "retraction")])
    return event_bytes(root)


def write_sky_map(
    ra_deg: float,
    dec_deg: float,
    sigma_deg: float,
    *,
    order: int = 5,
    ordering: str = "NUNIQ",
    total: float = 1.0,
) -> bytes:
    """Write a HEALPix map of a circular Gaussian.

    Parameters
    ----------
    ra_deg, dec_deg
        Centre, ICRS degrees.
    sigma_deg
        Standard deviation per axis.
    order
        Order of the cells.
    ordering
        ``NUNIQ``, ``NESTED`` or ``RING``.
    total
        Total probability; 1 for a valid map.
    """
    nside = 1 << order
    index = np.arange(12 * nside * nside)
    lon, lat = hpgeom.pixel_to_angle(nside, index, nest=ordering != "RING", lonlat=True, degrees=True)
    away = np.degrees(_separation(ra_deg, dec_deg, lon, lat))
    probability = np.exp(-0.5 * (away / sigma_deg) ** 2)
    probability *= total / probability.sum()
    if ordering == "NUNIQ":
        columns = [
            fits.Column("UNIQ", "K", array=index + 4 * nside * nside),
            fits.Column("PROBDENSITY", "D", array=probability * index.size / (4.0 * np.pi)),
        ]
    else:
        columns = [fits.Column("PROB", "D", array=probability)]
    table = fits.BinTableHDU.from_columns(columns)
    cards = {"PIXTYPE": "HEALPIX", "ORDERING": ordering, "COORDSYS": "C"}
    table.header.update(cards if ordering == "NUNIQ" else cards | {"NSIDE": nside})
    buffer = BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(buffer)
    return buffer.getvalue()


def _separation(ra_deg: float, dec_deg: float, lon: Any, lat: Any) -> Any:
    """Return the separation of directions from a centre, radians."""
    lat0, lat1 = np.radians(dec_deg), np.radians(lat)
    half = np.sin((lat1 - lat0) / 2.0) ** 2
    half += np.cos(lat0) * np.cos(lat1) * np.sin(np.radians(lon - ra_deg) / 2.0) ** 2
    return 2.0 * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0)))
