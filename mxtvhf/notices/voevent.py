"""Convert a VOEvent to an `Alert`; the only module that reads notices.

A notice is checked in this order: size, hardened XML parse (no document type, no entities, no network),
stream, VOEvent version, role, time and position. A notice that fails one of these checks is rejected.
Everything else is optional: an invalid value is ignored, with an entry in the alert's ``warnings``.

VOEvent 2.0 (IVOA recommendation of 11 July 2011) and 2.1 (proposed recommendation of 25 February 2026,
https://github.com/ivoa-std/VOEvent, "Changes from VOEvent 2.0") are read. In the parts that we read, 2.1 has
these changes: the namespace differs, a time may be an interval, ``Error2Radius`` is optional, each coordinate
may have its own unit, and any coordinate system may be named. A document of version 2.0 is validated against
the schema that voevent-parse ships; violations are warnings, because the schema also covers parts that we do
not read. There is no final schema of 2.1.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import sqrt
from threading import Lock
from typing import TypeVar

from lxml import etree
from pydantic import ValidationError

from mxtvhf.archive.inputs import MAX_ALERT_BYTES
from mxtvhf.errors import InvalidInput, NotOurs
from mxtvhf.instrument.constants import instrument
from mxtvhf.models.ids import canonical_ivorn
from mxtvhf.models.position import Origin, Position
from mxtvhf.models.text import one_line
from mxtvhf.notices.alert import CITES, ROLES, Alert, Attitude, Citation, SatellitePosition
from mxtvhf.notices.constants import notice_facts
from mxtvhf.notices.parameters import OddValues, Parameters, factor, finite, shown, utc

_T = TypeVar("_T")

_STREAM = re.compile(r"ivo://org\.svom/fsc#", re.IGNORECASE)
_IVORN = re.compile(
    r"(?i:ivo://org\.svom/fsc)#(?P<burst>sb[0-9]{8})_(?=.{1,64}$)(?P<type>[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*)"
)
_NAMESPACE = re.compile(r"http://www\.ivoa\.net/xml/VOEvent/v(2\.[01])")
_VERSIONS = ("2.0", "2.1")
_FRAME = re.compile(r"UTC-(ICRS|FK5)-(GEO|TOPO)")
_SCHEMA_LOCK = Lock()
"""Lock for the compiled schema, whose single error log threads must not share."""
_ORIGINS = {"eclairs": Origin.ECLAIRS, "mxt": Origin.MXT_ONBOARD, "vt": Origin.VT, "grm": Origin.GRM}
_FULL_TURN_DEG = 360.0
LONGEST_IVORN = 300
"""Largest number of characters of the ivorn of a cited event."""
UNKNOWN = "unknown"
"""Instrument or level of a notice that gives none or an unreadable one."""


def read_alert(raw: bytes, *, name: str = "alert") -> Alert:
    """Read a SVOM notice.

    Parameters
    ----------
    raw
        The VOEvent as received: UTF-8 (with or without byte order mark) or UTF-16.
    name
        Name of the input in error messages, e.g. its path.

    Returns
    -------
    Alert
        Times in UTC (``ISOTime`` has no zone and is UTC by its coordinate system), angles in ICRS degrees. A
        position in FK5 is used as ICRS: they differ by less than 0.1 arcsec, while the last digit of a notice
        is 0.36 arcsec. An optional parameter that is absent, empty or a word for "not available" gives None,
        and so does an incomplete attitude or satellite position. An invalid one gives None and a clause in
        ``warnings``. Parameters without a field in `Alert` are ignored; an unknown packet type is read like
        any other.

    Raises
    ------
    NotOurs
        The VOEvent belongs to another stream than ``ivo://org.svom/fsc``.
    InvalidInput
        The input is not XML, has a document type or entities, is not VOEvent 2.0 or 2.1, or lacks a valid
        identity, role, time or position. The message is one line that names the input, the field and the
        value.
    """
    try:
        return _read(raw)
    except InvalidInput as error:
        raise type(error)(f"{name}: {error}") from None


def systematic_r90(origin: Origin, moment: datetime) -> float:
    """Return the systematic 90 % radius of a published position, arcsec.

    MXT, on board or on ground: 25 arcsec, 35 before August 2025. ECLAIRs: 120 arcsec. Others: 0, since none
    is published. The sources are in ``instrument/constants.toml`` and ``notices/notices.toml``.
    """
    if origin in (Origin.MXT_ONBOARD, Origin.GP):
        published = notice_facts().mxt_systematic
        older = moment < published.older_until
        return published.older_r90_arcsec if older else published.r90_arcsec
    return instrument().eclairs.systematic_r90_arcsec if origin is Origin.ECLAIRS else 0.0


def notice_position(
    origin: Origin,
    label: str,
    *,
    ra_deg: float,
    dec_deg: float,
    radius_arcsec: float | None,
    time: datetime,
    reference: str | None = None,
) -> Position:
    """Return the position of a notice, with its radius split into statistical and systematic error.

    Parameters
    ----------
    origin, label
        Same as in `Position`.
    ra_deg, dec_deg
        ICRS degrees.
    radius_arcsec
        The published ``Error2Radius``, which is the total error; None if unknown.
    time
        Event time, UTC; selects the systematic error that was in use.
    reference
        Same as in `Position`.

    Notes
    -----
    ``stat = sqrt(radius^2 - sys^2)`` for MXT and ECLAIRs. That the published radius is the total error is not
    documented, but well supported: with this assumption every public MXT notice falls into the statistical
    class of its quality factor, and 13 public ECLAIRs notices and 3 circulars all have ``stat = 77.0 arcmin /
    SNR`` within 0.2 %. If the total is smaller than the systematic error, ``stat`` is None, and also if the
    composition of the total is unknown (VT, others). For GRM ``stat`` is the radius.
    """
    systematic = systematic_r90(origin, time)
    known_parts = systematic > 0 or origin is Origin.GRM
    return Position(
        origin=origin,
        label=label,
        ra_deg=ra_deg,
        dec_deg=dec_deg,
        r90_stat_arcsec=_without(systematic, radius_arcsec) if known_parts else None,
        r90_sys_arcsec=systematic,
        r90_arcsec=radius_arcsec,
        time=time,
        reference=reference,
    )


def _without(systematic: float, total: float | None) -> float | None:
    return None if total is None or total < systematic else sqrt(total**2 - systematic**2)


def _read(raw: bytes) -> Alert:
    root = parse_xml(raw)
    ivorn, burst_id, notice_type = _identity(root)
    version, role = _version(root), _role(root)
    odd = OddValues()
    odd.warnings += _schema_errors(root, version)
    what = _parameters(root)
    stated = what.text("Burst_Id")
    if stated is None:
        odd.warnings.append("Burst_Id is missing in What; taken from the ivorn")
    elif stated != burst_id:
        raise InvalidInput(f"Burst_Id {shown(stated)} is not that of the ivorn {shown(ivorn)}")
    instrument_name = _expected(what.text, "Instrument", what, odd) or UNKNOWN
    event_time = _event_time(root, odd)
    fields = {
        "ivorn": ivorn,
        "burst_id": burst_id,
        "notice_type": notice_type,
        "packet_type": _expected(what.whole_number, "Packet_Type", what, odd),
        "notice_level": _expected(what.text, "Notice_Level", what, odd) or UNKNOWN,
        "instrument": instrument_name,
        "role": role,
        "published": odd.left_out(_published, root, event_time),
        "event_time": event_time,
        "trigger_time": _trigger_time(what, event_time, odd),
        "position": _position(
            root,
            _ORIGINS.get(instrument_name.lower(), Origin.OTHER),
            odd,
            label=notice_type,
            time=event_time,
            reference=ivorn,
        ),
        "citations": _citations(root, odd),
        **_trigger(what, odd),
        **_target(what, odd),
        **_satellite(what, odd),
    }
    try:
        return Alert.model_validate({**fields, "warnings": tuple(dict.fromkeys(odd.warnings))})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(f"{where} {shown(str(first['input']))}: {first['msg']}") from None


def parse_xml(raw: bytes) -> etree._Element:
    """Parse untrusted XML; nothing is fetched, expanded or executed.

    Parameters
    ----------
    raw
        The document as received.

    Returns
    -------
    lxml.etree._Element
        The root element, without comments and processing instructions.

    Raises
    ------
    InvalidInput
        The document is too large, not XML, or has a document type.
    """
    if len(raw) > MAX_ALERT_BYTES:
        raise InvalidInput(f"{len(raw)} bytes is too large; expected at most {MAX_ALERT_BYTES}")
    start = raw[:512].removeprefix(b"\xef\xbb\xbf").strip().lower()
    if not start:
        raise InvalidInput("empty file; expected a VOEvent")
    if start.startswith((b"{", b"[")):
        raise InvalidInput("JSON document; expected a VOEvent")
    if start.startswith((b"<!doctype html", b"<html")):
        raise InvalidInput("HTML page; expected a VOEvent")
    no_doctype = "the XML has a document type (DOCTYPE); expected a VOEvent without one"
    if b"<!DOCTYPE" in raw:  # checked before the parser sees the entities; in UTF-16 the check below finds it
        raise InvalidInput(no_doctype)
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(raw, parser)
    except etree.XMLSyntaxError as error:
        raise InvalidInput(f"not well-formed XML: {one_line(error.msg, 200)}") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise InvalidInput(no_doctype)
    return root


def _identity(root: etree._Element) -> tuple[str, str, str]:
    """Return ivorn, burst id and notice type; reject notices not from SVOM's French Science Centre."""
    tag = etree.QName(root).localname
    if tag != "VOEvent":
        raise InvalidInput(f"the root element is {shown(tag)}; expected VOEvent")
    ivorn = (root.get("ivorn") or "").strip()
    if not ivorn:
        raise InvalidInput("the VOEvent has no ivorn; expected ivo://org.svom/fsc#...")
    if not _STREAM.match(ivorn):
        raise NotOurs(f"VOEvent of another stream: ivorn {shown(ivorn)}; expected ivo://org.svom/fsc#...")
    match = _IVORN.fullmatch(ivorn)
    if match is None:
        raise InvalidInput(f"ivorn {shown(ivorn)} is invalid; expected ivo://org.svom/fsc#sbYYMMDDnn_<type>")
    return canonical_ivorn(ivorn), match["burst"], match["type"]


