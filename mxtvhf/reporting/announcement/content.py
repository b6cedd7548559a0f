"""Content of an announcement, and phrases that several of its texts share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from pydantic import Field

from mxtvhf.analysis.model import SpectralFit
from mxtvhf.analysis.powerlaw import spectrum_constants
from mxtvhf.crosscheck.model import BurstVerdict, SourceMatch
from mxtvhf.crosscheck.shared_data import is_of_mxt
from mxtvhf.crosscheck.verdict import BEFORE_MXT, is_deep
from mxtvhf.errors import InvalidInput
from mxtvhf.localisation.model import Localisation, LocalisedSource
from mxtvhf.models.angles import radius_arcsec_text, separation_arcsec
from mxtvhf.models.position import BEST, Origin, Position
from mxtvhf.models.quantities import Text
from mxtvhf.models.toml import Constants, SourcedConstants, read_toml
from mxtvhf.reporting.announcement.model import Action
from mxtvhf.reporting.report.model import PhotonSummary, Report
from mxtvhf.reporting.report.sources import other_sources
from mxtvhf.reporting.report.verdict import is_non_detection, upper_limit_text, verdict_about

FOLLOW_UP = ("MXT", "VT")
"""Instruments that follow up the triggers of others."""

MOST_SOURCES = 5
"""Maximum number of other sources with positions in the texts, the most significant ones."""


class Stream(SourcedConstants):
    """Identifiers of our VOEvents."""

    ivorn: str = Field(pattern=r"^ivo://[^#\s]+$")
    """Base of their ivorns: ``ivorn#<burst>_<number>``, for tests ``ivorn#<burst>_test_<number>``."""
    author_ivorn: str = Field(pattern=r"^ivo://")
    title: Text
    short_name: Text


class GcnNames(SourcedConstants):
    """Identifiers of our GCN notices."""

    topic: str = Field(pattern=r"^gcn\.notices\.[a-z0-9_]+\.[a-z0-9_]+\.[a-z0-9_]+$")
    mission: Text
    instrument: Text
    schema_url: str = Field(alias="schema", pattern=r"^https://")
    """Address of the schema."""


class CircularNames(SourcedConstants):
    """Constants of our GCN Circulars."""

    form: str = Field(pattern=r"^https://")
    """Address of GCN's form for the submission."""
    acknowledgement: Text
    """Last paragraph."""


class Why(Constants):
    """Constants of the element ``Why`` of a VOEvent."""

    concept: Text
    """Concept, as Unified Content Descriptors."""


class Names(Constants):
    """Content of ``announcement.toml``."""

    stream: Stream
    gcn: GcnNames
    circular: CircularNames
    why: Why


@cache
def names() -> Names:
    """Return the identifiers that we publish under."""
    return read_toml(Path(__file__).with_name("announcement.toml"), Names)


