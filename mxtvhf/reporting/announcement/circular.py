"""The draft of a GCN Circular after GCN's style guide: ASCII, one event, conclusion first, 90 % errors.

The order is that of circulars of SVOM, Swift and Einstein Probe (e.g. GCN 41288, 44468, 44539): authors, the
result, the observation, the position, significance and light curve, spectrum, acknowledgement. Paragraphs are
not wrapped, as the style guide requires (https://gcn.nasa.gov/docs/circulars/styleguide).
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlencode

from mxtvhf.analysis.model import DecayFit, SpectralFit
from mxtvhf.crosscheck.model import Verdict
from mxtvhf.crosscheck.shared_data import share_data
from mxtvhf.localisation.model import FluxLimit
from mxtvhf.models.angles import radius_arcsec_text, separation_arcsec
from mxtvhf.models.position import Origin, Position, current_positions
from mxtvhf.models.times import nearest_second
from mxtvhf.reporting.announcement.content import Announcement, names, triggered_by
from mxtvhf.reporting.announcement.numbers import at_90, interval_text, quantity_text

DRAFT = "DRAFT by MXT-VHF. Check it, complete the authors, remove this line, and submit it to GCN."
TEST = "TEST: this is not about a real burst. Do not submit."
ERRORS = "All errors are at the 90% confidence level."
VHF_DATA = (
    "These results are based on the photons received over the VHF link and may change with the analysis of "
    "the full data set."
)
FLUX = "erg/cm^2/s"
FADING_FROM = 0.3
"""Decay index that the lower end of the 90 % interval must exceed for a source to be called fading."""
MOST_DECAY_ERROR = 1.5
"""Maximum 90 % error of a decay index in the circular."""
INSTRUMENTS = {
    Origin.ECLAIRS: "SVOM/ECLAIRs",
    Origin.MXT_ONBOARD: "SVOM/MXT on-board",
    Origin.GP: "SVOM/MXT ground",
    Origin.VT: "SVOM/VT",
    Origin.GRM: "SVOM/GRM",
}
"""Names of the instruments in circulars."""


@dataclass(frozen=True)
class Circular:
    """Circular as GCN accepts it."""

    subject: str
    body: str

    @property
    def form_address(self) -> str:
        """Address of GCN's form, filled in with the circular."""
        fields = urlencode({"subject": self.subject, "body": self.body}, quote_via=quote)
        return f"{names().circular.form}?{fields}"


def circular(announced: Announcement) -> bytes:
    """Return the draft of a circular as a file: marks, subject, body. A person has to check and submit it."""
    written = circular_of(announced)
    marks = [*[TEST] * announced.report.is_test, DRAFT]
    return "\n\n".join(["\n".join(marks), f"Subject: {written.subject}", written.body]).encode("ascii")


def circular_of(announced: Announcement) -> Circular:
    """Return subject and body of a circular, in ASCII and with fewer than 60 lines."""
    paragraphs = [
        _byline(announced),
        *(_retraction(announced) if announced.is_retraction else _result(announced)),
        announced.acknowledgement or names().circular.acknowledgement,
    ]
    return Circular(
        subject=ascii_text(f"{announced.event_name}: {announced.result}"),
        body=ascii_text("\n\n".join(paragraph for paragraph in paragraphs if paragraph) + "\n"),
    )


def ascii_text(text: str) -> str:
    """Return a text in ASCII, without accents; other characters become ``?``."""
    plain = text.replace("\N{MIDDLE DOT}", "-").replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    decomposed = unicodedata.normalize("NFKD", plain)
    letters = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return letters.encode("ascii", "replace").decode()


def _byline(announced: Announcement) -> str:
    authors = announced.byline or ((announced.author,) if announced.author else ("The Burst Advocate",))
    verb = "reports" if len(authors) == 1 else "report"
    return f"{', '.join(authors)} {verb} on behalf of the SVOM/MXT team:"


def _retraction(announced: Announcement) -> list[str]:
    return [
        f"We retract the {announced.observer} result on {_named_burst(announced)} that we reported "
        f"{_earlier(announced)}. Please disregard it.",
        announced.comment,
    ]


def _result(announced: Announcement) -> list[str]:
    return [
        _conclusion(announced),
        _observation(announced),
        _upper_limit(announced) if announced.is_non_detection else _position(announced),
        " ".join(filter(None, [_significance(announced), _decay(announced)])),
        _spectrum(announced),
        announced.other_sources_words,
        announced.comment,
        " ".join(
            [
                *[ERRORS] * announced.is_from_photons,
                *[VHF_DATA] * bool(announced.observation),
                *filter(None, [announced.stage_words]),
            ]
        ),
    ]


def _named_burst(announced: Announcement) -> str:
    """Return the event with SVOM's burst id, for its first mention."""
    burst_id = announced.report.burst_id
    if announced.event is None:
        return f"the burst {burst_id}"
    return f"{announced.event} (SVOM burst-id {burst_id})"


