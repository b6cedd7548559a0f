"""Read notices in GCN's unified JSON schema.

The fields that we use are validated here as the core schemas of https://github.com/nasa-gcn/gcn-schema ask,
which are the same for all missions since version 4: ``Alert``, ``DateTime``, ``Event``, ``FollowUp``,
``Localization``, ``Reporter`` and ``Statistics``. Other fields are ignored; the notice is kept as received.
The tests compare this module with the schemas and their examples (``docs/decisions/gcn-schemas.md``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from mxtvhf.errors import InvalidInput
from mxtvhf.models.position import Declination
from mxtvhf.models.quantities import Finite
from mxtvhf.models.text import one_line
from mxtvhf.notices.parameters import shown, utc
from mxtvhf.sky_notices.error_box import ellipse_of_box
from mxtvhf.sky_notices.missions import class_of_no_burst, detector_of, mission_facts
from mxtvhf.sky_notices.model import (
    ErrorEllipse,
    Kind,
    Name,
    Significance,
    SkyNotice,
    web_links,
)

_SCHEMA = re.compile(
    r"https://gcn\.nasa\.gov/schema/(?P<version>main|v(?P<major>\d{1,3})\.\d+\.\d+)/gcn/notices/"
    r"(?P<name>[A-Za-z0-9_./-]{1,100})\.schema\.json"
)
_KINDS: dict[str, Kind] = {"initial": "initial", "retraction": "retraction"}
LONGEST_MAP = 24 << 20
"""Largest number of characters of a sky map in a notice; larger maps are not read."""

_NEEDED = {
    "mission", "instrument", "id", "event_name", "ref_ID", "alert_datetime", "alert_tense", "alert_type",
    "trigger_time", "observation_start",
}  # fmt: skip
"""Fields that tell which event a notice is about, when it was, and whether it is real."""
_EXPECTED = {
    "ra_dec_error": "expected a radius, or both axes of an ellipse and its position angle, degrees",
    "rectangular_error_corners": "expected right ascension and declination of four corners, degrees",
}


def _tuple(value: Any) -> Any:
    """Return a list of JSON as a tuple, which strict validation asks for."""
    return tuple(value) if isinstance(value, list) else value


Containment = Annotated[float, Field(ge=0.01, lt=1.0)]
"""Probability inside an error region. A smaller one says nothing about the standard deviation."""
Degrees = Annotated[float, Field(ge=0.0, le=360.0, allow_inf_nan=False)]
Radius = Annotated[float, Field(gt=0.0, le=180.0, allow_inf_nan=False)]
Ellipse = Annotated[
    tuple[Radius] | tuple[Radius, Radius] | tuple[Radius, Radius, Finite], BeforeValidator(_tuple)
]
Corner = Annotated[tuple[Degrees, Declination], BeforeValidator(_tuple)]
Corners = Annotated[tuple[Corner, Corner, Corner, Corner], BeforeValidator(_tuple)]


class _Fields(BaseModel):
    """The used fields of the core schemas."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    mission: Name = ""
    instrument: Name = ""
    id: str | list[str] = ""
    event_name: str | list[str] = ""
    ref_ID: str | list[str] = ""  # noqa: N815  name in the schema
    """Event of another mission that the notice follows up."""
    alert_datetime: str | None = None
    alert_tense: Literal["current", "archival", "planned", "injection", "commanded", "test"] = "current"
    alert_type: Literal["initial", "subsequent", "update", "retraction"] = "initial"
    trigger_time: str | None = None
    observation_start: str | None = None
    ra: Degrees | None = None
    dec: Declination | None = None
    ra_dec_error: Radius | Ellipse | None = None
    rectangular_error_corners: Corners | None = None
    """Corners of the error box of MAXI, right ascension and declination, degrees."""
    containment_probability: Containment = 0.9
    systematic_included: bool = False
    healpix_url: str | None = None
    healpix_file: str | None = None
    far: Finite | None = None
    image_snr: Finite | None = None
    rate_snr: Finite | None = None
    p_astro: Finite | None = None
    classification: dict[str, float] = {}
    data_archive_page: str | None = None
    url: str | None = None


class Schema(BaseModel):
    """The schema that a notice names."""

    name: str
    """Path below ``gcn/notices``, without suffix."""
    version: str
    is_newer: bool = False
    """True for a version that this software does not know yet."""


