"""Derive the overall verdict on a burst and explain it with numbers."""

from __future__ import annotations

from collections.abc import Sequence

from mxtvhf.catalogues.model import CatalogueAnswer
from mxtvhf.crosscheck.bayes import probability_text
from mxtvhf.crosscheck.best_position import CHAIN
from mxtvhf.crosscheck.model import BurstVerdict, PositionPair, SourceMatch, Verdict
from mxtvhf.crosscheck.pairs import name, p_text
from mxtvhf.crosscheck.settings import crosscheck_settings
from mxtvhf.crosscheck.shared_data import is_of_mxt
from mxtvhf.models.angles import angle_text
from mxtvhf.models.position import Origin, Position

BEFORE_MXT = (Origin.ECLAIRS, Origin.GRM)
"""Origins of positions that trigger an MXT observation."""


def burst_verdict(
    best: Position | None,
    current: Sequence[Position],
    pairs: Sequence[PositionPair],
    answers: Sequence[CatalogueAnswer],
    matches: Sequence[SourceMatch],
) -> tuple[BurstVerdict, str]:
    """Derive the verdict from the current positions and the catalogues around the best one.

    Parameters
    ----------
    best
        Recommended position; None if there is none.
    current
        Last position of each origin.
    pairs
        Comparisons of all pairs of positions.
    answers
        Results of the catalogue searches.
    matches
        Comparisons of every position with every source, the most probable first.

    Returns
    -------
    verdict, reason
        A known source is reported even if other positions disagree; disagreements are always reported.
    """
    if best is None:
        return BurstVerdict.UNCLEAR, "There is no position to judge."
    labels = {position.label for position in current}
    compared = [pair for pair in pairs if {pair.first, pair.second} <= labels]
    against = [pair for pair in compared if pair.verdict is Verdict.INCONSISTENT]
    doubtful = [pair for pair in compared if pair.verdict is Verdict.UNCLEAR and pair.p_value is not None]
    chosen = _independent(best, current, compared)
    agreement = _agreement([pair for pair in compared if {pair.first, pair.second} <= chosen])
    word, reason = _by_catalogues(best, answers, matches)
    if word is not BurstVerdict.KNOWN_SOURCE:
        if against:
            word = BurstVerdict.INCONSISTENT
        elif doubtful:
            word = BurstVerdict.UNCLEAR
        elif best.origin in BEFORE_MXT and not any(map(is_of_mxt, current)):
            word = BurstVerdict.NO_MXT_SOURCE
            agreement = ["MXT gives no position.", *agreement]
    sentences = [*(pair.explanation for pair in (*against, *doubtful)), *agreement, reason]
    if word is BurstVerdict.KNOWN_SOURCE:
        sentences = [reason, *sentences[:-1]]
    return word, " ".join([*sentences, *_elsewhere(best, current, matches), *not_checked(answers)])


def _by_catalogues(
    best: Position, answers: Sequence[CatalogueAnswer], matches: Sequence[SourceMatch]
) -> tuple[BurstVerdict, str]:
    """Derive the verdict on the best position from the catalogues alone."""
    limits = crosscheck_settings().association
    here = [match for match in matches if match.position == best.label]
    asked = [answer for answer in answers if answer.checked and answer.is_around(best)]
    likely = _known_probability(here)
    if likely >= limits.known_from:
        return BurstVerdict.KNOWN_SOURCE, here[0].explanation
    if not asked:
        return BurstVerdict.CONSISTENT, "No catalogue was checked, so it may be a known source."
    if likely >= limits.uncatalogued_below:
        return (
            BurstVerdict.UNCLEAR,
            f"It may be a known source ({probability_text(likely)}): {here[0].explanation}",
        )
    # A catalogue with unusable rows cannot show that there is no source.
    complete = [answer for answer in asked if answer.is_complete]
    if not complete:
        return BurstVerdict.CONSISTENT, "No catalogue was checked completely, so it may be a known source."
    catalogues = ", ".join(sorted({answer.catalogue for answer in complete}))
    if here:
        closest = f"; the most probable, {here[0].source}, has {probability_text(here[0].probability)}"
    else:
        closest = f" within {angle_text(max(answer.radius_arcsec for answer in complete))}"
    words = [f"No source of {catalogues} is at {name(best)}{closest}."]
    if not any(is_deep(answer) for answer in complete):
        words.append("None of these catalogues is as deep as MXT: a fainter known source is not excluded.")
    return BurstVerdict.UNCATALOGUED, " ".join(words)


def is_deep(answer: CatalogueAnswer) -> bool:
    """Return True if a catalogue was searched completely and is as deep as MXT.

    Parameters
    ----------
    answer
        Answer of the catalogue.
    """
    density, limit = answer.density_per_deg2, crosscheck_settings().association.deep_from_per_deg2
    return answer.is_complete and density is not None and density >= limit


def _known_probability(matches: Sequence[SourceMatch]) -> float:
    """Return the largest probability over the catalogues that the position is one of their sources."""
    sums: dict[str, float] = {}
    for match in matches:
        sums[match.catalogue] = sums.get(match.catalogue, 0.0) + match.probability
    return max(sums.values(), default=0.0)


def _independent(best: Position, current: Sequence[Position], pairs: Sequence[PositionPair]) -> set[str]:
    """Return the labels of mutually independent positions, the best one first."""
    dependent = [{pair.first, pair.second} for pair in pairs if not pair.independent]
    chosen: list[str] = []
    for position in (best, *sorted(current, key=lambda one: CHAIN.index(one.origin))):
        if all({position.label, label} not in dependent for label in chosen):
            chosen.append(position.label)
    return set(chosen)


def _agreement(pairs: Sequence[PositionPair]) -> list[str]:
    """Describe which independent positions agree."""
    agreeing = [pair for pair in pairs if pair.verdict is Verdict.CONSISTENT and pair.independent]
    if not agreeing:
        return []
    least = min(agreeing, key=lambda pair: pair.p_value or 0.0)
    if len(agreeing) == 1:
        return [least.explanation]
    chance = p_text(least.p_value or 0.0)
    return [f"{len(agreeing)} pairs of independent positions agree (smallest {chance})."]


def _elsewhere(best: Position, current: Sequence[Position], matches: Sequence[SourceMatch]) -> list[str]:
    """Describe positions other than the best one that belong to known sources."""
    limit = crosscheck_settings().association.known_from
    known = {
        match.position: match
        for match in reversed(matches)
        if match.probability >= limit and match.position != best.label
    }
    return [
        f"{name(position)} belongs to a known source: {known[position.label].explanation}"
        for position in current
        if position.label in known
    ]


def not_checked(answers: Sequence[CatalogueAnswer]) -> list[str]:
    """Return a sentence for each catalogue, or part of one, that could not be searched, with the reason.

    Parameters
    ----------
    answers
        Answers of all catalogues.
    """
    unchecked = {answer.catalogue: answer.reason for answer in answers if not answer.checked}
    parts = {answer.catalogue: answer.gap for answer in answers if answer.checked and answer.unusable_here}
    return [
        *(f"Not checked: {catalogue} ({reason})." for catalogue, reason in unchecked.items()),
        *(f"Not checked: {gap} of {catalogue}." for catalogue, gap in parts.items()),
    ]