@dataclass(frozen=True)
class Announcement:
    """Result to announce."""

    report: Report
    position: Position
    """Position to announce, with an error radius."""
    number: int
    """Number among the announcements of the burst."""
    ivorn: str
    supersedes: str | None
    """Ivorn of our previous announcement; None for the first one."""
    moment: datetime
    """Time of the announcement, UTC."""
    author: str | None = None
    """Name of the person who decided; None for a draft."""
    comment: str = ""
    """Comment of the Burst Advocate in one line; for a retraction, the reason."""
    desk_url: str | None = None
    """Address of the burst on the desk; None if the address of the web server is not configured."""
    action: Action = "announce"
    """For a retraction, ``supersedes`` is the retracted announcement."""
    event: str | None = None
    """Name of the event; None if unknown, which gives SVOM's burst id in the texts."""
    byline: tuple[str, ...] = ()
    """Authors of the circular."""
    acknowledgement: str | None = None
    """Last paragraph of the circular; None for that of ``announcement.toml``."""
    supersedes_circular: int | None = None
    """Number of the GCN Circular of the previous announcement; None if unknown."""

    @property
    def is_retraction(self) -> bool:
        """True if it retracts the previous announcement."""
        return self.action == "retract"

    @property
    def event_name(self) -> str:
        """Name of the event in the texts: ``GRB 260511A``, or ``sb26051102`` without a name."""
        return self.event or self.report.burst_id

    @property
    def observer(self) -> str:
        """Instrument of the result with its mission: ``SVOM/MXT``."""
        mission = names().gcn.mission
        return f"{mission}/{self.instrument}" if self.instrument else mission

    @property
    def result(self) -> str:
        """Result in a few words, for the subject of a circular."""
        if self.is_retraction:
            return f"retraction of the {self.observer} result"
        if self.is_non_detection:
            return f"{self.observer} upper limit"
        if known := self.known_source:
            return f"{self.observer} detection of the known source {known.source}"
        if self.supersedes and self.is_recommended:
            return f"{self.observer} refined position"
        return f"{self.observer} {'detection of an X-ray source' if self.is_from_photons else 'position'}"

    @property
    def known_source(self) -> SourceMatch | None:
        """Catalogued source at the position, if the verdict is a known source; else None."""
        verdict, _ = verdict_about(self.report, self.position)
        known = known_sources(self.report, self.position)
        return known[0] if known and verdict is BurstVerdict.KNOWN_SOURCE else None

    @property
    def is_uncatalogued(self) -> bool:
        """True if a catalogue as deep as MXT was checked and has no source at the position."""
        return bool(self.deep_catalogues) and self._is_in_no_catalogue

    @property
    def is_not_bright(self) -> bool:
        """True if only catalogues of brighter sources were checked and have no source at the position."""
        return self._is_in_no_catalogue and not self.deep_catalogues

    @property
    def deep_catalogues(self) -> str:
        """Names of the checked catalogues that are as deep as MXT; empty without one."""
        answers = [answer for answer in self.report.catalogues if answer.is_around(self.position)]
        return ", ".join(sorted({answer.catalogue for answer in answers if is_deep(answer)}))

    @property
    def _is_in_no_catalogue(self) -> bool:
        # Positions that disagree have another verdict; the texts then do not mention the catalogues.
        return verdict_about(self.report, self.position)[0] is BurstVerdict.UNCATALOGUED

    @property
    def is_recommended(self) -> bool:
        """True if this is the recommended position."""
        return not self.choice_words

    @property
    def choice_words(self) -> str:
        """Sentences about the choice of another position than the recommended one; empty without."""
        return choice_text(self.report, self.position)

    @property
    def is_from_photons(self) -> bool:
        """True if the position is from the VHF photons, so that their measurements belong to its source."""
        return self.position.origin is Origin.MXT_VHF

    @property
    def is_non_detection(self) -> bool:
        """True if MXT detected no source and the position is that of the instrument that triggered."""
        return is_non_detection(self.report.localisation) and self.position.origin in BEFORE_MXT

    @property
    def limit_words(self) -> str:
        """Upper limit of MXT as text; empty without one, and with a detection."""
        return upper_limit_text(self.report.localisation) if self.is_non_detection else ""

    @property
    def limit_band_kev(self) -> tuple[float, float]:
        """Energy band of the upper limit of the flux, keV."""
        return spectrum_constants().source.flux_band_kev

    @property
    def instrument(self) -> str | None:
        """Instrument of the result, with SVOM's name; None if unknown."""
        origin = self.position.origin
        if self.is_non_detection or origin in (Origin.MXT_VHF, Origin.MXT_ONBOARD, Origin.GP):
            return names().gcn.instrument
        return None if origin is Origin.OTHER else str(origin)

    @property
    def localisation(self) -> Localisation | None:
        """Localisation of the source; None unless the position is from the photons."""
        return self.report.localisation if self.is_from_photons else None

    @property
    def observation(self) -> Localisation | None:
        """Localisation that gave the result, also a non-detection; None for another position."""
        return self.report.localisation if self.is_from_photons or self.is_non_detection else None

    @property
    def photons(self) -> PhotonSummary | None:
        """Photons that gave the position; None for another position."""
        return self.report.photons if self.is_from_photons else None

    @property
    def fit(self) -> SpectralFit | None:
        """Spectrum of the source; None without a reliable fit."""
        fit = self.report.analysis.spectrum if self.is_from_photons and self.report.analysis else None
        return fit if fit and fit.trusted else None

    @property
    def observed(self) -> tuple[datetime, datetime] | None:
        """Start and end of the GTI of the observation that gave the result, UTC; None if unknown."""
        return self.observation.observed if self.observation else None

    @property
    def headline(self) -> str:
        """Announced result in one line of plain text."""
        report, position = self.report, self.position
        about = self.event_name if self.event is None else f"{self.event} ({report.burst_id})"
        line = f"{'TEST: ' * report.is_test}{about}: {self.result}"
        if self.is_retraction:
            return line
        if self.is_non_detection:
            return f"{line}, no X-ray source detected{f': {self.limit_words}' if self.limit_words else ''}"
        radius = radius_arcsec_text(position.r90_arcsec or 0.0)
        place = "R.A. {}, Dec. {}".format(*position.sexagesimal_text)
        return f"{line}, {place} (J2000), 90 % radius {radius} arcsec"

    @property
    def verdict(self) -> str:
        """Verdict about the position in a word, with the name of a known source."""
        known = known_sources(self.report, self.position)
        return " ".join([str(verdict_about(self.report, self.position)[0]), *(one.source for one in known)])

    @property
    def reasons(self) -> list[str]:
        """Reasons for the position and the verdict, and the comment, in sentences."""
        _, verdict_reason = verdict_about(self.report, self.position)
        chosen = self.choice_words or self.report.best_reason
        return [sentence for sentence in (chosen, verdict_reason, self.stage_words, self.comment) if sentence]

    @property
    def stage_words(self) -> str:
        """Sentence that calls the result preliminary; empty for a final report."""
        is_final = self.report.status == "final"
        return "" if is_final else "This result is preliminary; the analysis continues."

    @property
    def other_sources(self) -> tuple[LocalisedSource, ...]:
        """Other sources in the MXT field of view; empty unless the position is from the photons."""
        return tuple(other_sources(self.localisation))

    @property
    def other_sources_words(self) -> str:
        """Other sources in a sentence; empty without any."""
        found = self.other_sources
        if not found:
            return ""
        places = "; at ".join(self._source_words(source) for source in found[:MOST_SOURCES])
        if len(found) == 1:
            return f"The MXT field of view shows a second source, at {places}."
        more = len(found) - MOST_SOURCES
        rest = f"; and {more} less significant ones" if more > 0 else ""
        return f"The MXT field of view shows {len(found)} other sources, at {places}{rest}."

    def _source_words(self, source: LocalisedSource) -> str:
        place = source.position
        apart = separation_arcsec(self.position.ra_deg, self.position.dec_deg, place.ra_deg, place.dec_deg)
        identity = next((one for one in self.report.identities if one.name == source.name), None)
        match = identity.known.source if identity and identity.known else source.known_as
        facts = [
            f"90% radius {radius_arcsec_text(place.r90_arcsec or 0.0)} arcsec",
            f"{apart / 60.0:.1f} arcmin from the position above",
            f"{source.n_source:.0f} counts",
            *([f"consistent with the catalogued source {match}"] if match else []),
        ]
        return f"R.A., Dec. = {', '.join(place.degrees_text)} degrees ({', '.join(facts)})"