def schema_of(content: dict[str, Any]) -> Schema:
    """Return the schema that a notice names.

    Parameters
    ----------
    content
        The notice.

    Raises
    ------
    InvalidInput
        The notice names no schema of GCN, or one of an early version with other fields.
    """
    text = content.get("$schema")
    if text is None:
        raise InvalidInput("$schema is missing; expected the address of a notice schema of GCN")
    match = _SCHEMA.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise InvalidInput(f"$schema {shown(str(text))} is not a notice schema of GCN")
    majors = mission_facts().reading.schema_majors
    major = majors[-1] if match["major"] is None else int(match["major"])
    if major < majors[0]:
        raise InvalidInput(
            f"schema version {match['version']} has other fields; expected version {majors[0]} or newer"
        )
    return Schema(name=match["name"], version=match["version"], is_newer=major > majors[-1])


def read_gcn_json(content: dict[str, Any], *, digest: str, received: datetime) -> Iterator[SkyNotice]:
    """Yield the notice, or each of the objects that it lists.

    Parameters
    ----------
    content
        The parsed JSON.
    digest
        SHA-256 of the notice as received.
    received
        Time of reception, UTC.

    Raises
    ------
    InvalidInput
        The schema is unknown, or a field that identifies the event violates it. An invalid field of another
        kind, such as an error radius, is left out with a warning.
    """
    schema = schema_of(content)
    data = content.get("data")
    data = data if isinstance(data, dict) else {}
    targets = data.get("targets")
    shared = {key: value for key, value in content.items() if key != "data"}
    if targets is None:
        parts: list[Any] = [shared]
    elif isinstance(targets, list):
        parts = [shared | _first_seen(data, one) | one for one in targets if isinstance(one, dict)]
    else:
        raise InvalidInput("data.targets is not a list")
    for number, part in enumerate(parts):
        yield _notice(part, schema, digest=digest, received=received, number=number)


def _first_seen(data: dict[str, Any], target: dict[str, Any]) -> dict[str, Any]:
    """Return the time of the first detection of an optical object, whose notice has no trigger time."""
    photometry = data.get("photometry")
    moments = [
        one["observation_start"]
        for one in (photometry if isinstance(photometry, list) else ())
        if isinstance(one, dict) and one.get("event_name") == target.get("event_name") and "mag" in one
        and isinstance(one.get("observation_start"), str)
    ]  # fmt: skip
    return {"observation_start": min(moments)} if moments else {}


def _notice(
    content: dict[str, Any], schema: Schema, *, digest: str, received: datetime, number: int
) -> SkyNotice:
    warnings: list[str] = []
    if schema.is_newer:
        warnings.append(
            f"schema version {schema.version} is newer than this software; fields are read as in version "
            f"{mission_facts().reading.schema_majors[-1]}; upgrade mxtvhf"
        )
    fields = _fields(content, schema, warnings)
    mission, instrument = mission_facts().names.get(schema.name, ("", ""))
    mission = mission or fields.mission or schema.name.split("/")[0]
    instrument = instrument or fields.instrument
    time = fields.trigger_time or fields.observation_start or fields.alert_datetime
    if time is None:
        raise InvalidInput("trigger_time, observation_start and alert_datetime are missing; expected a time")
    names = [*_texts(fields.id), *_texts(fields.event_name)] or _texts(fields.ref_ID)
    if not names:
        raise InvalidInput("id, event_name and ref_ID are missing; expected an identifier of the event")
    facts = detector_of(mission, instrument)
    other = class_of_no_burst(fields.classification)
    return SkyNotice(
        mission=mission,
        instrument=instrument,
        event_id=names[0],
        names=tuple(names[1:]),
        kind=_kind(fields, schema),
        time=utc(time, "trigger_time"),
        published=None if fields.alert_datetime is None else utc(fields.alert_datetime, "alert_datetime"),
        received=received,
        area=_area(fields, facts.unstated_r90_deg if facts else 0.0, warnings),
        has_map=fields.healpix_file is not None and len(fields.healpix_file) <= LONGEST_MAP,
        map_problem=_map_problem(fields),
        systematic_included=fields.systematic_included,
        significance=_significance(fields),
        is_test=fields.alert_tense in ("test", "injection"),
        is_burst=None if not fields.classification else other is None,
        classified_as=one_line(other or "", 60),
        links=web_links((fields.data_archive_page, fields.healpix_url, fields.url)),
        schema_name=f"{schema.name} {schema.version}",
        is_newer_schema=schema.is_newer,
        digest=digest,
        part=number,
        warnings=tuple(warnings),
    )


