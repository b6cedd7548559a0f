"""The draft of a GCN circular, by GCN's style guide: plain ASCII, one event, units, errors, citations."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

from mxtvhf.analysis.model import measurement_text
from mxtvhf.models.angles import angle_text, declination_text, right_ascension_text
from mxtvhf.models.position import Position
from mxtvhf.reporting.announcement.content import (
    Announcement,
    catalogue_words,
    cited_notices,
    first_photon_after_s,
    triggered_by,
    trusted_fit,
)
from mxtvhf.reporting.report import Report

DRAFT = "DRAFT, made by MXT-VHF: read it, complete the authors, remove this line, and submit it at GCN."
TEST = "TEST: this is not about a real burst. Do not submit."


def circular(announced: Announcement) -> bytes:
    """Write the draft of a circular: marks, subject, body.

    Fewer than 60 lines; paragraphs are not wrapped, as GCN wants it. Somebody has to read and submit it.
    """
    report = announced.report
    paragraphs = [
        "\n".join([TEST] * report.is_test + [DRAFT]),
        f"Subject: {_subject(announced)}",
        f"{announced.author or 'The SVOM Burst Advocate'} reports on behalf of the SVOM/MXT team:",
        _observation(report),
        _position(announced.position),
        *_comparison(announced),
        " ".join(catalogue_words(report, announced.position)),
        *_flux(report),
        announced.comment,
        _citations(announced),
        "The numbers are those of the photons received over the VHF link; an analysis of the full data may "
        "change them.",
    ]
    return ascii_text("\n\n".join(part for part in paragraphs if part) + "\n").encode("ascii")


def ascii_text(text: str) -> str:
    """Write a text in ASCII: letters lose their accents, what has no counterpart becomes ``?``."""
    plain = text.replace("\N{MIDDLE DOT}", "-").replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    decomposed = unicodedata.normalize("NFKD", plain)
    letters = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return letters.encode("ascii", "replace").decode()


def _subject(announced: Announcement) -> str:
    origin = announced.position.origin
    what = "refined position" if announced.supersedes else "position"
    return f"SVOM burst {announced.report.burst_id}: SVOM/{'MXT' if 'MXT' in origin else origin} {what}"


def _observation(report: Report) -> str:
    found_by = triggered_by(report)
    begin = f"{f'SVOM/{found_by}' if found_by else 'SVOM'} triggered on the burst {report.burst_id}"
    if report.trigger_time is not None:
        begin += f" at {_moment(report.trigger_time)} (T0)"
    after, photons = first_photon_after_s(report), report.photons
    if photons is None or photons.first is None:
        return f"{begin}. No photons of MXT were received."
    start = f"MXT began to observe the field at {_moment(photons.first)}"
    since = f", {after:.0f} s after T0" if after is not None else ""
    exposure = report.localisation.exposure_s if report.localisation else None
    length = f", with an exposure of {exposure:.0f} s" if exposure else ""
    return f"{begin}. {start}{since}{length}."


def _position(position: Position) -> str:
    hours, minutes, seconds = right_ascension_text(position.ra_deg).split(":")
    degrees, arcmin, arcsec = declination_text(position.dec_deg).split(":")
    return (
        f"The position of the source is R.A., Dec. = {position.ra_deg:.4f}, {position.dec_deg:+.4f} degrees, "
        f"which is equivalent to:\n"
        f"R.A. (J2000) = {hours}h{minutes}m{seconds}s\n"
        f"Dec. (J2000) = {degrees}d{arcmin}m{arcsec}s\n"
        f"with an uncertainty of {position.r90_arcsec or 0.0:.0f} arcsec (radius, 90% containment, including "
        f"systematic error of {position.r90_sys_arcsec:.0f} arcsec added in quadrature). It was measured by "
        f"{position.origin} ({position.label})."
    )


def _comparison(announced: Announcement) -> list[str]:
    """Say how the position compares with every other one of the burst."""
    label = announced.position.label
    pairs = [pair for pair in announced.report.crosscheck if label in (pair.first, pair.second)]
    lines = [
        f"{pair.second if pair.first == label else pair.first}: {angle_text(pair.separation_arcsec)} away, "
        f"{pair.verdict}"
        for pair in pairs
    ]
    return [f"Other positions of the burst: {'; '.join(lines)}."] if lines else []


def _flux(report: Report) -> list[str]:
    fit = trusted_fit(report)
    if fit is None:
        return []
    low, high = fit.flux_band_kev
    return [
        f"The mean {low:g}-{high:g} keV flux is {measurement_text(fit.flux, 'erg/cm2/s')} (absorbed, 68% "
        f"errors), with a photon index of {measurement_text(fit.photon_index)} and nH = "
        f"{measurement_text(fit.nh_1e22_cm2, '1e22/cm2')}{'' if fit.nh_free else ' (fixed)'}."
    ]


def _citations(announced: Announcement) -> str:
    earlier = f" This supersedes our announcement {announced.supersedes}." if announced.supersedes else ""
    return f"This follows the notices {', '.join(cited_notices(announced.report))}.{earlier}"


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S UT")
