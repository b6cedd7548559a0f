"""What the Burst Advocate is asked, and how their answer is understood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mxtvhf.archive.products import FINAL_REPORT, product_folder
from mxtvhf.errors import InvalidInput
from mxtvhf.models.files import sha256_of
from mxtvhf.models.kept import parse_kept
from mxtvhf.models.position import BEST
from mxtvhf.reporting.announcement.content import announceable, chosen_position
from mxtvhf.reporting.announcement.drafts import write_texts
from mxtvhf.reporting.announcement.model import DRAFTS, Decision
from mxtvhf.reporting.announcement.release import announcement_of, next_reservation, reservations
from mxtvhf.reporting.announcement.request import APPROVE, REJECT
from mxtvhf.reporting.report import Report
from mxtvhf.reporting.report.assembly import position_radius_text
from mxtvhf.settings import AnnouncementTexts


@dataclass(frozen=True)
class Question:
    """What the Burst Advocate sees."""

    subject: str
    body: str
    """Markdown."""
    positions: tuple[str, ...]
    """What can be chosen, ``best`` first."""


def write_question(
    report: Report,
    *,
    out: Path,
    releases: Path,
    desk_url: str | None,
    page: str | None,
    texts: AnnouncementTexts | None = None,
) -> Question:
    """Write the drafts of an announcement, and ask about it.

    Parameters
    ----------
    report
        What is to be decided about.
    out
        The run's product folder; the drafts go to ``drafts`` below it.
    releases
        The archive of what was announced: tells the number that it would get.
    desk_url
        Where it can be looked at.
    page
        Web address of the product folder.
    texts
        Authors and acknowledgement of the circular.
    """
    before, damaged = reservations(releases / report.burst_id, is_test=report.is_test)
    reservation = next_reservation(
        report, before, moment=report.written, burst_folder=releases / report.burst_id, texts=texts
    )
    draft = announcement_of(report, reservation, desk_url=desk_url)
    drafts = write_texts(draft, out / DRAFTS)
    links = {"The desk": desk_url, "Report": f"{page}/report.html"} if page and desk_url else {}
    links |= {name: f"{page}/{DRAFTS}/{product.path}" for name, product in drafts.items()} if page else {}
    body = [
        f"**{report.verdict}**: {report.verdict_reason}" if report.verdict_reason else "",
        report.best_reason,
        *report.flags,
        *(f"**The announcement cannot be released yet**: {error}" for error in damaged),
        *_table(report),
        " · ".join(f"[{name}]({url})" for name, url in links.items()),
        f"```\n{(out / DRAFTS / drafts['circular'].path).read_text()}```",
    ]
    return Question(
        subject=report.headline,
        body="\n\n".join(part for part in body if part),
        positions=(BEST, *announceable(report)),
    )


def decision_of(
    report: Report,
    *,
    options: Sequence[str],
    answers: Mapping[str, Any],
    decided_by: str,
    decided_at: datetime,
) -> Decision:
    """Understand an answer.

    Raises
    ------
    InvalidInput
        It is neither an approval nor a rejection, or what it says of the position cannot be understood.
    """
    label = answers.get("position") or BEST
    if list(options) not in ([APPROVE], [REJECT]):
        raise InvalidInput(f"{report.run_id}: the answer {list(options)} is neither {APPROVE} nor {REJECT}")
    approved = options[0] == APPROVE
    if approved:
        chosen_position(report, label)
    try:
        return Decision(
            run_id=report.run_id,
            burst_id=report.burst_id,
            choice="approve" if approved else "reject",
            position=None if label == BEST else label,
            comment=answers.get("comment") or "",
            decided_by=decided_by,
            decided_at=decided_at,
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise InvalidInput(f"{report.run_id}: the answer's {where}: {first['msg']}") from None


def read_report(products: Path, burst_id: str, run_id: str) -> tuple[Report, str]:
    """Read the final report of a run; return it with the SHA-256 of its file.

    Raises
    ------
    InvalidInput
        There is none, it is damaged, or it was written by a later version of this software.
    """
    path = product_folder(products, burst_id, run_id) / FINAL_REPORT
    return report_at(path)


def report_at(path: Path) -> tuple[Report, str]:
    """Read a report from its file, as `read_report`."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path}: no report to decide about: {error.strerror}") from None
    return parse_kept(raw, Report, name=str(path)), sha256_of(raw)


def _table(report: Report) -> list[str]:
    rows = [
        f"| {position.label} | {position.origin} | {' | '.join(position.degrees_text)} | "
        f"{position_radius_text(position)} |"
        for position in report.positions
    ]
    return ["\n".join(["| position | of | RA | Dec | R90 |", "|---|---|---|---|---|", *rows])] if rows else []
