"""The message for a chat: the result in a line, then position, measurement, comment and links."""

from __future__ import annotations

from mxtvhf.models.galactic import galactic_text
from mxtvhf.models.position import Position
from mxtvhf.models.times import nearest_second, utc_text
from mxtvhf.reporting.announcement.content import Announcement
from mxtvhf.reporting.announcement.numbers import at_90, interval_text
from mxtvhf.reporting.report.assembly import position_radius_text
from mxtvhf.reporting.report.page import sky_links
from mxtvhf.reporting.report.verdict import verdict_line

SEPARATOR = " \N{MIDDLE DOT} "


def message(announced: Announcement) -> str:
    """Return an announcement for a chat; the first line contains the result, and marks a test."""
    position = announced.position
    lines = [
        announced.headline,
        *([] if announced.is_retraction else _result(announced)),
        *([f"Comment: {announced.comment}"] if announced.comment else []),
        "" if announced.is_retraction else announced.stage_words,
        _origin(announced),
    ]
    links = {"Desk": announced.desk_url} if announced.desk_url else {}
    links |= {} if announced.is_retraction else sky_links(position)
    return "\n".join([*filter(None, lines), *(f"{name}: {url}" for name, url in links.items())])


def _result(announced: Announcement) -> list[str]:
    measured = SEPARATOR.join(_measured(announced))
    trigger = announced.report.trigger_time
    t0 = [] if trigger is None else [f"T0 {utc_text(trigger).replace('T', ' ').removesuffix('Z')} UTC"]
    return [_place(announced.position), *t0, *filter(None, [announced.choice_words]), measured]


def _place(position: Position) -> str:
    galactic = galactic_text(position.ra_deg, position.dec_deg)
    return (
        f"{' '.join(position.degrees_text)} deg (ICRS), Galactic {galactic}, "
        f"R90 {position_radius_text(position)}, position from {position.name}"
    )


def _measured(announced: Announcement) -> list[str]:
    found, fit = announced.localisation, announced.fit
    return [
        verdict_line(announced.report, announced.position),
        *([f"{found.ts**0.5:.2g} sigma"] if found and found.detected else []),
        *([f"flux {interval_text(fit.flux_90 or at_90(fit.flux), 'erg/cm2/s')}"] if fit else []),
        *_since_trigger(announced),
    ]


def _origin(announced: Announcement) -> str:
    """Return the number of the announcement, who approved it, and which one it supersedes."""
    draft = f"Draft of announcement {announced.number}"
    text = f"Announcement {announced.number}, approved by {announced.author}" if announced.author else draft
    how = "retracts" if announced.is_retraction else "supersedes"
    return f"{text}; it {how} announcement {announced.number - 1}" if announced.supersedes else text


def _since_trigger(announced: Announcement) -> list[str]:
    """Return the start of the observation after T0; empty if one of them is unknown."""
    trigger = announced.report.trigger_time
    if trigger is None or announced.observed is None:
        return []
    after = nearest_second(announced.observed[0]) - nearest_second(trigger)
    return [f"observed from T0{after.total_seconds():+.0f} s"]
