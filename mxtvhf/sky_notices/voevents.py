"""Read VOEvents of other missions, as GCN sends them over Kafka."""

from __future__ import annotations

import re
from datetime import datetime

from lxml import etree

from mxtvhf.errors import InvalidInput
from mxtvhf.models.ids import canonical_ivorn
from mxtvhf.models.text import one_line
from mxtvhf.notices.parameters import OddValues, Parameters, finite, shown, utc
from mxtvhf.notices.voevent import parse_xml
from mxtvhf.sky_notices.missions import class_of_no_burst, detector_of, mission_facts
from mxtvhf.sky_notices.model import ErrorEllipse, Kind, Significance, SkyNotice, web_links

_IDENTIFIERS = ("TrigID", "GraceID", "EVENT_ID_NUM", "AMON_ID", "event_id", "Trigger_Number", "Trigger_ID")
_SIGNIFICANCES = ("Image_Signif", "Burst_Signif", "Rate_Signif", "Det_Signif", "SNR", "Signif")
_LINKS = ("EventPage", "skymap_fits", "LightCurve_URL", "LocationMap_URL")
_NOT_BURST = {"Def_NOT_a_GRB": "not a GRB", "Target_in_Blk_Catalog": "a known source"}
"""Flags of a notice about an event that is not a burst -> class."""
_TEST_IDENTIFIER = "99999"
"""TrigID of the regular test notices of Swift."""
_GECAM_TESTS = 100_000_000
"""First Trigger_Number of the test notices of GECAM (gcn.nasa.gov/missions/gecam)."""


def read_voevent(raw: bytes, *, digest: str, received: datetime) -> SkyNotice:
    """Read a VOEvent of another mission.

    Parameters
    ----------
    raw
        The VOEvent as received.
    digest
        SHA-256 of the VOEvent.
    received
        Time of reception, UTC.

    Returns
    -------
    SkyNotice
        Times in UTC, angles in ICRS degrees; a position in FK5 is used as ICRS. An optional parameter with an
        invalid value is ignored, with a warning.

    Raises
    ------
    InvalidInput
        The input is not a VOEvent, or lacks a valid identity, role or time.
    """
    root = parse_xml(raw)
    ivorn = (root.get("ivorn") or "").strip()
    if etree.QName(root).localname != "VOEvent" or not ivorn:
        raise InvalidInput("not a VOEvent with an ivorn")
    role = root.get("role")
    if role not in ("observation", "prediction", "utility", "test"):
        raise InvalidInput(f"role {shown(str(role))} is invalid; expected observation, test, ...")
    what = Parameters(
        (dict(one.attrib) for one in (*root.iterfind("What/Param"), *root.iterfind("What/Group/Param"))), {}
    )
    mission, instrument, known = _detector(ivorn)
    odd = OddValues()
    event_id = _event_id(ivorn, what, odd)
    coordinates = root.find("WhereWhen/ObsDataLocation/ObservationLocation/AstroCoords")
    text = None if coordinates is None else coordinates.findtext("Time/TimeInstant/ISOTime")
    if not text:
        raise InvalidInput("ISOTime is missing in WhereWhen; expected the event time in UTC")
    date = (root.findtext("Who/Date") or "").strip()
    cites = [
        canonical_ivorn(one_line(one.text or "", 300))
        for one in root.iterfind("Citations/EventIVORN")
        if one.get("cite") == "retraction"
    ]
    flags = {name: odd.left_out(what.flag, name) for name in _NOT_BURST if what.has(name)}
    others = [_NOT_BURST[name] for name, value in flags.items() if value]
    if (named := odd.left_out(what.text, "SRC_CLASS")) and (other := class_of_no_burst({named: 1.0})):
        others.append(one_line(other, 60))
    map_link = odd.left_out(what.link, "skymap_fits")
    links = web_links(odd.left_out(what.link, name) for name in _LINKS)
    return SkyNotice(
        mission=mission,
        instrument=instrument,
        event_id=event_id,
        kind=_kind(ivorn, role, is_retraction=bool(cites), has_citations=root.find("Citations") is not None),
        time=utc(text.strip(), "ISOTime"),
        published=odd.left_out(utc, date, "Date") if date else None,
        received=received,
        area=odd.left_out(_area, coordinates, known),
        map_problem="the notice only links its sky map, and maps are not downloaded" if map_link else "",
        systematic_included=_includes_systematic(mission, ivorn),
        significance=_significance(what, odd),
        is_test=role == "test" or event_id == _TEST_IDENTIFIER or event_id.startswith(("MS", "TS", "MTS"))
        or (mission == "GECAM" and event_id.isdecimal() and int(event_id) >= _GECAM_TESTS)
        or bool(odd.left_out(what.flag, "Test_Submission")),
        is_burst=not others if flags or named else None,
        classified_as=", ".join(others),
        cites=tuple(cites),
        links=links,
        schema_name=one_line(ivorn, 200),
        digest=digest,
        warnings=tuple(odd.warnings),
    )  # fmt: skip