def _earlier(announced: Announcement) -> str:
    number = announced.supersedes_circular
    return f"in GCN Circ. {number}" if number else "earlier"


def _conclusion(announced: Announcement) -> str:
    burst, known = _named_burst(announced), announced.known_source
    superseded = f" This result supersedes the one that we reported {_earlier(announced)}."
    later = superseded if announced.supersedes else ""
    if announced.is_non_detection:
        return f"MXT did not detect an X-ray source in the field of {burst}.{later}"
    if known is not None:
        return (
            f"The X-ray source that {announced.observer} detected in the field of {burst} is consistent with "
            f"the catalogued source {known.source}, {radius_arcsec_text(known.separation_arcsec)} arcsec "
            f"away. The trigger is probably due to this source and not to a gamma-ray burst.{later}"
        )
    if not announced.is_from_photons:
        chosen = f" {announced.choice_words}" if announced.choice_words else ""
        return f"We report the {announced.observer} position of {burst}.{chosen}{later}"
    kind = "uncatalogued X-ray source" if announced.is_uncatalogued else "X-ray source"
    is_fading = _is_fading(announced)
    fading = " The source is fading, as expected for the afterglow of the burst." if is_fading else ""
    return f"We report the detection of an {kind} in the field of {burst}.{fading}{later}"


def _observation(announced: Announcement) -> str:
    report = announced.report
    found_by = triggered_by(report)
    begin = f"{f'SVOM/{found_by}' if found_by else 'SVOM'} triggered on {announced.event_name}"
    trigger = report.trigger_time
    if trigger is not None:
        begin += f" at {_moment(trigger)} (T0)"
    if announced.observed is None:
        return f"{begin}."
    start = announced.observed[0]
    sentence = f"MXT began observing the field at {_moment(start)}"
    if trigger is not None:
        # Difference of the printed times, so that a reader can check it.
        sentence += f", {(nearest_second(start) - nearest_second(trigger)).total_seconds():.0f} s after T0"
    exposure = announced.observation.exposure_s if announced.observation else None
    used = f" The exposure time of the data used here is {exposure:.0f} s." if exposure else ""
    return f"{begin}. {sentence}.{used}"


def _upper_limit(announced: Announcement) -> str:
    """Return the paragraph with the upper limit and the position of the field."""
    found, position = announced.report.localisation, announced.position
    field = (
        f"The field is centred on the {INSTRUMENTS.get(position.origin, 'SVOM')} position, R.A., Dec. = "
        f"{', '.join(position.degrees_text)} degrees (J2000), with a 90% radius of "
        f"{(position.r90_arcsec or 0.0) / 60.0:.2g} arcmin."
    )
    if found is None or found.upper_limit_photons is None:
        return f"No upper limit is available. {field}"
    counts = f"{found.upper_limit_photons:.0f} counts"
    if found.upper_limit_flux is None:
        return f"The 90% upper limit is {counts}. {field}"
    flux = quantity_text(found.upper_limit_flux, FLUX)
    low, high = announced.limit_band_kev
    limit = f"The 90% upper limit is {flux} ({low:g}-{high:g} keV, observed), or {counts}."
    return f"{limit}{_spectra_of_limit(found.upper_limit_fluxes)} {field}"


def _spectra_of_limit(limits: tuple[FluxLimit, ...]) -> str:
    """Return the sentence about the spectra for which the limit as a flux holds."""
    if not limits:
        return ""
    usual = limits[0]
    return (
        " The flux holds for nine tenths of the expected spectra at any place of the field; for a power law "
        f"of photon index {usual.photon_index:g} with N_H = {_cm2(usual.nh_1e22_cm2)} it is "
        f"{quantity_text(usual.flux, FLUX)}."
    )


def _position(announced: Announcement) -> str:
    position = announced.position
    hours, minutes, seconds = position.sexagesimal_text[0].split(":")
    degrees, arcmin, arcsec = position.sexagesimal_text[1].split(":")
    systematic = ""
    if position.r90_sys_arcsec:
        error = radius_arcsec_text(position.r90_sys_arcsec)
        systematic = f", including a systematic error of {error} arcsec added in quadrature"
    radius = radius_arcsec_text(position.r90_arcsec or 0.0)
    return (
        f"The position is R.A., Dec. = {', '.join(position.degrees_text)} degrees, which is equivalent to:\n"
        f"R.A. (J2000) = {hours}h{minutes}m{seconds}s\n"
        f"Dec. (J2000) = {degrees}d{arcmin}m{arcsec}s\n"
        f"with an uncertainty of {radius} arcsec (radius, 90% containment{systematic})."
        f"{''.join(_compared(announced))}{_catalogues(announced)}"
    )


