"""VOEvent bytes to an `Alert`: the only module that reads notices, and the only one that uses voevent-parse.

The order matters: size, a hardened XML parse (no document type, no entities, no network), whose notice it is,
the VOEvent 2.0 schema, and only then voevent-parse, which gets the cleaned document and never the raw bytes.
"""

from __future__ import annotations

import re
from datetime import datetime
from math import sqrt
from threading import Lock

from lxml import etree
from pydantic import ValidationError

from mxtvhf.archive.inputs import MAX_ALERT_BYTES
from mxtvhf.errors import InvalidInput, NotOurs
from mxtvhf.instrument.constants import instrument
from mxtvhf.models.position import Origin, Position
from mxtvhf.models.text import one_line
from mxtvhf.notices.alert import Alert, Attitude, Citation, SatellitePosition
from mxtvhf.notices.constants import notice_facts
from mxtvhf.notices.parameters import Parameters, factor, finite, shown, utc

_STREAM = re.compile(r"ivo://org\.svom/fsc#", re.IGNORECASE)
_IVORN = re.compile(
    r"(?i:ivo://org\.svom/fsc)#(?P<burst>sb[0-9]{8})_(?=.{1,64}$)(?P<type>[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*)"
)
_FRAME = re.compile(r"UTC-(ICRS|FK5)-(GEO|TOPO)")
_SCHEMA_LOCK = Lock()
"""The compiled schema keeps one error log: threads that validate at once would mix up their reasons."""
_ORIGINS = {"eclairs": Origin.ECLAIRS, "mxt": Origin.MXT_ONBOARD, "vt": Origin.VT, "grm": Origin.GRM}


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
        so does an attitude or a satellite position of which a part is missing. Parameters without a field in
        `Alert` are ignored; an unknown packet type is read like any other.

    Raises
    ------
    NotOurs
        A VOEvent of another stream than ``ivo://org.svom/fsc``.
    InvalidInput
        Not XML, with a document type or entities, not valid VOEvent 2.0, without a role, or with an
        impossible value. One line that names the input, the field and the value.
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
    _check_schema(root)
    what = _parameters(root)
    stated = what.needed("Burst_Id")
    if stated != burst_id:
        raise InvalidInput(f"Burst_Id {shown(stated)} is not that of the ivorn {shown(ivorn)}")
    instrument_name = what.needed("Instrument")
    what.needed("Packet_Type")
    event_time = _event_time(root)
    date = (root.findtext("Who/Date") or "").strip()
    fields = {
        "ivorn": ivorn,
        "burst_id": burst_id,
        "notice_type": notice_type,
        "packet_type": what.whole_number("Packet_Type"),
        "notice_level": what.needed("Notice_Level"),
        "instrument": instrument_name,
        "role": root.get("role"),
        "published": utc(date, "Date") if date else None,
        "event_time": event_time,
        "position": _position(
            root,
            _ORIGINS.get(instrument_name.lower(), Origin.OTHER),
            label=notice_type,
            time=event_time,
            reference=ivorn,
        ),
        "citations": _citations(root),
        **_trigger(what),
        **_target(what),
        **_satellite(what),
    }
    try:
        return Alert.model_validate(fields)
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
    return ivorn, match["burst"], match["type"]


def _check_schema(root: etree._Element) -> None:
    """Check the VOEvent 2.0 schema, and that a role is written: its default makes a test an observation."""
    import voeventparse  # 0.8 s: only processes that read a notice pay for it

    try:
        with _SCHEMA_LOCK:
            voeventparse.voevent_v2_0_schema.assertValid(root)
    except etree.DocumentInvalid as error:
        raise InvalidInput(f"not valid VOEvent 2.0: {one_line(error, 200)}") from None
    if root.get("role") is None:
        raise InvalidInput("VOEvent without a role (observation, test, ...)")
    for part in ("What", "WhereWhen"):
        if root.find(part) is None:
            raise InvalidInput(f"VOEvent without {part}")


def _parameters(root: etree._Element) -> Parameters:
    """Read What by voevent-parse, from the document written anew: it takes no parser of ours."""
    import voeventparse

    voevent = voeventparse.loads(etree.tostring(root, encoding="UTF-8"))
    groups = [
        voeventparse.get_toplevel_params(voevent),
        *voeventparse.get_grouped_params(voevent).allvalues(),
    ]
    params = (dict(attributes) for group in groups for attributes in group.allvalues())
    return Parameters(params, notice_facts().older_names)


def _trigger(what: Parameters) -> dict[str, object]:
    """Give what triggered: times, band, significance, flux."""
    window = what.time("Time_Window_Start"), what.time("Time_Window_End")
    band = what.number("Lower_Energy_Bound", "keV"), what.number("Upper_Energy_Bound", "keV")
    snr, flux, kind = what.number("SNR"), what.number("Mean_Flux"), what.text("Trigger_Type")
    largest_flux = notice_facts().flux.largest_credible_erg_cm2_s
    return {
        "trigger_time": what.time("Alert_Seq_T0"),
        "time_window": None if None in window else window,
        "energy_band_kev": None if None in band else band,
        "timescale_s": what.number("Timescale", "s"),
        "snr": snr,
        "snr_saturated": snr is not None and snr >= instrument().snr_radius.snr_saturation,
        "trigger_type": kind and notice_facts().trigger_words.get(kind, kind),
        "triggered_grds": what.text("Triggered_GRDs"),
        "mean_flux": flux,
        "flux_error": what.number("Flux_Error"),
        "flux_credible": flux is None
        or (0 <= flux <= largest_flux and what.unit("Mean_Flux").startswith("erg")),
    }