def _version(root: etree._Element) -> str:
    """Return the VOEvent version given by the namespace; reject an unsupported one."""
    namespace, stated = etree.QName(root).namespace or "", root.get("version")
    match = _NAMESPACE.fullmatch(namespace)
    if match is None or stated not in (None, *_VERSIONS):
        said = stated if match is not None else namespace
        raise InvalidInput(f"VOEvent version {shown(said or '')} is not supported; expected 2.0 or 2.1")
    return match[1]


def _role(root: etree._Element) -> str:
    """Return the role, which must be explicit: the schema's default would make a test an observation."""
    role: str | None = root.get("role")
    if role is None:
        raise InvalidInput("the VOEvent has no role; expected observation, test, ...")
    if role not in ROLES:
        raise InvalidInput(f"role {shown(role)} is invalid; expected one of {', '.join(ROLES)}")
    return role


def _schema_errors(root: etree._Element, version: str) -> list[str]:
    """Return how a document violates the schema of VOEvent 2.0."""
    if version != "2.0":
        return []
    import voeventparse  # the import takes 0.8 s, so only processes that read a notice do it

    with _SCHEMA_LOCK:
        voeventparse.voevent_v2_0_schema.validate(root)
        errors = [error.message for error in voeventparse.voevent_v2_0_schema.error_log]
    if not errors:
        return []
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return [f"not valid VOEvent 2.0: {one_line(errors[0], 200).rstrip('.')}{more}"]


