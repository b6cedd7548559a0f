"""The message for people: one line that says it all, and where to look."""

from __future__ import annotations

from mxtvhf.analysis.model import measurement_text
from mxtvhf.models.angles import declination_text, right_ascension_text
from mxtvhf.reporting.announcement.content import (
    Announcement,
    first_photon_after_s,
    known_sources,
    trusted_fit,
)
from mxtvhf.reporting.report.assembly import radius_text
from mxtvhf.reporting.report.page import sky_links


def message(announced: Announcement) -> str:
    """Write an announcement as a line for a chat, and lines with links; a test says so first."""
    report, position = announced.report, announced.position
    after, fit = first_photon_after_s(report), trusted_fit(report)
    parts = [
        *["TEST"] * report.is_test,
        f"{report.burst_id} MXT-VHF r{announced.number}",
        f"RA {right_ascension_text(position.ra_deg)} Dec {declination_text(position.dec_deg)} "
        f"({position.ra_deg:.4f} {position.dec_deg:+.4f})",
        f"R90 {radius_text(position)}",
        f"{position.origin} {position.label}",
        " ".join([str(report.verdict), *(one.source for one in known_sources(report, position))]),
        *([f"flux {measurement_text(fit.flux, 'erg/cm2/s')}"] if fit else []),
        *([f"T0{after:+.0f} s"] if after is not None else []),
        *([f"supersedes r{announced.number - 1}"] if announced.supersedes else []),
        *([f"approved by {announced.author}"] if announced.author else ["draft"]),
    ]
    links = {"Desk": announced.desk_url} if announced.desk_url else {}
    links |= sky_links(position)
    return "\n".join([" \N{MIDDLE DOT} ".join(parts), *(f"{name}: {url}" for name, url in links.items())])
