"""What the texts of an announcement are made of, and what several of them say alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from pydantic import Field

from mxtvhf.analysis.model import SpectralFit
from mxtvhf.analysis.powerlaw import spectrum_constants
from mxtvhf.crosscheck import SourceMatch
from mxtvhf.crosscheck.model import BurstVerdict
from mxtvhf.crosscheck.verdict import BEFORE_MXT, is_deep
from mxtvhf.errors import InvalidInput
from mxtvhf.localisation.model import Localisation, LocalisedSource
from mxtvhf.models.angles import radius_arcsec_text, separation_arcsec
from mxtvhf.models.position import BEST, Origin, Position
from mxtvhf.models.quantities import Text
from mxtvhf.models.toml import Constants, SourcedConstants, read_toml
from mxtvhf.reporting.announcement.model import Action
from mxtvhf.reporting.report import Report
from mxtvhf.reporting.report.model import PhotonSummary
from mxtvhf.reporting.report.sources import other_sources
from mxtvhf.reporting.report.verdict import is_non_detection, upper_limit_text, verdict_about

FOLLOW_UP = ("MXT", "VT")
"""Instruments that look at what others found."""

MOST_SOURCES = 5
"""Other sources that are told with their positions, the most significant ones."""


class Stream(SourcedConstants):
    """Our VOEvents."""

    ivorn: str = Field(pattern=r"^ivo://[^#\s]+$")
    """Theirs is ``ivorn#<burst>_<number>``, for tests ``ivorn#<burst>_test_<number>``."""
    author_ivorn: str = Field(pattern=r"^ivo://")
    title: Text
    short_name: Text


class GcnNames(SourcedConstants):
    """Our GCN notices."""

    topic: str = Field(pattern=r"^gcn\.notices\.[a-z0-9_]+\.[a-z0-9_]+\.[a-z0-9_]+$")
    mission: Text
    instrument: Text
    schema_url: str = Field(alias="schema", pattern=r"^https://")
    """What the notice names as its schema."""


class CircularNames(SourcedConstants):
    """Our GCN Circulars."""

    form: str = Field(pattern=r"^https://")
    """Address of the form in which a person submits a circular."""
    acknowledgement: Text
    """Last paragraph."""


class Why(Constants):
    """The VOEvent's part of that name."""

    concept: Text
    """What is seen, in Unified Content Descriptors."""


class Names(Constants):
    """``announcement.toml``."""

    stream: Stream
    gcn: GcnNames
    circular: CircularNames
    why: Why


@cache
def names() -> Names:
    """Return the names that we publish under."""
    return read_toml(Path(__file__).with_name("announcement.toml"), Names)