def _parameters(root: etree._Element) -> Parameters:
    """Read the parameters of What, whatever their group."""
    params = (*root.iterfind("What/Param"), *root.iterfind("What/Group/Param"))
    return Parameters((dict(param.attrib) for param in params), notice_facts().older_names)


def _expected(read: Callable[[str], _T | None], name: str, what: Parameters, odd: OddValues) -> _T | None:
    """Read a parameter that every notice should have; add a warning if it is missing."""
    if not what.has(name):
        odd.warnings.append(f"{name} is missing in What")
        return None
    return odd.left_out(read, name)


def _trigger(what: Parameters, odd: OddValues) -> dict[str, object]:
    """Return the trigger fields: time window, energy band, significance, flux."""
    snr = odd.left_out(what.number, "SNR", low=0.0)
    flux, kind = odd.left_out(what.number, "Mean_Flux"), odd.left_out(what.text, "Trigger_Type")
    largest_flux = notice_facts().flux.largest_credible_erg_cm2_s
    return {
        "time_window": odd.left_out(_time_window, what),
        "energy_band_kev": odd.left_out(_energy_band, what),
        "timescale_s": odd.left_out(what.number, "Timescale", "s", low=0.0),
        "snr": snr,
        "snr_saturated": snr is not None and snr >= instrument().snr_radius.snr_saturation,
        "trigger_type": kind and notice_facts().trigger_words.get(kind, kind),
        "triggered_grds": odd.left_out(what.text, "Triggered_GRDs"),
        "mean_flux": flux,
        "flux_error": odd.left_out(what.number, "Flux_Error", low=0.0),
        "flux_credible": flux is None
        or (0 <= flux <= largest_flux and what.unit("Mean_Flux").startswith("erg")),
    }


