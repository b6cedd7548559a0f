"""VOEvent bytes to an `Alert`: the only module that reads notices.

The order matters: size, a hardened XML parse (no document type, no entities, no network), whose notice it is,
its VOEvent version, its role, its time and position. Without these it is refused. All else is optional: an
odd value is left out and the alert's ``warnings`` say so.

VOEvent 2.0 (IVOA recommendation of 11 July 2011) and 2.1 (proposed recommendation of 25 February 2026,
https://github.com/ivoa-std/VOEvent, "Changes from VOEvent 2.0") are read. What 2.1 changes in the parts that
we read: another namespace, a time may be an interval, ``Error2Radius`` is optional, each coordinate may have
its own unit, and any coordinate system may be named. A document of 2.0 is compared with the schema that
voevent-parse ships; what breaks it is a warning, because the schema also covers parts that nobody reads. No
schema of 2.1 is final.
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
"""The compiled schema keeps one error log: threads that validate at once would mix up their reasons."""
_ORIGINS = {"eclairs": Origin.ECLAIRS, "mxt": Origin.MXT_ONBOARD, "vt": Origin.VT, "grm": Origin.GRM}
_FULL_TURN_DEG = 360.0
LONGEST_IVORN = 300
"""Characters of the ivorn of a cited event."""
UNKNOWN = "unknown"
"""Instrument or level of a notice that does not give a readable one."""


def read_alert(raw: bytes, *, name: str = "alert") -> Alert:
    """Read a SVOM notice.

    Parameters
    ----------
    raw
        The VOEvent as received: UTF-8 (with or without byte order mark) or UTF-16.
    name
        What error messages call the input, e.g. its path.

    Returns
    -------
    Alert
        Times in UTC (``ISOTime`` has no zone and is UTC by its coordinate system), angles in ICRS degrees. A
        position in FK5 is taken as ICRS: they differ by less than 0.1 arcsec, the last digit of a notice is
        0.36 arcsec. An optional parameter that is absent, empty or a word for "not available" gives None, and
        so does an attitude or a satellite position of which a part is missing. One that is odd gives None and
        a clause in ``warnings``. Parameters without a field in `Alert` are ignored; an unknown packet type is
        read like any other.

    Raises
    ------
    NotOurs
        A VOEvent of another stream than ``ivo://org.svom/fsc``.
    InvalidInput
        Not XML, with a document type or entities, not VOEvent 2.0 or 2.1, or without a readable and possible
        identity, role, time or position. One line that names the input, the field and the value.
    """
    try:
        return _read(raw)
    except InvalidInput as error:
        raise type(error)(f"{name}: {error}") from None


def systematic_r90(origin: Origin, moment: datetime) -> float:
    """Systematic 90 % radius of a published position, arcsec.

    MXT, on board or on ground: 25 arcsec, 35 before August 2025. ECLAIRs: 120 arcsec. Others: 0, nothing is
    published. Sources in ``instrument/constants.toml`` and ``notices/notices.toml``.
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
    """Position as a notice means it, its radius split into a statistical and a systematic part.

    Parameters
    ----------
    origin, label, reference
        As in `Position`.
    ra_deg, dec_deg
        ICRS degrees.
    radius_arcsec
        The published ``Error2Radius``, the total; None when unknown.
    time
        Event time, UTC; decides which systematic was in use.

    Notes
    -----
    ``stat = sqrt(radius^2 - sys^2)`` for MXT and ECLAIRs. That the published radius is the total is inferred,
    not documented, but sharply: with it every public MXT notice falls into the statistical class of its
    quality factor, and the 13 public ECLAIRs notices and 3 circulars looked at all have
    ``stat = 77.0 arcmin / SNR`` within 0.2 %. A total smaller than the systematic cannot hold it: ``stat`` is
    then None, as it is where the radius is a total of unknown parts (VT, others). For GRM it is the radius.
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
    root = _parse(raw)
    ivorn, burst_id, notice_type = _identity(root)
    version, role = _version(root), _role(root)
    odd = OddValues()
    odd.warnings += _schema_errors(root, version)
    what = _parameters(root)
    stated = what.text("Burst_Id")
    if stated is None:
        odd.warnings.append("What has no Burst_Id, it is taken from the ivorn")
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


def _parse(raw: bytes) -> etree._Element:
    """Parse untrusted XML: nothing is fetched, expanded or run."""
    if len(raw) > MAX_ALERT_BYTES:
        raise InvalidInput(f"{len(raw)} bytes, the largest notice accepted has {MAX_ALERT_BYTES}")
    start = raw[:512].removeprefix(b"\xef\xbb\xbf").strip().lower()
    if not start:
        raise InvalidInput("empty, not a VOEvent")
    if start.startswith((b"{", b"[")):
        raise InvalidInput("JSON, not a VOEvent")
    if start.startswith((b"<!doctype html", b"<html")):
        raise InvalidInput("an HTML page, not a VOEvent")
    no_doctype = "a document type (DOCTYPE) is not accepted"
    if b"<!DOCTYPE" in raw:  # before the parser sees its entities; in UTF-16 the check below finds it
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
    """Give ivorn, burst id and notice type; refuse what is no notice of SVOM's French Science Centre."""
    tag = etree.QName(root).localname
    if tag != "VOEvent":
        raise InvalidInput(f"the root element is {shown(tag)}, not VOEvent")
    ivorn = (root.get("ivorn") or "").strip()
    if not ivorn:
        raise InvalidInput("VOEvent without an ivorn")
    if not _STREAM.match(ivorn):
        raise NotOurs(f"a VOEvent of another stream: ivorn {shown(ivorn)} is not ivo://org.svom/fsc#...")
    match = _IVORN.fullmatch(ivorn)
    if match is None:
        raise InvalidInput(f"ivorn {shown(ivorn)} is not ivo://org.svom/fsc#sbYYMMDDnn_<type>")
    return canonical_ivorn(ivorn), match["burst"], match["type"]