def our_ivorn(burst_id: str, number: int, *, is_test: bool) -> str:
    """Return the ivorn of an announcement."""
    return f"{names().stream.ivorn}#{burst_id}_{'test_' if is_test else ''}{number}"


def announceable(report: Report) -> dict[str, Position]:
    """Return the positions that can be announced, by their labels.

    A position needs an error radius. That of the reference GP is excluded, since it uses our method.
    """
    is_ours = report.gp.is_reference
    return {
        position.label: position
        for position in report.positions
        if position.r90_arcsec and not (is_ours and position.origin is Origin.GP)
    }


def recommended(report: Report) -> Position | None:
    """Return the position that is announced unless another one is chosen; None without one.

    It is the best one of the report, except for that of the reference GP, which is never announced. It is
    then ours, or else the most precise of the others.
    """
    best, known = report.best_position, announceable(report)
    if best is None or best.origin is not Origin.GP or not report.gp.is_reference:
        return best
    return min(
        known.values(),
        key=lambda one: (one.origin is not Origin.MXT_VHF, one.r90_arcsec or 0.0),
        default=None,
    )


def choice_text(report: Report, position: Position) -> str:
    """Describe the choice of another position than the recommended one, so that no detection is lost.

    Parameters
    ----------
    report
        Report of the announcement.
    position
        Position of the announcement, one of the report.

    Returns
    -------
    str
        Who chose the position, and the recommended one, in sentences; empty for the recommended position.
    """
    best = recommended(report)
    if best is None or best.label == position.label:
        return ""
    chosen = f"Announced position: {position.instrument}, chosen by the Burst Advocate."
    if is_of_mxt(best) and not is_of_mxt(position):
        fact = "An MXT source was detected at"
    else:
        fact = f"The recommended position, from {best.instrument}, is"
    return f"{chosen} {fact} {position_text(best)}."


