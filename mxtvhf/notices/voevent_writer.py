"""Write the common parts of a VOEvent 2.0, following the conventions of SVOM's notices."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from lxml import etree

NAMESPACE = "http://www.ivoa.net/xml/VOEvent/v2.0"
SCHEMA_LOCATION = "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation"
FRAME = "UTC-ICRS-GEO"

Param = tuple[str, object, str | None, str]
"""Name, value (omitted if None), unit, UCD."""


def new_event(*, role: str, ivorn: str) -> etree._Element:
    """Create the root element of a VOEvent."""
    root = etree.Element(f"{{{NAMESPACE}}}VOEvent", nsmap={"voe": NAMESPACE})
    root.set(SCHEMA_LOCATION, f"{NAMESPACE} http://www.ivoa.net/xml/VOEvent/VOEvent-v2.0.xsd")
    for name, value in (("role", role), ("version", "2.0"), ("ivorn", ivorn)):
        root.set(name, value)
    return root


def event_bytes(root: etree._Element) -> bytes:
    """Serialise a VOEvent as UTF-8."""
    written: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return written


def add(parent: etree._Element, tag: str, text: str | None = None) -> etree._Element:
    """Add an element."""
    element = etree.SubElement(parent, tag)
    element.text = text
    return element


def add_who(
    root: etree._Element,
    *,
    author_ivorn: str,
    date: datetime | None,
    title: str,
    short_name: str,
    contact_name: str | None = None,
) -> None:
    """Add the author and the date."""
    who = add(root, "Who")
    add(who, "AuthorIVORN", author_ivorn)
    if date is not None:
        add(who, "Date", date.astimezone(UTC).isoformat())
    details = add(who, "Author")
    add(details, "title", title)
    add(details, "shortName", short_name)
    if contact_name is not None:
        add(details, "contactName", contact_name)


def add_group(parent: etree._Element, name: str, params: Iterable[Param]) -> None:
    """Add a group of the parameters that have a value; add no group if none has."""
    given = [param for param in params if param[1] is not None]
    if given:
        group = add(parent, "Group")
        group.set("name", name)
        add_params(group, given)


def add_params(parent: etree._Element, params: Iterable[Param]) -> None:
    """Add the parameters that have a value; times are written in UTC with ``Z``."""
    for name, value, unit, ucd in params:
        if value is None:
            continue
        param = add(parent, "Param")
        param.set("name", name)
        param.set("value", _naive_utc(value) + "Z" if isinstance(value, datetime) else str(value))
        if unit is not None:
            param.set("unit", unit)
        param.set("ucd", ucd)


def add_where_when(root: etree._Element, moment: datetime) -> etree._Element:
    """Add the event time, UTC; return the element to which a position can be added."""
    place = add(add(root, "WhereWhen"), "ObsDataLocation")
    add(place, "ObservatoryLocation").set("id", "GEOLEO")
    observation = add(place, "ObservationLocation")
    add(observation, "AstroCoordSystem").set("id", FRAME)
    coordinates = add(observation, "AstroCoords")
    coordinates.set("coord_system_id", FRAME)
    time = add(coordinates, "Time")
    time.set("unit", "s")
    add(add(time, "TimeInstant"), "ISOTime", _naive_utc(moment))
    return coordinates


def add_position(coordinates: etree._Element, *, ra_deg: float, dec_deg: float, radius_deg: float) -> None:
    """Add a position (ICRS degrees) and its error radius."""
    element = add(coordinates, "Position2D")
    element.set("unit", "deg")
    add(element, "Name1", "RA")
    add(element, "Name2", "Dec")
    values = add(element, "Value2")
    add(values, "C1", str(ra_deg))
    add(values, "C2", str(dec_deg))
    # With 12 decimals of a degree, arcsec with 6 decimals are read back exactly.
    add(element, "Error2Radius", str(round(radius_deg, 12)))


def add_citations(root: etree._Element, citations: Iterable[tuple[str, str]]) -> None:
    """Add the cited events: ivorn and relation (``followup``, ``supersedes``, ``retraction``)."""
    cited = list(citations)
    if cited:
        parent = add(root, "Citations")
        for ivorn, how in cited:
            add(parent, "EventIVORN", ivorn).set("cite", how)


def _naive_utc(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat()