def _fields(content: dict[str, Any], schema: Schema, warnings: list[str]) -> _Fields:
    """Return the used fields. Others than `_NEEDED` are left out with a warning if they are invalid.

    Raises
    ------
    InvalidInput
        A needed field violates the schema.
    """
    try:
        return _Fields.model_validate(content)
    except ValidationError as error:
        odd = {str(one["loc"][0]): one["msg"] for one in reversed(error.errors())}
        if not _NEEDED.isdisjoint(odd):
            needed = next(name for name in odd if name in _NEEDED)
            raise InvalidInput(
                f"violates its schema {schema.name}: {needed} {shown(str(content[needed]))}: {odd[needed]}"
            ) from None
    for name, reason in odd.items():
        expected = _EXPECTED.get(name, reason)
        warnings.append(f"{name} {shown(str(content[name]))} is invalid: {expected}; value ignored")
    return _Fields.model_validate({key: value for key, value in content.items() if key not in odd})


def _texts(value: str | list[str]) -> list[str]:
    every = [value] if isinstance(value, str) else value
    return [one_line(text, 120) for text in every if text.strip()]


def _kind(fields: _Fields, schema: Schema) -> Kind:
    is_data = any(part in schema.name.lower() for part in mission_facts().reading.not_detections)
    if is_data or fields.alert_tense in ("planned", "commanded"):
        return "other"
    return _KINDS.get(fields.alert_type, "update")


def _area(fields: _Fields, unstated_r90_deg: float, warnings: list[str]) -> ErrorEllipse | None:
    """Return the error ellipse; an ellipse without an angle becomes the circle around it.

    A rectangle becomes the ellipse of its area.
    """
    if fields.ra is None or fields.dec is None:
        return None
    if fields.ra_dec_error is None and fields.rectangular_error_corners is not None:
        try:
            return ellipse_of_box(fields.rectangular_error_corners, fields.containment_probability)
        except InvalidInput as error:
            warnings.append(f"{error}; the position is not compared")
            return None
    if fields.ra_dec_error is None and unstated_r90_deg:
        return ErrorEllipse(
            ra_deg=fields.ra % 360.0,
            dec_deg=fields.dec,
            semi_major_deg=unstated_r90_deg,
            semi_minor_deg=unstated_r90_deg,
        )
    if fields.ra_dec_error is None:
        warnings.append("the position has no error radius; it is not compared")
        return None
    axes = (fields.ra_dec_error,) if isinstance(fields.ra_dec_error, float) else fields.ra_dec_error
    major = axes[0]
    minor = axes[1] if len(axes) > 1 else major
    angle = axes[2] if len(axes) > 2 else 0.0
    if len(axes) == 2 and major != minor:
        warnings.append("the error ellipse has no position angle; the circle around it is used")
        major = minor = max(major, minor)
    return ErrorEllipse(
        ra_deg=fields.ra % 360.0,
        dec_deg=fields.dec,
        semi_major_deg=major,
        semi_minor_deg=minor,
        angle_deg=angle,
        containment=fields.containment_probability,
    )


def _map_problem(fields: _Fields) -> str:
    if fields.healpix_file is not None and len(fields.healpix_file) > LONGEST_MAP:
        return f"the sky map has {len(fields.healpix_file)} characters; at most {LONGEST_MAP} are read"
    if fields.healpix_file is None and fields.healpix_url is not None:
        return "the notice only links its sky map, and maps are not downloaded"
    return ""


def _significance(fields: _Fields) -> Significance | None:
    snr = fields.image_snr or fields.rate_snr
    if snr:
        return Significance(value=snr, unit="SNR")
    if fields.far is not None:
        return Significance(value=fields.far, unit="FAR Hz")
    if fields.p_astro is not None:
        return Significance(value=fields.p_astro, unit="probability of an astrophysical origin")
    return None
