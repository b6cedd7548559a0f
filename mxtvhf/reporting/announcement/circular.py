"""The draft of a GCN circular, by GCN's style guide: plain ASCII, one event, units, errors, citations."""

from __future__ import annotations

import unicodedata
from datetime import datetime

from mxtvhf.analysis.model import SpectralFit, measurement_text
from mxtvhf.crosscheck.model import Verdict
from mxtvhf.crosscheck.shared_data import share_data
from mxtvhf.models.angles import angle_text, radius_arcsec_text
from mxtvhf.models.position import Position
from mxtvhf.models.times import nearest_second
from mxtvhf.reporting.announcement.content import Announcement, cited_notices, triggered_by

DRAFT = "DRAFT, made by MXT-VHF: read it, complete the authors, remove this line, and submit it at GCN."
FROM_PHOTONS = (
    "The numbers are those of the photons received over the VHF link; an analysis of the full data may "
    "change them."
)
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
        _observation(announced),
        *_non_detection(announced),
        _position(announced.position),
        *_comparison(announced),
        " ".join(announced.catalogue_words),
        *_flux(announced),
        announced.other_sources_words,
        announced.stage_words,
        announced.comment,
        _citations(announced),
        FROM_PHOTONS if announced.is_from_photons or announced.is_non_detection else "",
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
    if announced.is_non_detection:
        return f"SVOM burst {announced.report.burst_id}: SVOM/MXT upper limit"
    what = "refined position" if announced.supersedes else "position"
    return f"SVOM burst {announced.report.burst_id}: SVOM/{'MXT' if 'MXT' in origin else origin} {what}"


def _observation(announced: Announcement) -> str:
    report = announced.report
    found_by = triggered_by(report)
    begin = f"{f'SVOM/{found_by}' if found_by else 'SVOM'} triggered on the burst {report.burst_id}"
    trigger = report.trigger_time
    if trigger is not None:
        begin += f" at {_moment(trigger)} (T0)"
    if announced.observed is None:
        return f"{begin}."
    start = announced.observed[0]
    sentence = f"MXT began to observe the field at {_moment(start)}"
    if trigger is not None:
        # The difference of what is printed: a reader can check it.
        sentence += f", {(nearest_second(start) - nearest_second(trigger)).total_seconds():.0f} s after T0"
    exposure = announced.observation.exposure_s if announced.observation else None
    return f"{begin}. {sentence}{f', with an exposure of {exposure:.0f} s' if exposure else ''}."


def _non_detection(announced: Announcement) -> list[str]:
    """Say that MXT sees nothing, and how bright a source it would have seen."""
    if not announced.is_non_detection:
        return []
    words = announced.limit_words
    limit = f" ({words.replace('90 %', '90%')})" if words else ""
    return [
        "No X-ray source is detected in the MXT field of view in the photons received over the VHF "
        f"link{limit}. The position below is the one of the trigger, not of MXT."
    ]


def _position(position: Position) -> str:
    hours, minutes, seconds = position.sexagesimal_text[0].split(":")
    degrees, arcmin, arcsec = position.sexagesimal_text[1].split(":")
    systematic = ""
    if position.r90_sys_arcsec:
        error = radius_arcsec_text(position.r90_sys_arcsec)
        systematic = f", including a systematic error of {error} arcsec added in quadrature"
    radius = radius_arcsec_text(position.r90_arcsec or 0.0)
    return (
        f"The position of the source is R.A., Dec. = {', '.join(position.degrees_text)} degrees, "
        f"which is equivalent to:\n"
        f"R.A. (J2000) = {hours}h{minutes}m{seconds}s\n"
        f"Dec. (J2000) = {degrees}d{arcmin}m{arcsec}s\n"
        f"with an uncertainty of {radius} arcsec (radius, 90% containment{systematic}). "
        f"It was measured by {position.origin} ({position.label})."
    )


def _comparison(announced: Announcement) -> list[str]:
    """Say how the position compares with every other one of the burst that is independent of it."""
    label = announced.position.label
    # To agree with a position from the same data says nothing.
    repeated = {one.label for one in announced.report.positions if share_data(one, announced.position)}
    pairs = [
        pair
        for pair in announced.report.crosscheck
        if label in (pair.first, pair.second)
        and (pair.verdict is Verdict.INCONSISTENT or not repeated & ({pair.first, pair.second} - {label}))
    ]
    lines = [
        f"{pair.second if pair.first == label else pair.first}: {angle_text(pair.separation_arcsec)} away, "
        f"{pair.verdict}"
        for pair in pairs
    ]
    return [f"Other positions of the burst: {'; '.join(lines)}."] if lines else []


def _flux(announced: Announcement) -> list[str]:
    fit = announced.fit
    if fit is None:
        return []
    low, high = fit.flux_band_kev
    return [
        f"The mean {low:g}-{high:g} keV flux is {measurement_text(fit.flux, 'erg/cm2/s')} (absorbed, 68% "
        f"errors), with a photon index of {measurement_text(fit.photon_index)} and "
        f"{_column(fit)}."
    ]


def _column(fit: SpectralFit) -> str:
    """Name the hydrogen column, and the Galactic one to compare it with."""
    if not fit.nh_free:
        return f"N_H = {_cm2(fit.nh_1e22_cm2.value)} (fixed)"
    galactic = ""
    if fit.nh_galactic_1e22_cm2 is not None:
        galactic = f" (Galactic: {_cm2(fit.nh_galactic_1e22_cm2)}, HI4PI)"
    if fit.nh_determined is False:
        return f"an absorbing column that the data do not determine{galactic}"
    return f"N_H = {measurement_text(fit.nh_1e22_cm2.scaled(1e22), 'cm^-2')}{galactic}"


def _cm2(column_1e22: float) -> str:
    return f"{column_1e22 * 1e22:.2g} cm^-2".replace("e+", "e")


def _citations(announced: Announcement) -> str:
    earlier = f" This supersedes our announcement {announced.supersedes}." if announced.supersedes else ""
    return f"This follows the notices {', '.join(cited_notices(announced.report))}.{earlier}"


def _moment(moment: datetime) -> str:
    return f"{nearest_second(moment):%Y-%m-%dT%H:%M:%S} UT"