def _version(root: etree._Element) -> str:
    """Return the VOEvent version that the namespace names; refuse one that is not read."""
    namespace, stated = etree.QName(root).namespace or "", root.get("version")
    match = _NAMESPACE.fullmatch(namespace)
    if match is None or stated not in (None, *_VERSIONS):
        said = stated if match is not None else namespace
        raise InvalidInput(f"VOEvent version {shown(said or '')} cannot be read; expected 2.0 or 2.1")
    return match[1]


def _role(root: etree._Element) -> str:
    """Return the role, which must be written: the schema's default makes a test an observation."""
    role: str | None = root.get("role")
    if role is None:
        raise InvalidInput("VOEvent without a role (observation, test, ...)")
    if role not in ROLES:
        raise InvalidInput(f"role {shown(role)} is not one of {', '.join(ROLES)}")
    return role


def _schema_errors(root: etree._Element, version: str) -> list[str]:
    """Say how a document breaks the schema of VOEvent 2.0."""
    if version != "2.0":
        return []
    import voeventparse  # 0.8 s: only processes that read a notice pay for it

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
    """Read a parameter that every notice has; a warning says where this one does not."""
    if not what.has(name):
        odd.warnings.append(f"What has no {name}")
        return None
    return odd.left_out(read, name)


def _trigger(what: Parameters, odd: OddValues) -> dict[str, object]:
    """Give what triggered: time window, band, significance, flux."""
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
    """Give what is said about the source."""
    return {
        "within_eclairs_r90": odd.left_out(what.flag, "Within_ECLAIRs_R90"),
        "eclairs_angle_arcmin": odd.left_out(
            what.number, "ECLAIRs_Angle", "arcmin", low=0.0, high=180.0 * 60
        ),
        "source_name": odd.left_out(what.text, "Source_Name"),
        "catalog_id": odd.left_out(what.whole_number, "Onboard_Catalog_Id"),
    }