def _compared(announced: Announcement) -> list[str]:
    """Compare the position with the current ones of other instruments, unless they share their data."""
    sentences = []
    for origin, other in current_positions(announced.report.positions).items():
        pair = next(
            (
                pair
                for pair in announced.report.crosscheck
                if {pair.first, pair.second} == {announced.position.label, other.label}
            ),
            None,
        )
        if pair is None or origin not in INSTRUMENTS or pair.verdict is Verdict.NOT_INDEPENDENT:
            continue
        if share_data(other, announced.position) and pair.verdict is not Verdict.INCONSISTENT:
            continue
        words = {Verdict.CONSISTENT: "consistent with", Verdict.INCONSISTENT: "not consistent with"}
        relation = words.get(pair.verdict)
        clause = f", and {relation} it" if relation else ""
        distance = _distance(announced.position, other)
        sentences.append(f" It is {distance} from the {INSTRUMENTS[origin]} position{clause}.")
    return sentences


def _distance(first: Position, second: Position) -> str:
    arcsec = separation_arcsec(first.ra_deg, first.dec_deg, second.ra_deg, second.dec_deg)
    return f"{arcsec:.0f} arcsec" if arcsec < 99.5 else f"{arcsec / 60.0:.1f} arcmin"


def _catalogues(announced: Announcement) -> str:
    """Return the sentence about known sources and the depth of the catalogues."""
    if announced.is_uncatalogued:
        return f" No source of {announced.deep_catalogues} is consistent with this position."
    if announced.is_not_bright:
        return (
            " No bright catalogued X-ray source is consistent with this position; no deeper catalogue was "
            "searched."
        )
    return ""


def _significance(announced: Announcement) -> str:
    found, analysis = announced.localisation, announced.report.analysis
    if found is None or not found.detected:
        return ""
    sentence = f"The source is detected with a significance of {found.ts**0.5:.2g} sigma"
    if analysis is None or analysis.light_curve is None:
        return f"{sentence}."
    rate = interval_text(at_90(analysis.light_curve.mean), "counts/s")
    return f"{sentence} at a mean rate of {rate}."


def _decay_of(announced: Announcement) -> DecayFit | None:
    """Return the decay of the source; None if the data hardly constrain it."""
    analysis = announced.report.analysis if announced.is_from_photons else None
    decay = analysis.light_curve.decay if analysis and analysis.light_curve else None
    if decay is None or decay.index_90 is None:
        return None
    ends = (decay.index_90.error_low, decay.index_90.error_high)
    return decay if all(end is not None and end <= MOST_DECAY_ERROR for end in ends) else None


def _is_fading(announced: Announcement) -> bool:
    decay = _decay_of(announced)
    if decay is None or decay.index_90 is None or decay.index_90.error_low is None:
        return False
    return decay.index_90.value - decay.index_90.error_low > FADING_FROM


def _decay(announced: Announcement) -> str:
    decay = _decay_of(announced)
    if decay is None or decay.index_90 is None:
        return ""
    return (
        "The light curve can be described by a power law, rate ~ (t - T0)^-alpha, with alpha = "
        f"{interval_text(decay.index_90)}."
    )


def _spectrum(announced: Announcement) -> str:
    fit = announced.fit
    if fit is None:
        return ""
    low, high = fit.flux_band_kev
    # Results of earlier versions have no 90 % interval of their own.
    index = fit.photon_index_90 or at_90(fit.photon_index)
    flux = fit.flux_90 or at_90(fit.flux)
    return (
        f"The spectrum can be described by a power law with a photon index of {interval_text(index)} and "
        f"{_column(fit)}. The mean {low:g}-{high:g} keV flux is {interval_text(flux, FLUX)} (observed, "
        "not corrected for absorption)."
    )


def _column(fit: SpectralFit) -> str:
    """Return the absorbing column, with the Galactic one for comparison."""
    if not fit.nh_free:
        return f"an absorbing column fixed at N_H = {_cm2(fit.nh_1e22_cm2.value)}"
    galactic = fit.nh_galactic_1e22_cm2
    if fit.nh_determined is False:
        beside = "" if galactic is None else f" (Galactic: {_cm2(galactic)}, HI4PI)"
        return f"an absorbing column that the data do not constrain{beside}"
    column = fit.nh_90_1e22_cm2 or at_90(fit.nh_1e22_cm2)
    share = "" if galactic is None else f", including the Galactic column of {_cm2(galactic)} (HI4PI)"
    return f"a total N_H = {interval_text(column.scaled(1e22), 'cm^-2')}{share}"


def _cm2(column_1e22: float) -> str:
    return quantity_text(column_1e22 * 1e22, "cm^-2")


def _moment(moment: datetime) -> str:
    return f"{nearest_second(moment):%Y-%m-%dT%H:%M:%S} UTC"
