"""Our VOEvent 2.0 (IVOA recommendation of 11 July 2011)."""

from __future__ import annotations

from datetime import datetime

from lxml import etree

from mxtvhf.analysis.model import Measurement
from mxtvhf.models.angles import radius_arcsec_text
from mxtvhf.models.rounding import rounded
from mxtvhf.notices.voevent_writer import (
    Param,
    add,
    add_citations,
    add_group,
    add_params,
    add_position,
    add_where_when,
    add_who,
    event_bytes,
    new_event,
)
from mxtvhf.reporting.announcement.content import Announcement, cited_notices, known_sources, names

FLUX_UNIT = "erg.cm^-2.s^-1"


def voevent(announced: Announcement) -> bytes:
    """Return an announcement as a VOEvent that is valid against the schema.

    A test has the role ``test``. ``WhereWhen`` contains the position (ICRS degrees) with the total R90, both
    with the digits that the radius allows, and the start of the observation: of the GTI for VHF photons, or
    else the time of the position, T0, or the time of the report. The VOEvent cites each SVOM notice as
    ``followup`` and supersedes our previous announcement. A retraction cites the retracted announcement and
    contains neither position nor measurement.
    """
    report, stream, position = announced.report, names().stream, announced.position
    root = new_event(role="test" if report.is_test else "observation", ivorn=announced.ivorn)
    add_who(
        root,
        author_ivorn=stream.author_ivorn,
        date=announced.moment,
        title=stream.title,
        short_name=stream.short_name,
    )
    _add_what(root, announced)
    begin = None if announced.is_retraction else _begin(announced)
    coordinates = add_where_when(root, begin or report.trigger_time or report.written)
    if not announced.is_retraction:
        ra, dec = position.degrees
        add_position(coordinates, ra_deg=ra, dec_deg=dec, radius_deg=position.r90_deg or 0.0)
    add(add(root, "How"), "Description", f"MXT-VHF {report.version}: {position.name}")
    _add_why(root, announced)
    how = "retraction" if announced.is_retraction else "supersedes"
    before = [(announced.supersedes, how)] if announced.supersedes else []
    add_citations(root, [*((ivorn, "followup") for ivorn in cited_notices(report)), *before])
    add(root, "Description", announced.headline)
    return event_bytes(root)


def _begin(announced: Announcement) -> datetime | None:
    if announced.is_from_photons:
        return announced.observed[0] if announced.observed else None
    return announced.position.time


def _add_what(root: etree._Element, announced: Announcement) -> None:
    report, position, what = announced.report, announced.position, add(root, "What")
    params: list[Param] = [
        ("Instrument", announced.instrument, None, "instr"),
        ("Burst_Id", report.burst_id, None, "meta.id"),
        ("Event_Name", announced.event, None, "meta.id"),
        ("Run_Id", report.run_id, None, "meta.id"),
        ("Announcement_Number", announced.number, None, "meta.number"),
        ("Report_Status", report.status, None, "meta.code"),
        ("Alert_Seq_T0", report.trigger_time, None, "time.start"),
    ]
    add_params(what, params)
    if announced.is_retraction:
        return
    add_group(
        what,
        "Position_Info",
        [
            ("Origin", str(position.origin), None, "meta.id.assoc"),
            ("Label", position.label, None, "meta.id.assoc"),
            ("R90", _radius(position.r90_arcsec), "arcsec", "stat.error;pos"),
            ("R90_Stat", _radius(position.r90_stat_arcsec), "arcsec", "stat.error;pos"),
            ("R90_Sys", _radius(position.r90_sys_arcsec), "arcsec", "stat.error.sys;pos"),
        ],
    )
    add_group(what, "Detection_Info", _detection(announced))


def _radius(arcsec: float | None) -> str | None:
    return None if arcsec is None else radius_arcsec_text(arcsec)


def _detection(announced: Announcement) -> list[Param]:
    fit, found = announced.fit, announced.localisation
    missed = announced.report.localisation if announced.is_non_detection else None
    return [
        ("Verdict", announced.verdict, None, "meta.code"),
        ("Upper_Limit_Counts", _limit(missed.upper_limit_photons if missed else None), None, "stat.max"),
        (
            "Upper_Limit_Flux",
            _limit(missed.upper_limit_flux if missed else None),
            FLUX_UNIT,
            "stat.max;phot.flux",
        ),
        ("Test_Statistic", round(found.ts, 1) if found else None, None, "stat.value"),
        ("Other_Sources", len(announced.other_sources) or None, None, "meta.number;src"),
        ("First_Photon_After_T0", _first_photon_after_s(announced), "s", "time.interval"),
        (
            "Exposure",
            round(found.exposure_s, 1) if found and found.exposure_s is not None else None,
            "s",
            "time.duration;obs.exposure",
        ),
        ("Mean_Flux", _flux(fit.flux) if fit else None, FLUX_UNIT, "phot.flux"),
        ("Flux_Band_Low", fit.flux_band_kev[0] if fit else None, "keV", "em.energy;stat.min"),
        ("Flux_Band_High", fit.flux_band_kev[1] if fit else None, "keV", "em.energy;stat.max"),
    ]


def _limit(limit: float | None) -> float | None:
    return None if limit is None else rounded(limit, None)


def _flux(flux: Measurement) -> float:
    errors = [error for error in (flux.error_low, flux.error_high) if error]
    return rounded(flux.value, min(errors, default=None))


def _first_photon_after_s(announced: Announcement) -> float | None:
    """Return the time of the first photon after T0, s; None if one of them is unknown."""
    trigger, photons = announced.report.trigger_time, announced.photons
    if trigger is None or photons is None or photons.first is None:
        return None
    return round((photons.first - trigger).total_seconds(), 1)


def _add_why(root: etree._Element, announced: Announcement) -> None:
    report, why = announced.report, add(root, "Why")
    inference = add(why, "Inference")
    add(inference, "Name", report.burst_id)
    if announced.is_retraction:
        add(why, "Description", announced.comment)
        return
    add(inference, "Concept", names().why.concept)
    for match in known_sources(report, announced.position):
        source = add(why, "Inference")
        source.set("probability", f"{match.probability:.6f}")
        source.set("relation", "associated")
        add(source, "Name", match.source)
        add(source, "Description", match.explanation)
    for sentence in announced.reasons:
        add(why, "Description", sentence)