@dataclass(frozen=True)
class Announcement:
    """A result as it is to be told."""

    report: Report
    position: Position
    """The one to tell; it has a radius."""
    number: int
    """Counts the announcements of a burst."""
    ivorn: str
    supersedes: str | None
    """Ivorn of our announcement before this one."""
    moment: datetime
    """When it is made, UTC."""
    author: str | None = None
    """Who decided; None: nobody yet, a draft to decide about."""
    comment: str = ""
    """What they want to say, one line."""
    desk_url: str | None = None
    """Where the decision is made and shown; None where the web server's address is not configured."""
    action: Action = "announce"
    """Of a retraction, ``supersedes`` is what it takes back, and ``comment`` why."""
    event: str | None = None
    """Name of the event; None while it is not known: then SVOM's id stands for it."""
    byline: tuple[str, ...] = ()
    """Authors of the circular."""
    acknowledgement: str | None = None
    """Last paragraph of the circular; None: that of ``announcement.toml``."""
    supersedes_circular: int | None = None
    """Number of the GCN Circular of the announcement before."""

    @property
    def is_retraction(self) -> bool:
        """True when it takes the announcement before back."""
        return self.action == "retract"

    @property
    def event_name(self) -> str:
        """The event as texts call it: ``GRB 260511A``, without a name ``sb26051102``."""
        return self.event or self.report.burst_id

    @property
    def observer(self) -> str:
        """The instrument that the result is from, with its mission: ``SVOM/MXT``."""
        mission = names().gcn.mission
        return f"{mission}/{self.instrument}" if self.instrument else mission

    @property
    def result(self) -> str:
        """The result in a few words, as the subject of a circular has it."""
        if self.is_retraction:
            return f"retraction of the {self.observer} result"
        if self.is_non_detection:
            return f"{self.observer} upper limit"
        if known := self.known_source:
            return f"{self.observer} detection of the known source {known.source}"
        if self.supersedes:
            return f"{self.observer} refined position"
        return f"{self.observer} {'detection of an X-ray source' if self.is_from_photons else 'position'}"

    @property
    def known_source(self) -> SourceMatch | None:
        """The catalogued source that the position is of, by all that is known; None of another one."""
        verdict, _ = verdict_about(self.report, self.position)
        known = known_sources(self.report, self.position)
        return known[0] if known and verdict is BurstVerdict.KNOWN_SOURCE else None

    @property
    def is_uncatalogued(self) -> bool:
        """True when a catalogue as deep as MXT was checked, and the position is of none of its sources."""
        return bool(self.deep_catalogues) and self._is_in_no_catalogue

    @property
    def is_not_bright(self) -> bool:
        """True when only catalogues of brighter sources were checked, and none of them is at the position."""
        return self._is_in_no_catalogue and not self.deep_catalogues

    @property
    def deep_catalogues(self) -> str:
        """The catalogues as deep as MXT that were checked around the position, by name; empty without any."""
        answers = [answer for answer in self.report.catalogues if answer.is_around(self.position)]
        return ", ".join(sorted({answer.catalogue for answer in answers if is_deep(answer)}))

    @property
    def _is_in_no_catalogue(self) -> bool:
        # Positions that disagree have another verdict, and then the catalogues are not told of.
        return verdict_about(self.report, self.position)[0] is BurstVerdict.UNCATALOGUED

    @property
    def is_best(self) -> bool:
        """True when the position is the one that the report recommends."""
        best = self.report.best_position
        return best is not None and best.label == self.position.label

    @property
    def is_from_photons(self) -> bool:
        """True when the position is from the VHF photons: only then are their measurements of its source."""
        return self.position.origin is Origin.MXT_VHF

    @property
    def is_non_detection(self) -> bool:
        """True when MXT detected no source, and the position is that of the instrument that triggered."""
        return is_non_detection(self.report.localisation) and self.position.origin in BEFORE_MXT

    @property
    def limit_words(self) -> str:
        """The upper limit of MXT in words; empty where there is none or a source was detected."""
        return upper_limit_text(self.report.localisation) if self.is_non_detection else ""

    @property
    def limit_band_kev(self) -> tuple[float, float]:
        """The energy band of the upper limit of the flux, keV."""
        return spectrum_constants().source.flux_band_kev

    @property
    def instrument(self) -> str | None:
        """The instrument that the result is from, as SVOM names it; None where it is not known."""
        origin = self.position.origin
        if self.is_non_detection or origin in (Origin.MXT_VHF, Origin.MXT_ONBOARD, Origin.GP):
            return names().gcn.instrument
        return None if origin is Origin.OTHER else str(origin)

    @property
    def localisation(self) -> Localisation | None:
        """Significance and exposure of the source; None where the position is not from the photons."""
        return self.report.localisation if self.is_from_photons else None

    @property
    def observation(self) -> Localisation | None:
        """Localisation whose observation gave the result, also a non-detection; None for another position."""
        return self.report.localisation if self.is_from_photons or self.is_non_detection else None

    @property
    def photons(self) -> PhotonSummary | None:
        """The photons that the position is from; None for another position."""
        return self.report.photons if self.is_from_photons else None

    @property
    def fit(self) -> SpectralFit | None:
        """Spectrum of the position's source; None where there is none that can be trusted."""
        fit = self.report.analysis.spectrum if self.is_from_photons and self.report.analysis else None
        return fit if fit and fit.trusted else None

    @property
    def observed(self) -> tuple[datetime, datetime] | None:
        """Begin and end of the good time of the observation that gave the result, UTC."""
        return self.observation.observed if self.observation else None

    @property
    def headline(self) -> str:
        """The announced result in one line of plain text."""
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
        """The verdict about the position in a word; with the name of a known source."""
        known = known_sources(self.report, self.position)
        return " ".join([str(verdict_about(self.report, self.position)[0]), *(one.source for one in known)])

    @property
    def reasons(self) -> list[str]:
        """Why this position, what else is known about it, and what the Burst Advocate says, in sentences."""
        _, verdict_reason = verdict_about(self.report, self.position)
        chosen = (
            self.report.best_reason
            if self.is_best
            else f"The Burst Advocate chose the position from {self.position.name}."
        )
        return [sentence for sentence in (chosen, verdict_reason, self.stage_words, self.comment) if sentence]

    @property
    def stage_words(self) -> str:
        """A sentence that calls the result preliminary; empty for that of a final report."""
        is_final = self.report.status == "final"
        return "" if is_final else "This result is preliminary; the analysis continues."

    @property
    def other_sources(self) -> tuple[LocalisedSource, ...]:
        """Other sources that MXT sees in the field; empty where the position is not from the photons."""
        return tuple(other_sources(self.localisation))

    @property
    def other_sources_words(self) -> str:
        """The other sources in a sentence; empty where there are none."""
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

    A position needs an error radius. That of the reference GP is ours under another name: left out.
    """
    is_ours = report.gp.is_reference
    return {
        position.label: position
        for position in report.positions
        if position.r90_arcsec and not (is_ours and position.origin is Origin.GP)
    }


def recommended(report: Report) -> Position | None:
    """Return the position that is announced unless another one is chosen; None without any.

    It is the best one of the report. Where that is the reference GP's, which is never announced, it is our
    own, else the most precise of the others.
    """
    best, known = report.best_position, announceable(report)
    if best is None or best.origin is not Origin.GP or not report.gp.is_reference:
        return best
    return min(
        known.values(),
        key=lambda one: (one.origin is not Origin.MXT_VHF, one.r90_arcsec or 0.0),
        default=None,
    )


def announceable_first(report: Report) -> tuple[Position, ...]:
    """Return the positions that can be announced, the recommended one first; empty without such a one."""
    best = recommended(report)
    if best is None:
        return ()
    return (best, *(position for position in announceable(report).values() if position.label != best.label))


def chosen_position(report: Report, label: str | None) -> Position:
    """Return the position of a label; None or ``best``: the recommended one.

    Raises
    ------
    InvalidInput
        There is none of this label with an error radius, or none is recommended.
    """
    if label in (None, BEST):
        best = recommended(report)
        if best is None:
            raise InvalidInput(f"report of {report.run_id}: it has no best position to announce")
        return best
    known = announceable(report)
    if label not in known:
        raise InvalidInput(
            f"position {label!r}: the report of {report.run_id} has {', '.join(known) or 'none to announce'}"
        )
    return known[str(label)]


def known_sources(report: Report, position: Position) -> tuple[SourceMatch, ...]:
    """Return the catalogued sources near a position that are its likelier than not, the likeliest first."""
    near = (one for one in report.associations if one.position == position.label)
    return tuple(one for one in near if one.probability > 0.5)


def triggered_by(report: Report) -> str | None:
    """Return the instrument that found the burst; None where no notice of it is known."""
    alerts = sorted((report.alert, *report.related), key=lambda alert: alert.event_time)
    return next((alert.instrument for alert in alerts if alert.instrument not in FOLLOW_UP), None)


def cited_notices(report: Report) -> tuple[str, ...]:
    """Return the ivorns of the notices that the report knows, oldest first."""
    alerts = sorted((report.alert, *report.related), key=lambda alert: alert.published or alert.event_time)
    return tuple(dict.fromkeys(alert.ivorn for alert in alerts))


def iso_utc(moment: datetime) -> str:
    """Write a moment as GCN's notices do: UTC with microseconds and ``Z``."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
