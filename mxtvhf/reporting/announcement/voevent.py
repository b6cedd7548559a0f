"""Our VOEvent 2.0 (IVOA recommendation of 11 July 2011)."""

from __future__ import annotations

from lxml import etree

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
from mxtvhf.reporting.announcement.content import (
    Announcement,
    cited_notices,
    first_photon_after_s,
    known_sources,
    names,
    trusted_fit,
)

FLUX_UNIT = "erg.cm^-2.s^-1"


def voevent(announced: Announcement) -> bytes:
    """Write an announcement as VOEvent, valid against the schema.

    Role ``test`` for a test. ``WhereWhen`` has the position, ICRS degrees, with the total 90 % radius, and
    the first photon's time, or T0 where there are no photons; a position without either has the time at
    which the report was written. It follows up each SVOM notice and supersedes our announcement before.
    """
    report, stream = announced.report, names().stream
    root = new_event(role="test" if report.is_test else "observation", ivorn=announced.ivorn)
    add_who(
        root,
        author_ivorn=stream.author_ivorn,
        date=announced.moment,
        title=stream.title,
        short_name=stream.short_name,
    )
    _add_what(root, announced)
    first = report.photons.first if report.photons else None
    coordinates = add_where_when(root, first or report.trigger_time or report.written)
    position = announced.position
    add_position(
        coordinates,
        ra_deg=position.ra_deg,
        dec_deg=position.dec_deg,
        radius_deg=(position.r90_arcsec or 0.0) / 3600,
    )
    add(add(root, "How"), "Description", f"MXT-VHF {report.version}: {position.origin} {position.label}")
    _add_why(root, announced)
    supersedes = [(announced.supersedes, "supersedes")] if announced.supersedes else []
    add_citations(root, [*((ivorn, "followup") for ivorn in cited_notices(report)), *supersedes])
    add(root, "Description", report.headline)
    return event_bytes(root)


def _add_what(root: etree._Element, announced: Announcement) -> None:
    report, position, what = announced.report, announced.position, add(root, "What")
    params: list[Param] = [
        ("Instrument", "MXT", None, "instr"),
        ("Burst_Id", report.burst_id, None, "meta.id"),
        ("Run_Id", report.run_id, None, "meta.id"),
        ("Announcement_Number", announced.number, None, "meta.number"),
        ("Alert_Seq_T0", report.trigger_time, None, "time.start"),
    ]
    add_params(what, params)
    add_group(
        what,
        "Position_Info",
        [
            ("Origin", str(position.origin), None, "meta.id.assoc"),
            ("Label", position.label, None, "meta.id.assoc"),
            ("R90", position.r90_arcsec, "arcsec", "stat.error;pos"),
            ("R90_Stat", position.r90_stat_arcsec, "arcsec", "stat.error;pos"),
            ("R90_Sys", position.r90_sys_arcsec, "arcsec", "stat.error.sys;pos"),
        ],
    )
    add_group(what, "Detection_Info", _detection(announced))


def _detection(announced: Announcement) -> list[Param]:
    report, fit = announced.report, trusted_fit(announced.report)
    found = report.localisation
    return [
        ("Verdict", str(report.verdict), None, "meta.code"),
        ("Test_Statistic", round(found.ts, 1) if found else None, None, "stat.value"),
        ("First_Photon_After_T0", first_photon_after_s(report), "s", "time.interval"),
        ("Exposure", found.exposure_s if found else None, "s", "time.duration;obs.exposure"),
        ("Mean_Flux", fit.flux.value if fit else None, FLUX_UNIT, "phot.flux"),
        ("Flux_Band_Low", fit.flux_band_kev[0] if fit else None, "keV", "em.energy;stat.min"),
        ("Flux_Band_High", fit.flux_band_kev[1] if fit else None, "keV", "em.energy;stat.max"),
    ]


def _add_why(root: etree._Element, announced: Announcement) -> None:
    report, why = announced.report, add(root, "Why")
    inference = add(why, "Inference")
    add(inference, "Name", report.burst_id)
    add(inference, "Concept", names().why.concept)
    for match in known_sources(report, announced.position):
        source = add(why, "Inference")
        source.set("probability", f"{match.probability:.6f}")
        source.set("relation", "associated")
        add(source, "Name", match.source)
        add(source, "Description", match.explanation)
    for sentence in (report.best_reason, report.verdict_reason, announced.comment):
        if sentence:
            add(why, "Description", sentence)