def _time_window(what: Parameters) -> tuple[datetime, datetime] | None:
    start, end = what.time("Time_Window_Start"), what.time("Time_Window_End")
    if start is None or end is None:
        return None
    if end < start:
        raise InvalidInput(
            f"Time_Window_End {end.isoformat()} is before Time_Window_Start {start.isoformat()}"
        )
    return _plausible(start, "Time_Window_Start"), _plausible(end, "Time_Window_End")


def _energy_band(what: Parameters) -> tuple[float, float] | None:
    low = what.number("Lower_Energy_Bound", "keV", low=0.0)
    high = what.number("Upper_Energy_Bound", "keV", low=0.0)
    if low is None or high is None:
        return None
    if high < low:
        raise InvalidInput(f"Upper_Energy_Bound {high:g} keV is below Lower_Energy_Bound {low:g} keV")
    return low, high


def _target(what: Parameters, odd: OddValues) -> dict[str, object]:
    """Return the fields that describe the source."""
    return {
        "within_eclairs_r90": odd.left_out(what.flag, "Within_ECLAIRs_R90"),
        "eclairs_angle_arcmin": odd.left_out(
            what.number, "ECLAIRs_Angle", "arcmin", low=0.0, high=180.0 * 60
        ),
        "source_name": odd.left_out(what.text, "Source_Name"),
        "catalog_id": odd.left_out(what.whole_number, "Onboard_Catalog_Id"),
    }


def _satellite(what: Parameters, odd: OddValues) -> dict[str, object]:
    """Return attitude, position and slew of the satellite."""
    slew = odd.left_out(what.text, "Slew_Status")
    return {
        "attitude": odd.left_out(_attitude, what),
        "satellite": odd.left_out(_satellite_position, what),
        "slew_status": slew and slew.replace("_", "-"),
        "use_vt_attitude": odd.left_out(what.flag, "Use_VT_Attitude"),
    }


def _attitude(what: Parameters) -> Attitude | None:
    ra = what.number("Attitude_Ra", "deg", low=0.0, high=_FULL_TURN_DEG)
    dec = what.number("Attitude_Dec", "deg", low=-90.0, high=90.0)
    roll = what.number("Attitude_Roll", "deg", low=-_FULL_TURN_DEG, high=_FULL_TURN_DEG)
    if ra is None or dec is None or roll is None:
        return None
    return Attitude(ra_deg=_wrapped(ra), dec_deg=dec, roll_deg=roll)


def _satellite_position(what: Parameters) -> SatellitePosition | None:
    longitude = what.number("Sat_Longitude", "deg", low=-180.0, high=_FULL_TURN_DEG)
    latitude = what.number("Sat_Latitude", "deg", low=-90.0, high=90.0)
    altitude = what.number("Sat_Altitude", "km", low=0.0)
    if longitude is None or latitude is None or altitude is None:
        return None
    return SatellitePosition(longitude_deg=longitude, latitude_deg=latitude, altitude_km=altitude)


