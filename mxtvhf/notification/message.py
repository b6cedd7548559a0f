"""The text of a notification: event, position, significance, action and link."""

from __future__ import annotations

from mxtvhf.models.galactic import galactic_text
from mxtvhf.models.position import Position
from mxtvhf.models.times import second_text
from mxtvhf.notices.alert import Alert
from mxtvhf.reporting.report.assembly import position_radius_text
from mxtvhf.reporting.report.model import Report
from mxtvhf.reporting.report.verdict import upper_limit_text

ACKNOWLEDGE = 'Open the page and press "I have it", so that nobody else is called.'


def where_text(position: Position) -> str:
    """Return a position with its error radius and origin in one line."""
    ra, dec = position.sexagesimal_text
    return (
        f"RA {ra} Dec {dec} ({' '.join(position.degrees_text)} deg), R90 {position_radius_text(position)}, "
        f"{galactic_text(position.ra_deg, position.dec_deg)}, from {position.name}"
    )


def notice_body(alert: Alert, *, do: str, link: str | None) -> str:
    """Return the text about a notice."""
    snr = "" if alert.snr is None else f", SNR {'>= ' if alert.snr_saturated else ''}{alert.snr:g}"
    return _body(
        what=f"{alert.notice_type} notice of {second_text(alert.event_time)} UTC",
        where=where_text(alert.position) if alert.position else "no position",
        evidence=f"{alert.instrument}{snr}",
        do=do,
        link=link,
    )


def report_body(report: Report, *, what: str, do: str, link: str | None, follow_up: str | None = None) -> str:
    """Return the text about a report, with a line about the follow-up if there is one."""
    best = report.best_position
    return _body(
        what=f"{what} ({report.status} report of update {report.sequence})",
        where=where_text(best) if best else f"no position: {report.best_reason}",
        evidence=_evidence(report),
        do=do,
        link=link,
        follow_up=follow_up,
    )


def plain_body(*, what: str, do: str, link: str | None) -> str:
    """Return the text about an event without a position."""
    return _body(what=what, where=None, evidence=None, do=do, link=link)


def _evidence(report: Report) -> str:
    found = report.localisation
    if found is None:
        significance = "no localisation of the photons"
    elif found.detected:
        significance = f"TS {found.ts:.0f} ({found.ts**0.5:.0f} sigma), {found.n_source:.0f} source photons"
    else:
        significance = f"no MXT source detected, {upper_limit_text(found) or 'no upper limit'}"
    others = report.other_missions
    also = f"; {others.summary}" if others and others.seen_by else ""
    return f"{significance}; {report.verdict}{also}"


def _body(
    *,
    what: str,
    where: str | None,
    evidence: str | None,
    do: str,
    link: str | None,
    follow_up: str | None = None,
) -> str:
    lines = {
        "What": what,
        "Where": where,
        "Evidence": evidence,
        "Follow-up": follow_up,
        "What to do": do,
        "Page": link,
    }
    return "\n".join(f"{name}: {text}" for name, text in lines.items() if text)
