"""The verdict of a report in three layers: one line, the comparisons with their numbers, the explanation.

The desk, the report's page and the announcements use the same line and the same sentences.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mxtvhf.analysis.powerlaw import spectrum_constants
from mxtvhf.catalogues.model import CatalogueAnswer
from mxtvhf.crosscheck.bayes import probability_text
from mxtvhf.crosscheck.model import BurstVerdict, PositionPair, Verdict
from mxtvhf.crosscheck.pairs import compare, p_text
from mxtvhf.crosscheck.verdict import burst_verdict, is_deep
from mxtvhf.localisation.model import Localisation
from mxtvhf.models.angles import angle_text, radius_text
from mxtvhf.models.position import Origin, Position, current_positions, superseded
from mxtvhf.models.text import sentences
from mxtvhf.reporting.report.model import Report


@dataclass(frozen=True)
class NamedPair:
    """A comparison of two positions, with the names of both."""

    first: str
    second: str
    pair: PositionPair


def verdict_about(report: Report, position: Position | None) -> tuple[BurstVerdict, str]:
    """Return the verdict and its reason for one of the report's positions.

    For a position other than the recommended one, only comparisons with that position count.
    """
    if position is None or is_best(report, position):
        return report.verdict, report.verdict_reason
    pairs = [pair for pair in report.crosscheck if position.label in (pair.first, pair.second)]
    current = [*current_positions(report.positions).values(), position]
    return burst_verdict(position, current, pairs, report.catalogues, report.associations)


def verdict_line(report: Report, position: Position | None) -> str:
    """Return the verdict in one line: ``uncatalogued, consistent with ECLAIRs (4.1' away), ...``."""
    word, facts = str(verdict_about(report, position)[0]), verdict_facts(report, position)
    return facts if facts.startswith(f"{word} ") else ", ".join(filter(None, (word, facts)))


def verdict_facts(report: Report, position: Position | None) -> str:
    """Return what follows the verdict's word in the line: the comparison with ECLAIRs, the catalogues.

    Parameters
    ----------
    report
        Report of a run.
    position
        One of its positions; None if it has none.
    """
    return ", ".join(_facts(report, position)) if position else ""


def _facts(report: Report, position: Position) -> Iterator[str]:
    word, _ = verdict_about(report, position)
    if word is BurstVerdict.NO_MXT_SOURCE:
        if is_non_detection(report.localisation):
            yield upper_limit_text(report.localisation) or "no upper limit"
        yield f"{position.instrument} position only"
        return
    if word is BurstVerdict.KNOWN_SOURCE:
        match = next(one for one in report.associations if one.position == position.label)
        yield f"{match.source} ({angle_text(match.separation_arcsec)} away)"
    if word in (BurstVerdict.INCONSISTENT, BurstVerdict.UNCLEAR):
        yield from _disagreement(report, Verdict(word))
    else:
        yield from _versus_eclairs_text(report, position)
    if word is not BurstVerdict.KNOWN_SOURCE:
        yield from _catalogues_text(report, position)
    if is_non_detection(report.localisation):
        limit = upper_limit_text(report.localisation)
        yield f"no source in the VHF photons ({limit})" if limit else "no source in the VHF photons"


def _disagreement(report: Report, verdict: Verdict) -> Iterator[str]:
    """Name the first pair of current positions with a verdict, and count the others."""
    current = {one.label for one in current_positions(report.positions).values()}
    found = [
        one
        for one in named_pairs(report)
        if one.pair.verdict is verdict and one.pair.p_value is not None
        if {one.pair.first, one.pair.second} <= current
    ]
    if not found:
        return
    first = found[0]
    apart, chance = angle_text(first.pair.separation_arcsec), p_text(first.pair.p_value or 0.0)
    yield f"{first.first} and {first.second} {apart} apart ({chance})"
    if others := len(found) - 1:
        yield f"{others} more {verdict} pair{'s' if others > 1 else ''}"


def _versus_eclairs_text(report: Report, position: Position) -> Iterator[str]:
    if position.origin is Origin.ECLAIRS:
        yield "ECLAIRs position only" if is_best(report, position) else "position of ECLAIRs"
        return
    pair = versus_eclairs(report, position)
    if pair is None:
        yield "no ECLAIRs position to compare with"
        return
    link = "of" if pair.verdict is Verdict.NOT_INDEPENDENT else "with"
    words = "comparison unclear" if pair.verdict is Verdict.UNCLEAR else str(pair.verdict)
    yield f"{words} {link} ECLAIRs ({angle_text(pair.separation_arcsec)} away)"


def _catalogues_text(report: Report, position: Position) -> Iterator[str]:
    """Describe the result of the catalogue searches around a position, and how deep they were."""
    complete = [one for one in report.catalogues if one.is_complete and one.is_around(position)]
    if not complete:
        yield "no catalogue checked"
        return
    here = [match for match in report.associations if match.position == position.label]
    if here:
        yield f"most probable catalogued source {here[0].source} ({probability_text(here[0].probability)})"
    elif deep := [one for one in complete if is_deep(one)]:
        yield f"no known X-ray source within {_widest(deep)}"
    else:
        names = ", ".join(sorted({one.catalogue for one in complete}))
        yield f"no bright catalogued X-ray source within {_widest(complete)} (only {names} checked)"


def _widest(answers: list[CatalogueAnswer]) -> str:
    return radius_text(max(answer.radius_arcsec for answer in answers))


def explanation(report: Report, position: Position | None) -> list[str]:
    """Return the reasons of recommendation and verdict as sentences, without those of the comparisons.

    Parameters
    ----------
    report
        Report of a run.
    position
        Position that the verdict is about.
    """
    _, reason = verdict_about(report, position)
    text = f"{report.best_reason} {reason}"
    # The pairwise comparison lists these with their numbers.
    for pair in report.crosscheck:
        text = text.replace(pair.explanation, "")
    return list(dict.fromkeys(sentences(text)))


def pairs_by_weight(report: Report) -> list[PositionPair]:
    """Return the comparisons in reading order: inconsistent ones first, then those of the best position."""
    best = report.best_position.label if report.best_position else None
    return sorted(
        report.crosscheck,
        key=lambda pair: (
            pair.verdict is not Verdict.INCONSISTENT,
            pair.p_value is None,
            best not in (pair.first, pair.second),
        ),
    )


def named_pairs(report: Report) -> list[NamedPair]:
    """Return the comparisons in reading order; superseded positions are named with their notice."""
    old = superseded(report.positions)
    names = {one.label: one.name if one.label in old else one.instrument for one in report.positions}
    return [
        NamedPair(names.get(pair.first, pair.first), names.get(pair.second, pair.second), pair)
        for pair in pairs_by_weight(report)
    ]


def versus_eclairs(report: Report, position: Position | None) -> PositionPair | None:
    """Return the comparison of a position with the current ECLAIRs one; None if one of them is missing."""
    eclairs = current_positions(report.positions).get(Origin.ECLAIRS)
    if position is None or position.origin is Origin.ECLAIRS or eclairs is None:
        return None
    labels = {position.label, eclairs.label}
    compared = (pair for pair in report.crosscheck if {pair.first, pair.second} == labels)
    return next(compared, None) or compare(position, eclairs)


def is_best(report: Report, position: Position) -> bool:
    """Return True for the recommended position."""
    return report.best_position is not None and position.label == report.best_position.label


def is_non_detection(found: Localisation | None) -> bool:
    """Return True if the photons were localised and show no source."""
    return found is not None and not found.detected


def upper_limit_text(found: Localisation | None) -> str:
    """Format the upper limit of a field without a source; empty if there is none."""
    if found is None or found.upper_limit_photons is None:
        return ""
    flux = found.upper_limit_flux
    low, high = spectrum_constants().source.flux_band_kev
    observed = "" if flux is None else f", {flux:.1e} erg/cm2/s in {low:g}-{high:g} keV"
    if found.upper_limit_fluxes:
        usual = found.upper_limit_fluxes[0].flux
        observed += f" for nine in ten expected spectra ({usual:.1e} for a typical one)"
    return f"90 % upper limit {found.upper_limit_photons:.0f} counts{observed}"