def _detector(ivorn: str) -> tuple[str, str, float]:
    """Return mission, instrument and the containment of its radii from an ivorn.

    Raises
    ------
    InvalidInput
        The ivorn has no name of a mission.
    """
    lower = ivorn.lower()
    names = mission_facts().names
    beginning = max((name for name in names if lower.startswith(name)), key=len, default=None)
    if beginning is not None:
        mission, instrument = names[beginning]
    else:
        match = re.fullmatch(r"ivo://[^#?]*?([^/#?]{1,60})#.*", ivorn)
        if match is None:
            raise InvalidInput(
                f"ivorn {shown(ivorn)} is invalid; expected ivo://<authority>/<mission>#<event>"
            )
        mission, instrument = match[1], ""
    facts = detector_of(mission, instrument)
    return mission, instrument, facts.containment if facts else 0.9


def _includes_systematic(mission: str, ivorn: str) -> bool:
    facts = mission_facts().reading
    return mission not in facts.statistical_radii or ivorn.lower().startswith(facts.with_systematic)


def _event_id(ivorn: str, what: Parameters, odd: OddValues) -> str:
    for name in _IDENTIFIERS:
        if what.has(name) and (text := odd.left_out(what.text, name)):
            return text
    return one_line(ivorn.rpartition("#")[2] or ivorn, 120)


def _kind(ivorn: str, role: str, *, is_retraction: bool, has_citations: bool) -> Kind:
    if is_retraction:
        return "retraction"
    name = ivorn.rpartition("#")[2].lower()
    is_data = any(part in name for part in mission_facts().reading.not_detections)
    if is_data or role in ("prediction", "utility"):
        return "other"
    return "update" if has_citations else "initial"


def _area(coordinates: etree._Element, containment: float) -> ErrorEllipse | None:
    """Read Position2D; None without it, a position in it, or an error.

    Raises
    ------
    InvalidInput
        An angle is invalid.
    """
    element = coordinates.find("Position2D")
    if element is None:
        return None
    texts = {
        name: (element.findtext(name) or "").strip() for name in ("Value2/C1", "Value2/C2", "Error2Radius")
    }
    ra, dec, radius = (finite(text, name.rpartition("/")[2]) for name, text in texts.items())
    if radius <= 0.0 or (ra, dec) == (0.0, 0.0):
        return None  # GCN writes zeros if there is no position yet
    if not (0.0 <= ra <= 360.0 and -90.0 <= dec <= 90.0 and radius <= 180.0):
        raise InvalidInput(f"Position2D {ra:g}, {dec:g}, radius {radius:g} deg is impossible")
    return ErrorEllipse(
        ra_deg=ra % 360.0,
        dec_deg=dec,
        semi_major_deg=radius,
        semi_minor_deg=radius,
        containment=containment,
    )


def _significance(what: Parameters, odd: OddValues) -> Significance | None:
    for name in _SIGNIFICANCES:
        if what.has(name) and (value := odd.left_out(what.number, name)):
            return Significance(value=value, unit="SNR")
    far = odd.left_out(what.number, "FAR")
    return None if far is None else Significance(value=far, unit="FAR Hz")