def _target(what: Parameters) -> dict[str, object]:
    """Give what is said about the source."""
    return {
        "within_eclairs_r90": what.flag("Within_ECLAIRs_R90"),
        "eclairs_angle_arcmin": what.number("ECLAIRs_Angle", "arcmin"),
        "source_name": what.text("Source_Name"),
        "catalog_id": what.whole_number("Onboard_Catalog_Id"),
    }


def _satellite(what: Parameters) -> dict[str, object]:
    """Give attitude (RA 360.00 is rounded up from below: 0), place and slew of the satellite."""
    ra = what.number("Attitude_Ra", "deg")
    attitude = (
        0.0 if ra == 360 else ra,
        what.number("Attitude_Dec", "deg"),
        what.number("Attitude_Roll", "deg"),
    )
    place = (
        what.number("Sat_Longitude", "deg"),
        what.number("Sat_Latitude", "deg"),
        what.number("Sat_Altitude", "km"),
    )
    slew = what.text("Slew_Status")
    return {
        "attitude": None if None in attitude else dict(zip(Attitude.model_fields, attitude, strict=True)),
        "satellite": None if None in place else dict(zip(SatellitePosition.model_fields, place, strict=True)),
        "slew_status": slew and slew.replace("_", "-"),
        "use_vt_attitude": what.flag("Use_VT_Attitude"),
    }


def _coordinates(root: etree._Element) -> etree._Element:
    """Give the one ``AstroCoords`` of the notice, in a frame and a time scale that we read."""
    places = root.findall("WhereWhen/ObsDataLocation/ObservationLocation")
    if len(places) != 1:
        raise InvalidInput(f"WhereWhen has {len(places)} observation locations, not 1")
    coordinates = places[0].find("AstroCoords")
    for frame in (places[0].find("AstroCoordSystem").get("id"), coordinates.get("coord_system_id")):
        if not _FRAME.fullmatch(frame or ""):
            raise InvalidInput(f"coordinate system {shown(frame or '')} is not UTC with ICRS or FK5")
    return coordinates


def _event_time(root: etree._Element) -> datetime:
    text = (_coordinates(root).findtext("Time/TimeInstant/ISOTime") or "").strip()
    if not text:
        raise InvalidInput("no ISOTime in WhereWhen")
    moment = utc(text, "ISOTime")
    if moment < datetime.fromisoformat(instrument().time.epoch_utc):
        raise InvalidInput(f"ISOTime {shown(text)} is before the mission's epoch")
    return moment


def _position(
    root: etree._Element, origin: Origin, *, label: str, time: datetime, reference: str
) -> Position | None:
    """Read Position2D; None without one."""
    element = _coordinates(root).find("Position2D")
    if element is None:
        return None
    axes = [(element.findtext(axis) or "").strip() for axis in ("Name1", "Name2")]
    if [axis.lower() for axis in axes] not in (["ra", "dec"], ["", ""]):
        raise InvalidInput(f"Position2D has the axes {shown(', '.join(axes))}, not RA, Dec")
    scale = factor((element.get("unit") or "").strip(), "deg", "Position2D")
    ra, dec, radius = (
        finite(element.findtext(path).strip(), path.rpartition("/")[2]) * scale
        for path in ("Value2/C1", "Value2/C2", "Error2Radius")
    )
    if not 0 <= ra < 360:
        raise InvalidInput(f"C1 (right ascension) {ra:g} deg is not within 0 to 360")
    if not -90 <= dec <= 90:
        raise InvalidInput(f"C2 (declination) {dec:g} deg is not within -90 to 90")
    radius_arcsec = _radius_arcsec(origin, radius)
    return notice_position(
        origin, label, ra_deg=ra, dec_deg=dec, radius_arcsec=radius_arcsec, time=time, reference=reference
    )


def _radius_arcsec(origin: Origin, radius_deg: float) -> float | None:
    """Give Error2Radius in arcsec, rounded to 1e-6 so that arcsec written as degrees come back unchanged.

    None where the instrument gives no radius: GRM writes -1; VT's, below 1 arcsec, may round to 0 in the four
    decimals of a degree.
    """
    if (origin is Origin.GRM and radius_deg == -1) or (origin is Origin.VT and radius_deg == 0):
        return None
    if not 0 < radius_deg <= notice_facts().largest_radius_deg[origin]:
        raise InvalidInput(f"Error2Radius {radius_deg:g} deg is impossible for a position of {origin}")
    return round(radius_deg * 3600, 6)


def _citations(root: etree._Element) -> tuple[Citation, ...]:
    """Give the cited events; one without a ``cite`` attribute, which the schema allows, is a follow-up."""
    return tuple(
        Citation(ivorn=(event.text or "").strip(), cite=event.get("cite", "followup"))
        for event in root.findall("Citations/EventIVORN")
    )