def position_text(position: Position) -> str:
    """Format a position as ``R.A. 14:10:00.0, Dec. -12:43:48 (J2000), 90% radius 48 arcsec``."""
    place = "R.A. {}, Dec. {}".format(*position.sexagesimal_text)
    return f"{place} (J2000), 90% radius {radius_arcsec_text(position.r90_arcsec or 0.0)} arcsec"


def announceable_first(report: Report) -> tuple[Position, ...]:
    """Return the positions that can be announced, the recommended one first; empty without one."""
    best = recommended(report)
    if best is None:
        return ()
    return (best, *(position for position in announceable(report).values() if position.label != best.label))


def chosen_position(report: Report, label: str | None) -> Position:
    """Return the position with a label; None or ``best`` gives the recommended one.

    Raises
    ------
    InvalidInput
        No position has this label and an error radius, or none is recommended.
    """
    if label in (None, BEST):
        best = recommended(report)
        if best is None:
            raise InvalidInput(f"report of {report.run_id}: no position can be announced. Reject the result.")
        return best
    known = announceable(report)
    if label not in known:
        raise InvalidInput(
            f"report of {report.run_id}: position {label!r} cannot be announced; "
            f"expected one of: {', '.join(known) or 'none'}"
        )
    return known[str(label)]


def known_sources(report: Report, position: Position) -> tuple[SourceMatch, ...]:
    """Return the catalogued sources of a position with a probability above 50 %, the most probable first."""
    near = (one for one in report.associations if one.position == position.label)
    return tuple(one for one in near if one.probability > 0.5)


def triggered_by(report: Report) -> str | None:
    """Return the instrument that triggered on the burst; None without a notice of it."""
    alerts = sorted((report.alert, *report.related), key=lambda alert: alert.event_time)
    return next((alert.instrument for alert in alerts if alert.instrument not in FOLLOW_UP), None)


def cited_notices(report: Report) -> tuple[str, ...]:
    """Return the ivorns of the notices in the report, oldest first."""
    alerts = sorted((report.alert, *report.related), key=lambda alert: alert.published or alert.event_time)
    return tuple(dict.fromkeys(alert.ivorn for alert in alerts))


def iso_utc(moment: datetime) -> str:
    """Format a time as in GCN notices: UTC with microseconds and ``Z``."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