def _satellite(what: Parameters, odd: OddValues) -> dict[str, object]:
    """Give attitude, place and slew of the satellite."""
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
    """Return a right ascension below 360 deg: one of 360.0000 was rounded up from below."""
    return 0.0 if 0.0 <= ra_deg - _FULL_TURN_DEG < 1e-9 else ra_deg


def _only(parent: etree._Element, path: str) -> etree._Element:
    """Return the one element of this path."""
    found = parent.findall(path)
    if len(found) != 1:
        raise InvalidInput(f"{len(found)} elements {path.rpartition('/')[2]}, expected 1")
    return found[0]


def _coordinates(root: etree._Element) -> etree._Element:
    """Give the one ``AstroCoords`` of the notice, in a frame and a time scale that we read."""
    if root.find("WhereWhen") is None:
        raise InvalidInput("VOEvent without WhereWhen")
    places = root.findall("WhereWhen/ObsDataLocation/ObservationLocation")
    if len(places) != 1:
        raise InvalidInput(f"WhereWhen has {len(places)} observation locations, not 1")
    coordinates = _only(places[0], "AstroCoords")
    systems = [system.get("id") for system in places[0].findall("AstroCoordSystem")]
    for frame in (*systems, coordinates.get("coord_system_id")):
        if not _FRAME.fullmatch(frame or ""):
            raise InvalidInput(f"coordinate system {shown(frame or '')} is not UTC with ICRS or FK5")
    scale = (coordinates.findtext("Time/TimeInstant/TimeScale") or "UTC").strip()
    if scale != "UTC":
        raise InvalidInput(f"TimeScale {shown(scale)} is not UTC")
    return coordinates


def _event_time(root: etree._Element, odd: OddValues) -> datetime:
    time = "Time/TimeInstant/ISOTime"
    coordinates = _coordinates(root)
    if not coordinates.findall(time) and coordinates.findall("Time/TimeInterval/ISOTimeStart"):
        time = "Time/TimeInterval/ISOTimeStart"  # of VOEvent 2.1
        odd.warnings.append("the time of the event is an interval; its start is used")
    if not coordinates.findall(time):
        raise InvalidInput("no ISOTime in WhereWhen")
    field = time.rpartition("/")[2]
    text = (_only(coordinates, time).text or "").strip()
    if not text:
        raise InvalidInput(f"no {field} in WhereWhen")
    return _plausible(utc(text, field), field)


def _plausible(moment: datetime, field: str) -> datetime:
    """Return a moment that can be one of the mission.

    Raises
    ------
    InvalidInput
        It is before the mission's epoch, or farther in the future than any clock is wrong.
    """
    if moment < datetime.fromisoformat(instrument().time.epoch_utc):
        raise InvalidInput(f"{field} {moment.isoformat()} is before the mission's epoch")
    days = notice_facts().times.latest_after_now_days
    if moment > datetime.now(UTC) + timedelta(days=days):
        raise InvalidInput(f"{field} {moment.isoformat()} is more than {days:g} days in the future")
    return moment


def _trigger_time(what: Parameters, event_time: datetime, odd: OddValues) -> datetime | None:
    """Read T0: text that is no date is left out, a date that cannot be refuses the notice.

    The latter says that the clock is wrong by which the notice tells all its times.
    """
    trigger = odd.left_out(what.time, "Alert_Seq_T0")
    if trigger is None:
        return None
    limits = notice_facts().times
    _plausible(trigger, "Alert_Seq_T0")
    after_days = (trigger - event_time) / timedelta(days=1)
    if not -limits.t0_earliest_before_event_days <= after_days <= limits.t0_latest_after_event_days:
        apart = f"{abs(after_days):.0f} days {'after' if after_days > 0 else 'before'} the ISOTime"
        raise InvalidInput(f"Alert_Seq_T0 {trigger.isoformat()} is {apart} {event_time.isoformat()}")
    return trigger