def _wrapped(ra_deg: float) -> float:
    """Return a right ascension below 360 deg; 360.0000 was rounded up and becomes 0."""
    return 0.0 if 0.0 <= ra_deg - _FULL_TURN_DEG < 1e-9 else ra_deg


def _only(parent: etree._Element, path: str) -> etree._Element:
    """Return the only element at this path."""
    found = parent.findall(path)
    if len(found) != 1:
        raise InvalidInput(f"{len(found)} elements {path.rpartition('/')[2]}; expected 1")
    return found[0]


def _coordinates(root: etree._Element) -> etree._Element:
    """Return the only ``AstroCoords`` of the notice, in a supported frame and time scale."""
    if root.find("WhereWhen") is None:
        raise InvalidInput("the VOEvent has no WhereWhen; expected the time and position of the event")
    places = root.findall("WhereWhen/ObsDataLocation/ObservationLocation")
    if len(places) != 1:
        raise InvalidInput(f"WhereWhen has {len(places)} observation locations; expected 1")
    coordinates = _only(places[0], "AstroCoords")
    systems = [system.get("id") for system in places[0].findall("AstroCoordSystem")]
    for frame in (*systems, coordinates.get("coord_system_id")):
        if not _FRAME.fullmatch(frame or ""):
            raise InvalidInput(
                f"coordinate system {shown(frame or '')} is not supported; expected UTC with ICRS or FK5"
            )
    scale = (coordinates.findtext("Time/TimeInstant/TimeScale") or "UTC").strip()
    if scale != "UTC":
        raise InvalidInput(f"TimeScale {shown(scale)} is not supported; expected UTC")
    return coordinates


def _event_time(root: etree._Element, odd: OddValues) -> datetime:
    time = "Time/TimeInstant/ISOTime"
    coordinates = _coordinates(root)
    if not coordinates.findall(time) and coordinates.findall("Time/TimeInterval/ISOTimeStart"):
        time = "Time/TimeInterval/ISOTimeStart"  # VOEvent 2.1
        odd.warnings.append("the event time is an interval; its start is used")
    if not coordinates.findall(time):
        raise InvalidInput("ISOTime is missing in WhereWhen; expected the event time in UTC")
    field = time.rpartition("/")[2]
    text = (_only(coordinates, time).text or "").strip()
    if not text:
        raise InvalidInput(f"{field} is empty in WhereWhen; expected the event time in UTC")
    return _plausible(utc(text, field), field)


def _plausible(moment: datetime, field: str) -> datetime:
    """Return a time after checking that it can belong to the mission.

    Raises
    ------
    InvalidInput
        The time is before the mission's epoch, or too far in the future for a clock error.
    """
    if moment < datetime.fromisoformat(instrument().time.epoch_utc):
        raise InvalidInput(
            f"{field} {moment.isoformat()} is before the mission's epoch; "
            f"expected {instrument().time.epoch_utc} or later"
        )
    days = notice_facts().times.latest_after_now_days
    if moment > datetime.now(UTC) + timedelta(days=days):
        raise InvalidInput(
            f"{field} {moment.isoformat()} is more than {days:g} days in the future; "
            "check the clock of this host"
        )
    return moment


def _trigger_time(what: Parameters, event_time: datetime, odd: OddValues) -> datetime | None:
    """Read T0: ignore text that is not a date, but reject the notice if the date is impossible.

    An impossible date means that the clock behind all times of the notice is wrong.
    """
    trigger = odd.left_out(what.time, "Alert_Seq_T0")
    if trigger is None:
        return None
    limits = notice_facts().times
    _plausible(trigger, "Alert_Seq_T0")
    after_days = (trigger - event_time) / timedelta(days=1)
    if not -limits.t0_earliest_before_event_days <= after_days <= limits.t0_latest_after_event_days:
        apart = f"{abs(after_days):.0f} days {'after' if after_days > 0 else 'before'} the ISOTime"
        raise InvalidInput(
            f"Alert_Seq_T0 {trigger.isoformat()} is {apart} {event_time.isoformat()}; "
            "expected times of one event"
        )
    return trigger


