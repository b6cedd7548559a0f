"""Several sources in the VHF photons, as rows of a table and in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mxtvhf.crosscheck.bayes import probability_text
from mxtvhf.crosscheck.model import SourceIdentity
from mxtvhf.localisation.choice import SURE
from mxtvhf.localisation.model import Localisation, LocalisedSource
from mxtvhf.models.angles import angle_text, radius_text, separation_arcsec
from mxtvhf.reporting.report.model import Report

_CROWDED = 3
"""Number of found sources from which the field is called crowded. Of 20 sources 3 to 6 are found, most of
them blends (``docs/explanation/real-sky.md``)."""


@dataclass(frozen=True)
class SourceRow:
    """Row of the table of sources."""

    source: LocalisedSource
    is_burst: bool
    """True for the source that is identified as the burst."""
    from_burst: str
    """Separation from the burst; ``-`` for the burst itself."""
    spectrum: str
    variability: str
    in_eclairs: str
    catalogue: str
    """Catalogued source that it is identified with."""
    confused: str
    """Names of sources too close to be separated from it."""


def source_rows(report: Report) -> list[SourceRow]:
    """Return the sources by decreasing significance; empty with fewer than two."""
    found = report.localisation
    burst = chosen_source(found)
    if found is None or burst is None or len(found.sources) < 2:
        return []
    return [
        SourceRow(
            source=source,
            is_burst=source.name == burst.name,
            from_burst="-" if source.name == burst.name else angle_text(_apart(source, burst)),
            spectrum=f"index {source.photon_index:.1f}, nH {source.nh_cm2:.0e}/cm2".replace("e+", "e"),
            variability=variability_text(source),
            in_eclairs={True: "inside", False: "outside", None: "unknown"}[source.in_eclairs],
            catalogue=catalogue_text(source, _identity(report, source)),
            confused=", ".join(source.confused_with) or "-",
        )
        for source in found.sources
    ]


def source_lines(localisation: Localisation) -> list[str]:
    """Return several sources as lines of text, and the reason for the choice; empty with one source."""
    if len(localisation.sources) < 2:
        return []
    lines = []
    for source in localisation.sources:
        (ra, dec), radius = source.position.degrees_text, source.position.r90_arcsec or 0.0
        mark = "*" if source.name == localisation.chosen else " "
        lines.append(
            f"{mark} {source.name:3}  RA {ra}  Dec {dec}  R90 {radius_text(radius)}  "
            f"{source.n_source:.0f} photons, TS {source.ts:.1f}, {variability_text(source)}"
            f"{f', {source.known_as}' if source.known_as else ''}"
        )
    sentence = choice_sentence(localisation)
    return [*lines, *([sentence] if sentence else [])]


def chosen_source(localisation: Localisation | None) -> LocalisedSource | None:
    """Return the source that is identified as the burst; None without a list of sources."""
    sources = localisation.sources if localisation else ()
    return next((source for source in sources if localisation and source.name == localisation.chosen), None)


def other_sources(localisation: Localisation | None) -> list[LocalisedSource]:
    """Return the other sources, the most significant first."""
    burst = chosen_source(localisation)
    if localisation is None or burst is None:
        return []
    return [source for source in localisation.sources if source.name != burst.name]


def choice_sentence(localisation: Localisation | None) -> str | None:
    """Return why one of several sources is identified as the burst; None with only one."""
    if localisation is None or localisation.chosen is None or localisation.choice is None:
        return None
    return f"{localisation.chosen} is identified as the burst: {localisation.choice}."


def variability_text(source: LocalisedSource) -> str:
    """Describe the variability of a source."""
    if source.fading is None or source.decay_index is None:
        return "unknown (no T0)"
    if source.fading >= SURE:
        return f"fading, index {source.decay_index:.1f}"
    if source.fading <= 1.0 - SURE:
        return "steady"
    return f"unclear (fading {probability_text(source.fading)})"


def catalogue_text(source: LocalisedSource, identity: SourceIdentity | None) -> str:
    """Describe the catalogued source that a source is identified with, or why there is none."""
    match = identity.known if identity else None
    if match is not None:
        apart = angle_text(match.separation_arcsec)
        return f"{match.source} ({match.catalogue}), {apart} away, {probability_text(match.probability)}"
    if source.known_as is not None:
        return f"{source.known_as} (bright source)"
    if identity is None or not identity.checked:
        return "not checked"
    if identity.matches:
        nearest = min(identity.matches, key=lambda one: one.separation_arcsec)
        return f"none likely; nearest {nearest.source}, {angle_text(nearest.separation_arcsec)} away"
    return "none"


def is_catalogued(report: Report, source: LocalisedSource) -> bool:
    """Return True if a source is a catalogued one with a probability above 50 %."""
    identity = _identity(report, source)
    return source.known_as is not None or bool(identity and identity.known)


def source_warnings(report: Report) -> list[str]:
    """Return the caveats about extended sources and about several sources, in sentences."""
    burst = chosen_source(report.localisation)
    others = other_sources(report.localisation)
    if burst is None:
        return []
    extended = [
        f"{source.name} is wider than a point source by {source.extent_arcmin:.1f}' (1 sigma): it is "
        "extended, or it consists of several sources."
        for source in (burst, *others)
        if source.extent_arcmin is not None
    ]
    if burst.extent_arcmin is not None:
        extended.append(
            f"The rates and fluxes of {burst.name} are too low: the correction for photons outside the "
            "source region assumes a point source."
        )
    if not others:
        return extended
    nearest = sorted(others, key=lambda other: _apart(other, burst))
    places = [
        f"{other.name} ({other.n_source:.0f} photons, TS {other.ts:.0f}) {angle_text(_apart(other, burst))}"
        for other in nearest
    ]
    noun = "Another source lies" if len(others) == 1 else f"{len(others)} other sources lie"
    listed = " and ".join(filter(None, [", ".join(places[:-1]), places[-1]]))
    return [
        f"{noun} in the field: {listed} from the burst ({burst.name}).",
        *extended,
        *_crowding(1 + len(others)),
        *_confusions(burst, others),
        *_doubts_of_choice(report, burst, others),
    ]


def _crowding(sources: int) -> Iterator[str]:
    if sources >= _CROWDED:
        yield (
            f"The field is crowded ({sources} sources found): sources that are close together may be found "
            "as one, and its error circle may contain none of them."
        )


def _confusions(burst: LocalisedSource, others: list[LocalisedSource]) -> Iterator[str]:
    """Yield a sentence for each pair of sources that cannot be separated."""
    told = set()
    for source in (burst, *others):
        for name in source.confused_with:
            pair = tuple(sorted((source.name, name)))
            if pair not in told:
                told.add(pair)
                yield (
                    f"{pair[0]} and {pair[1]} are closer than the width of the PSF; position and counts of "
                    "each depend on the other."
                )


def _doubts_of_choice(report: Report, burst: LocalisedSource, others: list[LocalisedSource]) -> Iterator[str]:
    """Yield sentences if the catalogues contradict the choice, which only used the brightest sources."""
    if not is_catalogued(report, burst):
        return
    identity = _identity(report, burst)
    words = catalogue_text(burst, identity)
    for other in others:
        checked = _identity(report, other)
        if checked is None or not checked.checked or is_catalogued(report, other):
            continue
        place = " and lies in the ECLAIRs error circle" if other.in_eclairs else ""
        yield (
            f"{burst.name} is identified as the burst, but it is a catalogued source: {words}. {other.name} "
            f"is uncatalogued{place}, so the burst may be {other.name}."
        )


def _identity(report: Report, source: LocalisedSource) -> SourceIdentity | None:
    return next((one for one in report.identities if one.name == source.name), None)


def _apart(one: LocalisedSource, other: LocalisedSource) -> float:
    first, second = one.position, other.position
    return separation_arcsec(first.ra_deg, first.dec_deg, second.ra_deg, second.dec_deg)