def _published(root: etree._Element, event_time: datetime) -> datetime | None:
    """Read when the notice was written, which is not before what it tells."""
    text = (root.findtext("Who/Date") or "").strip()
    if not text:
        return None
    moment = _plausible(utc(text, "Date"), "Date")
    if moment < event_time - timedelta(days=notice_facts().times.t0_latest_after_event_days):
        raise InvalidInput(f"Date {moment.isoformat()} is before the ISOTime {event_time.isoformat()}")
    return moment


def _position(
    root: etree._Element, origin: Origin, odd: OddValues, *, label: str, time: datetime, reference: str
) -> Position | None:
    """Read Position2D; None without one."""
    coordinates = _coordinates(root)
    if coordinates.find("Position3D") is not None:
        raise InvalidInput("Position3D cannot be read; expected Position2D")
    if coordinates.find("Position2D") is None:
        return None
    element = _only(coordinates, "Position2D")
    axes = [(element.findtext(axis) or "").strip() for axis in ("Name1", "Name2")]
    if [axis.lower() for axis in axes] not in (["ra", "dec"], ["", ""]):
        raise InvalidInput(f"Position2D has the axes {shown(', '.join(axes))}, not RA, Dec")
    ra = _wrapped(_degrees(element, "Value2/C1"))
    dec = _degrees(element, "Value2/C2")
    if not 0 <= ra < _FULL_TURN_DEG:
        raise InvalidInput(f"C1 (right ascension) {ra:g} deg is not within 0 to 360")
    if not -90 <= dec <= 90:
        raise InvalidInput(f"C2 (declination) {dec:g} deg is not within -90 to 90")
    if element.find("Error2Radius") is None:
        odd.warnings.append("Position2D has no Error2Radius, its error radius is unknown")
        radius = None
    else:
        radius = odd.left_out(_radius_arcsec, element, origin)
    return notice_position(
        origin, label, ra_deg=ra, dec_deg=dec, radius_arcsec=radius, time=time, reference=reference
    )


def _degrees(position: etree._Element, path: str) -> float:
    """Read an angle of a Position2D in degrees; in VOEvent 2.1 it may have a unit of its own."""
    element, field = _only(position, path), path.rpartition("/")[2]
    own = element.get("pos_unit")
    unit = (own if own is not None else position.get("unit") or "").strip()
    scale = factor(unit, "deg", "Position2D" if own is None else field)
    return finite((element.text or "").strip(), field) * scale


def _radius_arcsec(position: etree._Element, origin: Origin) -> float | None:
    """Give Error2Radius in arcsec, rounded to 1e-6 so that arcsec written as degrees come back unchanged.

    None where the instrument gives no radius: GRM writes -1; VT's, below 1 arcsec, may round to 0 in the four
    decimals of a degree.
    """
    radius_deg = _degrees(position, "Error2Radius")
    if (origin is Origin.GRM and radius_deg == -1) or (origin is Origin.VT and radius_deg == 0):
        return None
    if not 0 < radius_deg <= notice_facts().largest_radius_deg[origin]:
        raise InvalidInput(f"Error2Radius {radius_deg:g} deg is impossible for a position of {origin}")
    return round(radius_deg * 3600, 6)


def _citations(root: etree._Element, odd: OddValues) -> tuple[Citation, ...]:
    """Give the cited events that can be read."""
    found = (odd.left_out(_citation, event) for event in root.iterfind("Citations/EventIVORN"))
    return tuple(citation for citation in found if citation is not None)


def _citation(event: etree._Element) -> Citation:
    """Read a cited event; one without a ``cite`` attribute, which the schema allows, is a follow-up."""
    ivorn, cite = (event.text or "").strip(), event.get("cite", "followup")
    if not ivorn or len(ivorn) > LONGEST_IVORN or not ivorn.isprintable():
        raise InvalidInput(f"EventIVORN {shown(ivorn)} is not an ivorn")
    if cite not in CITES:
        raise InvalidInput(f"EventIVORN {shown(ivorn)} is cited as {shown(cite)}, not {', '.join(CITES)}")
    return Citation(ivorn=canonical_ivorn(ivorn), cite=cite)
