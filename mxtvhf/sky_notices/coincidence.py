"""Coincidences of other missions' events with a burst of ours, and their probabilities of chance.

An event is compared in time and position. Let ``u`` be the fraction of the time window that is as close to T0
as the event, and ``v`` the fraction of the sky that fits our position as well as the event's position does,
relative to the part of the sky that counts as consistent. For unrelated events both are uniform, so the
expected number of unrelated events that fit at least as well is

    s = N u v (1 - ln(u v)),

where ``N`` is the expected number of unrelated events in the window with a consistent position, from the rate
of the mission's notices. (The product of two uniform numbers is below ``q`` with the probability
``q (1 - ln q)``.) An event without a usable position is compared in time alone: ``s = N u``. The probability
of chance is ``1 - exp(-s)``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from math import cos, exp, expm1, hypot, pi, radians, sin, sqrt
from math import log as ln
from typing import Literal

import numpy as np
from pydantic import AwareDatetime

from mxtvhf.errors import InvalidInput
from mxtvhf.models.angles import angle_text, radius_text, separation_arcsec
from mxtvhf.models.arrays import Floats
from mxtvhf.models.base import Model
from mxtvhf.models.position import Position
from mxtvhf.models.rounding import rounded
from mxtvhf.models.times import duration_text
from mxtvhf.sky_notices.missions import Detector, detector_of, longest_window_s, mission_facts
from mxtvhf.sky_notices.model import ErrorEllipse, SkyNotice
from mxtvhf.sky_notices.probability_map import ProbabilityMap
from mxtvhf.sky_notices.store import SkyStore

log = logging.getLogger(__name__)

Association = Literal["probable", "possible", "chance"]
R90_IN_SIGMA = sqrt(2.0 * ln(10.0))
"""90 % radius of a circular Gaussian in standard deviations per axis."""
NONE_RECEIVED = "no notice of another mission was ever received"
_SAMPLES = 200
_SMALLEST = 1e-12
MOST_COMPARED = 100
"""Largest number of notices of an instrument before, and after T0, whose events are compared with a burst."""
MAP_REGIONS = (50.0, 90.0, 99.0, 99.9)
"""Regions of a sky map that are named, percent."""
MAP_LEVEL = 0.999
"""Probability inside the region of a sky map that counts as consistent."""


class SkyCoincidence(Model):
    """An event of another mission in the time window of a burst, with a consistent or unknown position."""

    mission: str
    instrument: str
    event_id: str
    names: tuple[str, ...] = ()
    time: AwareDatetime
    """Time of the event, UTC."""
    seconds_after_trigger: float
    r90_arcsec: float | None = None
    """90 % error radius of the event; the major axis of an ellipse; None without a usable error ellipse."""
    area: ErrorEllipse | None = None
    """Error ellipse of the event with the systematic error; None without one, or with a sky map."""
    separation_arcsec: float | None = None
    p_value: float | None = None
    """Probability of a position as far from ours for one source; for a sky map, the probability outside the
    contour through our position; None if the positions were not compared."""
    position_not_checked: str = ""
    """Reason why the positions were not compared; empty if they were."""
    chance_probability: float | None
    """Probability that an unrelated event fits as well; None if the rate of such events is unknown."""
    association: Association
    significance: str = ""
    links: tuple[str, ...] = ()
    digest: str
    """SHA-256 of the notice used, as received."""
    explanation: str

    @property
    def detector(self) -> str:
        """Name of mission and instrument for people."""
        return f"{self.mission} {self.instrument}".strip()

    @property
    def delay(self) -> str:
        """Time after T0 as text: ``+2.3 s``."""
        return duration_text(self.seconds_after_trigger, sign="+")

    @property
    def region(self) -> str:
        """Region of its sky map that holds our position, as text: ``50 % region``."""
        return _region(self.p_value)

    @property
    def chance(self) -> str:
        """Probability of chance as text: ``2e-05``, ``unknown``."""
        return chance_text(self.chance_probability).removeprefix("chance probability ")


class Withdrawal(Model):
    """An event that its mission retracted, or no longer takes for a burst."""

    detector: str
    """Mission and instrument, as in `SkyCoincidence`."""
    event_id: str
    reason: str

    @property
    def words(self) -> str:
        """The event and the reason: ``Fermi GBM 796863442, retracted by its mission``."""
        return f"{self.detector} {self.event_id}, {self.reason}"


class OtherMissions(Model):
    """What other missions reported at the time of a burst."""

    checked: bool
    """False if no comparison was possible; an empty result then means nothing."""
    reason: str = ""
    """Reason why nothing was checked."""
    notices: int = 0
    """Number of notices with an event time in the longest window."""
    not_compared: int = 0
    """Number of further notices in the window, all farther from T0 in time; 0 except in a storm of them."""
    unreadable: int = 0
    """Number of unreadable notices received around the burst."""
    has_unread: bool = False
    """True if the newest notices may not have been compared yet, because many arrived at once."""
    coincidences: tuple[SkyCoincidence, ...] = ()
    """Most probable first."""
    withdrawn: tuple[Withdrawal, ...] = ()
    """Events in the window that their missions retracted, or first reported as bursts and later classified as
    something else."""

    @property
    def seen_by(self) -> tuple[str, ...]:
        """Names of the instruments with a probable coincidence."""
        return tuple(
            dict.fromkeys(one.detector for one in self.coincidences if one.association == "probable")
        )

    @property
    def counted(self) -> str:
        """What was compared, as a sentence."""
        more = f"; farther from T0, not compared: {self.not_compared}" if self.not_compared else ""
        unread = f"; unreadable: {self.unreadable}" if self.unreadable else ""
        later = (
            " Not checked yet: the newest notices, because many arrived at once." if self.has_unread else ""
        )
        return f"Notices of other missions in the time window: {self.notices}{more}{unread}.{later}"

    @property
    def nothing(self) -> str:
        """Sentence for a result without coincidences."""
        among = " among the notices read so far" if self.has_unread else ""
        return f"No event of another mission fits in time and position{among}."

    @property
    def summary(self) -> str:
        """One line for headlines and notifications."""
        if not self.checked:
            return f"other missions not checked: {self.reason}"
        if not self.seen_by:
            later = "; newest notices not checked yet" if self.has_unread else ""
            return f"no probable detection by another mission{later}"
        best = {one.detector: one for one in reversed(self.coincidences) if one.association == "probable"}
        parts = (f"{name} ({chance_text(best[name].chance_probability)})" for name in self.seen_by)
        return f"also seen by {', '.join(parts)}"


def other_missions(
    store: SkyStore, burst_id: str, trigger_time: datetime | None, position: Position | None, *, is_test: bool
) -> OtherMissions:
    """Return the coincidences of other missions' events with a burst.

    Parameters
    ----------
    store
        Store of the notices.
    burst_id
        The burst; SVOM's own notices about it are ignored.
    trigger_time
        T0, UTC; None if unknown.
    position
        Best position of the burst; None to compare in time alone.
    is_test
        True for a test burst, which is compared with test notices.
    """
    if not store.is_in_use:
        reason = "none was read yet, because many arrived at once" if store.has_unread else NONE_RECEIVED
        return OtherMissions(checked=False, reason=reason)
    if trigger_time is None:
        return OtherMissions(checked=False, reason="T0 of the burst is unknown")
    try:
        return _checked(store, burst_id, trigger_time, position, is_test=is_test)
    except OSError as error:
        return OtherMissions(checked=False, reason=f"the notices cannot be read: {error}")
    except Exception as error:
        # Foreign notices must never prevent a report.
        log.exception("burst %s: comparison with other missions failed", burst_id)
        return OtherMissions(checked=False, reason=f"internal error {type(error).__name__}: {error}")


def _checked(
    store: SkyStore, burst_id: str, trigger_time: datetime, position: Position | None, *, is_test: bool
) -> OtherMissions:
    has_unread = store.has_unread  # before the queries, so that a notice read after them is not overlooked
    before, after = (timedelta(seconds=seconds) for seconds in longest_window_s())
    start, end = trigger_time - before, trigger_time + after
    seen = store.detectors(start, end, is_test=is_test)
    near = [
        store.near_events(
            mission,
            instrument,
            trigger_time,
            window_s(mission, instrument),
            is_test=is_test,
            most=MOST_COMPARED,
        )
        for mission, instrument, _ in seen
    ]
    events = dict.fromkeys((one.mission, event) for one in near for event in one.events)
    events.pop(("SVOM", burst_id), None)
    found: list[SkyCoincidence] = []
    withdrawn: list[Withdrawal] = []
    for of_event in store.of_events(events):
        for notices in by_instrument(of_event):
            if reason := reason_against(notices):
                if any(one.is_burst is not False and not one.is_retraction for one in notices):
                    last = notices[-1]
                    withdrawn.append(
                        Withdrawal(detector=notices[0].detector, event_id=last.event_id, reason=reason)
                    )
            elif one := compare(notices, store, trigger_time, position):
                found.append(one)
    order = {"probable": 0, "possible": 1, "chance": 2}
    found.sort(key=lambda one: (order[one.association], one.chance_probability or 1.0, one.event_id))
    return OtherMissions(
        checked=True,
        notices=sum(number for _, _, number in seen),
        unreadable=store.unread(start, end),
        has_unread=has_unread,
        not_compared=sum(one.others for one in near),
        coincidences=tuple(found),
        withdrawn=tuple(withdrawn),
    )


def window_s(mission: str, instrument: str) -> tuple[float, float]:
    """Return the time before and after T0 in which an event of an instrument can be that of a burst, seconds.

    Parameters
    ----------
    mission, instrument
        As in `SkyNotice`.
    """
    facts = detector_of(mission, instrument)
    if facts is None:
        return (mission_facts().search.unknown_window_s,) * 2
    return facts.before_s, facts.after_s


def is_in_window(mission: str, instrument: str, seconds: float) -> bool:
    """Return True if an event of an instrument can be that of a burst by its time.

    Parameters
    ----------
    mission, instrument
        As in `SkyNotice`.
    seconds
        Time of the event after T0.
    """
    before, after = window_s(mission, instrument)
    return -before <= seconds <= after


def by_instrument(notices: Iterable[SkyNotice]) -> list[list[SkyNotice]]:
    """Return the notices of an event by instrument, each in the order of publication.

    A retraction that names no instrument is about each instrument of the event.

    Parameters
    ----------
    notices
        All notices about an event.
    """
    groups: dict[str, list[SkyNotice]] = {}
    for one in notices:
        if one.kind != "other":
            groups.setdefault(one.instrument, []).append(one)
    if len(groups) > 1 and "" in groups and all(one.is_retraction for one in groups[""]):
        of_all = groups.pop("")
        groups = {instrument: [*group, *of_all] for instrument, group in groups.items()}
    return [sorted(group, key=lambda one: one.published or one.received) for group in groups.values()]


def reason_against(notices: list[SkyNotice]) -> str:
    """Return the reason why an event does not count as a burst; empty if it counts.

    Parameters
    ----------
    notices
        Notices of one instrument about the event, in the order of publication. The last one that classifies
        the event decides.
    """
    if notices[-1].is_retraction:
        return "retracted by its mission"
    classified = next((one for one in reversed(notices) if one.is_burst is not None), None)
    if classified is None or classified.is_burst:
        return ""
    return f"classified as {classified.classified_as} by its mission"


def compare(
    notices: list[SkyNotice], store: SkyStore, trigger_time: datetime, position: Position | None
) -> SkyCoincidence | None:
    """Compare an event with a burst; None if the event is outside the window or elsewhere on the sky.

    Parameters
    ----------
    notices
        Notices of one instrument about the event, in the order of publication.
    store
        Store of the notices, for their sky maps.
    trigger_time
        T0, UTC.
    position
        Best position of the burst; None if unknown.
    """
    last = notices[-1]
    facts = detector_of(last.mission, last.instrument)
    seconds = (last.time - trigger_time).total_seconds()
    if not is_in_window(last.mission, last.instrument, seconds):
        return None
    used = next((one for one in reversed(notices) if one.has_map or one.area), last)
    match = _match(used, store, position, facts)
    if match.is_elsewhere:
        return None
    place = None if match.not_checked else (match.fraction, match.largest)
    chance = None if facts is None else chance_probability(facts, seconds, place)
    return SkyCoincidence(
        mission=last.mission,
        instrument=last.instrument,
        event_id=last.event_id,
        names=tuple(dict.fromkeys(name for one in notices for name in one.names)),
        time=last.time,
        seconds_after_trigger=round(seconds, 3),
        r90_arcsec=_short(match.r90_arcsec),
        area=match.area,
        separation_arcsec=_short(match.separation_arcsec),
        p_value=_short(match.p_value),
        position_not_checked=match.not_checked,
        chance_probability=_short(chance),
        association=association_of(chance),
        significance=significance_text(notices),
        links=used.links,
        digest=used.digest,
        explanation=_explanation(last, seconds, match, chance),
    )


def chance_probability(facts: Detector, seconds: float, place: tuple[float, float] | None = None) -> float:
    """Return the probability that an unrelated event of an instrument fits as well, see the module docstring.

    Parameters
    ----------
    facts
        Rate and time window of the instrument.
    seconds
        Time of the event after T0, within the window.
    place
        Fraction of the sky that fits at least as well, and the fraction that counts as consistent; None if
        the positions were not compared.
    """
    away = max(abs(seconds), facts.timing_s)
    window = facts.before_s + facts.after_s
    expected = facts.rate_per_day / 86_400.0 * window
    q = max((min(away, facts.before_s) + min(away, facts.after_s)) / window, _SMALLEST)
    if place is None:
        return -expm1(-expected * q)
    fraction, largest = place
    expected, q = expected * largest, max(q * fraction / largest, _SMALLEST)
    return -expm1(-expected * q * (1.0 - ln(q))) if q < 1.0 else -expm1(-expected)


def association_of(chance: float | None) -> Association:
    """Return the association for a probability of chance.

    Parameters
    ----------
    chance
        Probability of chance; None if unknown, which is never more than possible.
    """
    limits = mission_facts().search
    if chance is None:
        return "possible"
    return (
        "probable"
        if chance < limits.probable_below
        else "possible"
        if chance < limits.possible_below
        else "chance"
    )


def chance_text(chance: float | None) -> str:
    """Format a probability of chance: ``chance probability 2e-05``.

    Parameters
    ----------
    chance
        The probability; None if unknown.
    """
    return "chance probability unknown" if chance is None else f"chance probability {max(chance, 1e-9):.1g}"


def significance_text(notices: list[SkyNotice]) -> str:
    """Return the significance of the last notice that gives one: ``SNR 12.3``, ``FAR 1e-08 Hz``.

    Parameters
    ----------
    notices
        Notices about an event, in the order of publication.
    """
    found = next((one.significance for one in reversed(notices) if one.significance), None)
    if found is None:
        return ""
    if found.unit == "FAR Hz":
        return f"FAR {found.value:.1g} Hz"
    return f"{found.unit} {found.value:.3g}"


class _Match(Model):
    """Comparison of two positions."""

    fraction: float = 1.0
    largest: float = 1.0
    is_elsewhere: bool = False
    area: ErrorEllipse | None = None
    r90_arcsec: float | None = None
    separation_arcsec: float | None = None
    p_value: float | None = None
    not_checked: str = ""


def _short(value: float | None) -> float | None:
    return None if value is None else rounded(value, None)


def _match(notice: SkyNotice, store: SkyStore, position: Position | None, facts: Detector | None) -> _Match:
    if position is None or not position.r90_arcsec:
        return _Match(not_checked="the burst has no position with an error radius")
    if notice.has_map:
        try:
            return _match_map(store.sky_map(notice), position)
        except InvalidInput as error:
            return _Match(not_checked=str(error))
    if notice.area is None:
        return _Match(not_checked=notice.map_problem or "the notice has no position with an error radius")
    systematic = facts.systematic_r90_deg if facts and not notice.systematic_included else 0.0
    return _match_ellipse(notice.area, systematic, position)


def _match_ellipse(area: ErrorEllipse, systematic_r90_deg: float, position: Position) -> _Match:
    """Compare an error ellipse with our circle; both errors are Gaussians."""
    east, north = _offset_deg(area, position)
    sigma_major, sigma_minor = area.sigma_deg
    more = (systematic_r90_deg**2 + ((position.r90_arcsec or 0.0) / 3600.0) ** 2) / R90_IN_SIGMA**2
    angle = radians(area.angle_deg)
    along, across = east * sin(angle) + north * cos(angle), east * cos(angle) - north * sin(angle)
    variances = sigma_major**2 + more, sigma_minor**2 + more
    distance2 = along**2 / variances[0] + across**2 / variances[1]
    p_value = exp(-0.5 * distance2)
    limit2 = -2.0 * ln(mission_facts().search.consistent_from)
    size = sqrt(variances[0] * variances[1])
    major = max(sigma_major, sigma_minor)
    return _Match(
        # Positions closer than their errors are no better evidence.
        fraction=_cap(sqrt(max(distance2, 1.0) * size)),
        largest=_cap(sqrt(limit2 * size)),
        is_elsewhere=distance2 > limit2,
        area=_with_systematic(area, systematic_r90_deg),
        r90_arcsec=3600.0 * sqrt((R90_IN_SIGMA * major) ** 2 + systematic_r90_deg**2),
        separation_arcsec=3600.0 * sqrt(east**2 + north**2),
        p_value=p_value,
    )


def _with_systematic(area: ErrorEllipse, systematic_r90_deg: float) -> ErrorEllipse:
    """Return the 90 % ellipse with the systematic error added in quadrature, to three digits."""
    axes = (hypot(R90_IN_SIGMA * sigma, systematic_r90_deg) for sigma in area.sigma_deg)
    major, minor = (rounded(axis, None) for axis in axes)
    fields = {"semi_major_deg": major, "semi_minor_deg": minor, "containment": 0.9}
    return area.model_copy(update=fields)


def _cap(radius_deg: float) -> float:
    """Return the fraction of the sky within a radius."""
    return 0.5 * (1.0 - cos(radians(min(radius_deg, 180.0))))


def _offset_deg(area: ErrorEllipse, position: Position) -> tuple[float, float]:
    """Return the offset of our position to the East and to the North of an ellipse, on a great circle."""
    lon = radians(position.ra_deg - area.ra_deg)
    lat, lat0 = radians(position.dec_deg), radians(area.dec_deg)
    away = separation_arcsec(area.ra_deg, area.dec_deg, position.ra_deg, position.dec_deg) / 3600.0
    east, north = cos(lat) * sin(lon), cos(lat0) * sin(lat) - sin(lat0) * cos(lat) * cos(lon)
    size = sqrt(east**2 + north**2)
    return (0.0, away) if size == 0.0 else (away * east / size, away * north / size)


def _match_map(sky: ProbabilityMap, position: Position) -> _Match:
    """Compare a sky map with our circle: the mean density in it against the density elsewhere."""
    density = float(sky.density_at(*_samples(position)).mean())
    own = _cap((position.r90_arcsec or 0.0) / 3600.0)
    area, inside = sky.area_above(density) if density > 0.0 else (4.0 * pi, 1.0)
    largest = min(1.0, sky.area_of(MAP_LEVEL) / (4.0 * pi) + own)
    return _Match(
        fraction=min(area / (4.0 * pi) + own, largest),
        largest=largest,
        is_elsewhere=inside > MAP_LEVEL,
        p_value=max(0.0, 1.0 - inside),
    )


def _samples(position: Position) -> tuple[Floats, Floats]:
    """Return directions that represent our circular Gaussian, on a golden spiral."""
    number = np.arange(_SAMPLES)
    sigma = (position.r90_arcsec or 0.0) / 3600.0 / R90_IN_SIGMA
    radius = sigma * np.sqrt(-2.0 * np.log1p(-(number + 0.5) / _SAMPLES))
    angle = number * pi * (3.0 - sqrt(5.0))
    lat0, away = radians(position.dec_deg), np.radians(radius)
    dec = np.arcsin(np.sin(lat0) * np.cos(away) + np.cos(lat0) * np.sin(away) * np.cos(angle))
    lon = np.arctan2(np.sin(angle) * np.sin(away) * np.cos(lat0), np.cos(away) - np.sin(lat0) * np.sin(dec))
    return (position.ra_deg + np.degrees(lon)) % 360.0, np.degrees(dec)


def _region(p_value: float | None) -> str:
    inside = 100.0 * (1.0 - (p_value or 0.0))
    return next((f"{level:g} % region" for level in MAP_REGIONS if inside <= level), "100 % region")


def _explanation(notice: SkyNotice, seconds: float, match: _Match, chance: float | None) -> str:
    when = f"{duration_text(abs(seconds))} {'after' if seconds >= 0.0 else 'before'} T0"
    if match.not_checked:
        where = f"its position was not checked: {match.not_checked}"
    elif match.separation_arcsec is not None and match.r90_arcsec is not None:
        where = (
            f"its position (R90 {radius_text(match.r90_arcsec)}) is {angle_text(match.separation_arcsec)} "
            f"from ours (p = {match.p_value:.2g})"
        )
    else:
        where = f"our position is inside the {_region(match.p_value)} of its sky map"
    words = {
        "probable": "probably the same event",
        "possible": "possibly the same event",
        "chance": "a coincidence by chance is likely",
    }[association_of(chance)]
    newer = " Its schema is newer than this software." if notice.is_newer_schema else ""
    return f"{notice.detector} {notice.event_id}: {when}; {where}; {chance_text(chance)}: {words}.{newer}"
