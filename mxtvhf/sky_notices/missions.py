"""Rates, time windows and position errors of other missions, read from ``missions.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pydantic import Field

from mxtvhf.models.base import NonNegative
from mxtvhf.models.quantities import Positive, Probability, Text
from mxtvhf.models.toml import Constants, SourcedConstants, read_toml


class ReadingFacts(SourcedConstants):
    """Which notices are read."""

    schema_majors: tuple[int, ...]
    """Major versions of GCN's schemas whose core fields are known."""
    latest_after_now_s: NonNegative
    not_detections: tuple[Text, ...]
    """Parts of the names of notices that report no detection, in lower case."""
    statistical_radii: tuple[Text, ...]
    """Missions whose VOEvents have radii without the systematic error."""
    with_systematic: tuple[Text, ...]
    """Beginnings of the ivorns of their notices with it, in lower case."""

    not_burst_classes: tuple[Text, ...]
    """Parts of the names of classes that are not bursts, in lower case."""
    not_burst_from: Probability
    """Smallest probability of such a class for an event that is not a burst."""


class SearchLimits(SourcedConstants):
    """Limits of the search for coincidences."""

    probable_below: Probability
    possible_below: Probability
    consistent_from: Probability
    days: Positive
    unknown_window_s: Positive
    """Largest time difference from an event of an instrument that is not listed here."""


class Detector(SourcedConstants):
    """An instrument of another mission."""

    mission: Text
    instrument: str
    rate_per_day: Positive
    """Independent events for which the instrument sends notices, per day."""
    before_s: NonNegative
    after_s: NonNegative
    timing_s: Positive
    """Time difference below which a shorter one carries no information, seconds."""
    systematic_r90_deg: NonNegative
    unstated_r90_deg: NonNegative = 0.0
    """90 % radius of positions that are published without an error; 0 if none is assumed."""
    containment: Probability
    """Probability inside the error radius of a VOEvent of this instrument."""


class MissionFacts(Constants):
    """Contents of ``missions.toml``."""

    version: Text
    reading: ReadingFacts
    search: SearchLimits
    detector: tuple[Detector, ...] = Field(min_length=1)
    names: dict[Text, tuple[str, str]]
    """Mission and instrument, by the name of a schema or the beginning of an ivorn."""


@cache
def mission_facts() -> MissionFacts:
    """Return the facts about other missions; the TOML file gives their sources."""
    return read_toml(Path(__file__).with_name("missions.toml"), MissionFacts)


@cache
def detector_of(mission: str, instrument: str) -> Detector | None:
    """Return the facts about an instrument; None if it is unknown.

    Parameters
    ----------
    mission, instrument
        Names as in a `SkyNotice`.
    """
    return next(
        (one for one in mission_facts().detector if (one.mission, one.instrument) == (mission, instrument)),
        None,
    )


def class_of_no_burst(classification: Mapping[str, float]) -> str | None:
    """Return the class of an event that is almost certainly not a burst; None for other events.

    Parameters
    ----------
    classification
        Probability of each class, as in GCN's notices.
    """
    facts = mission_facts().reading
    for name, probability in classification.items():
        is_other = any(part in name.lower() for part in facts.not_burst_classes)
        if is_other and probability >= facts.not_burst_from:
            return name
    return None


def longest_window_s() -> tuple[float, float]:
    """Return the longest time before and after T0 in which a notice can be of the same event, seconds."""
    every = mission_facts().detector
    return max(one.before_s for one in every), max(one.after_s for one in every)
