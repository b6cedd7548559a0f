"""The message for people: one line that says it all, and where to look."""

from __future__ import annotations

from mxtvhf.analysis.model import measurement_text
from mxtvhf.models.times import nearest_second
from mxtvhf.reporting.announcement.content import Announcement
from mxtvhf.reporting.report.assembly import position_radius_text
from mxtvhf.reporting.report.page import sky_links


def message(announced: Announcement) -> str:
    """Write an announcement as a line for a chat, and lines with links; a test says so first."""
    report, position, fit = announced.report, announced.position, announced.fit
    parts = [
        *["TEST"] * report.is_test,
        f"{report.burst_id} MXT-VHF r{announced.number}",
        "RA {} Dec {} ({} {})".format(*position.sexagesimal_text, *position.degrees_text),
        f"R90 {position_radius_text(position)}",
        f"{position.origin} {position.label}",
        announced.verdict,
        *["preliminary"] * (report.status == "preliminary"),
        *([announced.limit_words] if announced.limit_words else []),
        *([f"flux {measurement_text(fit.flux, 'erg/cm2/s')}"] if fit else []),
        *_since_trigger(announced),
        *([f"supersedes r{announced.number - 1}"] if announced.supersedes else []),
        *([f"approved by {announced.author}"] if announced.author else ["draft"]),
    ]
    links = {"Desk": announced.desk_url} if announced.desk_url else {}
    links |= sky_links(position)
    return "\n".join([" \N{MIDDLE DOT} ".join(parts), *(f"{name}: {url}" for name, url in links.items())])


def _since_trigger(announced: Announcement) -> list[str]:
    """Say when the observation of the position began, seconds after T0; nothing where one is unknown."""
    trigger = announced.report.trigger_time
    if trigger is None or announced.observed is None:
        return []
    after = nearest_second(announced.observed[0]) - nearest_second(trigger)
    return [f"observed from T0{after.total_seconds():+.0f} s"]