def _published(root: etree._Element, event_time: datetime) -> datetime | None:
    """Read the publication time, which must not precede the event."""
    text = (root.findtext("Who/Date") or "").strip()
    if not text:
        return None
    moment = _plausible(utc(text, "Date"), "Date")
    if moment < event_time - timedelta(days=notice_facts().times.t0_latest_after_event_days):
        raise InvalidInput(
            f"Date {moment.isoformat()} is before the ISOTime {event_time.isoformat()}; expected a later time"
        )
    return moment


def _position(
    root: etree._Element, origin: Origin, odd: OddValues, *, label: str, time: datetime, reference: str
) -> Position | None:
    """Read Position2D; return None if there is none."""
    coordinates = _coordinates(root)
    if coordinates.find("Position3D") is not None:
        raise InvalidInput("Position3D is not supported; expected Position2D")
    if coordinates.find("Position2D") is None:
        return None
    element = _only(coordinates, "Position2D")
    axes = [(element.findtext(axis) or "").strip() for axis in ("Name1", "Name2")]
    if [axis.lower() for axis in axes] not in (["ra", "dec"], ["", ""]):
        raise InvalidInput(f"Position2D has the axes {shown(', '.join(axes))}; expected RA, Dec")
    ra = _wrapped(_degrees(element, "Value2/C1"))
    dec = _degrees(element, "Value2/C2")
    if not 0 <= ra < _FULL_TURN_DEG:
        raise InvalidInput(f"C1 (right ascension) {ra:g} deg is invalid; expected 0 to 360")
    if not -90 <= dec <= 90:
        raise InvalidInput(f"C2 (declination) {dec:g} deg is invalid; expected -90 to 90")
    if element.find("Error2Radius") is None:
        odd.warnings.append("Position2D has no Error2Radius; the error radius is unknown")
        radius = None
    else:
        radius = odd.left_out(_radius_arcsec, element, origin)
    return notice_position(
        origin, label, ra_deg=ra, dec_deg=dec, radius_arcsec=radius, time=time, reference=reference
    )


def _degrees(position: etree._Element, path: str) -> float:
    """Read an angle of a Position2D in degrees; in VOEvent 2.1 each angle may have its own unit."""
    element, field = _only(position, path), path.rpartition("/")[2]
    own = element.get("pos_unit")
    unit = (own if own is not None else position.get("unit") or "").strip()
    scale = factor(unit, "deg", "Position2D" if own is None else field)
    return finite((element.text or "").strip(), field) * scale


def _radius_arcsec(position: etree._Element, origin: Origin) -> float | None:
    """Return Error2Radius in arcsec, rounded to 1e-6 so that conversion to degrees and back is exact.

    The result is None if the instrument gives no radius: GRM writes -1, and VT's radius, below 1 arcsec, may
    round to 0 in four decimals of a degree.
    """
    radius_deg = _degrees(position, "Error2Radius")
    if (origin is Origin.GRM and radius_deg == -1) or (origin is Origin.VT and radius_deg == 0):
        return None
    if not 0 < radius_deg <= notice_facts().largest_radius_deg[origin]:
        raise InvalidInput(
            f"Error2Radius {radius_deg:g} deg is impossible for a position of {origin}; "
            f"expected above 0 and at most {notice_facts().largest_radius_deg[origin]:g} deg"
        )
    return round(radius_deg * 3600, 6)


def _citations(root: etree._Element, odd: OddValues) -> tuple[Citation, ...]:
    """Return the valid citations."""
    found = (odd.left_out(_citation, event) for event in root.iterfind("Citations/EventIVORN"))
    return tuple(citation for citation in found if citation is not None)


def _citation(event: etree._Element) -> Citation:
    """Read a citation; without a ``cite`` attribute, which the schema allows, it is a follow-up."""
    ivorn, cite = (event.text or "").strip(), event.get("cite", "followup")
    if not ivorn or len(ivorn) > LONGEST_IVORN or not ivorn.isprintable():
        raise InvalidInput(
            f"EventIVORN {shown(ivorn)} is invalid; expected at most {LONGEST_IVORN} printable characters"
        )
    if cite not in CITES:
        raise InvalidInput(
            f"EventIVORN {shown(ivorn)} is cited as {shown(cite)}; expected {', '.join(CITES)}"
        )
    return Citation(ivorn=canonical_ivorn(ivorn), cite=cite)
