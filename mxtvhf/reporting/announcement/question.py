"""The question to the Burst Advocate, and the interpretation of the answer.

The question is asked with the preliminary report and can be answered at once. An answer contains the SHA-256
of the report that it is about; it is accepted if this was the newest report of the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mxtvhf.archive.products import FINAL_REPORT, PRELIMINARY_REPORT, REPORT_FOLDERS, product_folder
from mxtvhf.errors import InvalidInput, Retriable
from mxtvhf.models.files import changed_at, sha256_of
from mxtvhf.models.kept import parse_kept
from mxtvhf.models.position import BEST
from mxtvhf.models.product import Product
from mxtvhf.reporting.announcement.content import announceable, chosen_position, recommended
from mxtvhf.reporting.announcement.drafts import write_texts
from mxtvhf.reporting.announcement.model import DRAFTS, Decision
from mxtvhf.reporting.announcement.release import announcement_of, next_reservation, reservations
from mxtvhf.reporting.announcement.request import APPROVE, REJECT
from mxtvhf.reporting.report.assembly import position_radius_text
from mxtvhf.reporting.report.model import Report
from mxtvhf.reporting.report.verdict import explanation, verdict_line
from mxtvhf.settings import AnnouncementTexts


class OutdatedAnswer(Retriable):
    """The answer is about an outdated report, so the question must be asked again."""


PRELIMINARY = (
    "**Preliminary**, without the analysis of GP. This form accepts an answer until the final report exists; "
    "then use the desk."
)


@dataclass(frozen=True)
class Question:
    """Question as the Burst Advocate sees it."""

    subject: str
    body: str
    """Markdown."""
    positions: tuple[str, ...]
    """Positions to choose from, ``best`` first."""


def write_question(
    report: Report,
    *,
    out: Path,
    releases: Path,
    desk_url: str | None,
    page: str | None,
    texts: AnnouncementTexts | None = None,
) -> Question:
    """Write the drafts of an announcement, and return the question about it.

    Parameters
    ----------
    report, out, releases, desk_url
        As in `write_drafts`.
    page
        Address of the product folder; None if unknown.
    texts
        Authors and acknowledgement of the circular.
    """
    drafts = write_drafts(report, out=out, releases=releases, desk_url=desk_url, texts=texts)
    folder = _folder(report)
    _, damaged = reservations(releases / report.burst_id, is_test=report.is_test)
    links = {"The desk": desk_url, "Report": f"{page}/{folder}report.html"} if page and desk_url else {}
    if page:
        links |= {name: f"{page}/{folder}{DRAFTS}/{product.path}" for name, product in drafts.items()}
    circular = (out / folder / DRAFTS / drafts["circular"].path).read_text()
    body = [
        PRELIMINARY if report.status == "preliminary" else "",
        f"**Verdict**: {verdict_line(report, recommended(report))}.",
        "\n".join(f"- {sentence}" for sentence in _reasons(report)),
        *(f"**The announcement cannot be released**: {error}" for error in damaged),
        *_table(report),
        " · ".join(f"[{name}]({url})" for name, url in links.items()),
        # Airflow's form keeps line breaks only in code blocks with a language.
        f"```text\n{circular}```",
    ]
    return Question(
        subject=report.headline,
        body="\n\n".join(part for part in body if part),
        positions=(BEST, *announceable(report)),
    )


def write_drafts(
    report: Report,
    *,
    out: Path,
    releases: Path,
    desk_url: str | None,
    texts: AnnouncementTexts | None = None,
) -> dict[str, Product]:
    """Write the drafts of all texts about a report.

    Parameters
    ----------
    report
        Report of the decision.
    out
        Product folder of the run; the drafts go to ``drafts`` next to the report.
    releases
        Folder of all releases, which gives the number of the announcement.
    desk_url
        Address of the burst on the desk; None if unknown.
    texts
        Authors and acknowledgement of the circular.

    Returns
    -------
    dict
        Name of the text -> file relative to that folder.

    Raises
    ------
    InvalidInput
        The report has no position to announce.
    """
    folder = releases / report.burst_id
    before, _ = reservations(folder, is_test=report.is_test)
    reservation = next_reservation(report, before, moment=report.written, burst_folder=folder, texts=texts)
    draft = announcement_of(report, reservation, desk_url=desk_url)
    return write_texts(draft, out / _folder(report) / DRAFTS)


def decision_of(
    report: Report,
    digest: str,
    *,
    options: Sequence[str],
    answers: Mapping[str, Any],
    decided_by: str,
    decided_at: datetime,
) -> Decision:
    """Return the decision of an answer.

    Parameters
    ----------
    report, digest
        Report of the decision, and the SHA-256 of its file.
    options, answers
        Chosen options, and fields of the form.
    decided_by, decided_at
        Login name, and time of the answer, UTC.

    Raises
    ------
    InvalidInput
        It is neither an approval nor a rejection, or its position cannot be announced.
    """
    label = answers.get("position") or BEST
    if list(options) not in ([APPROVE], [REJECT]):
        raise InvalidInput(f"{report.run_id}: invalid answer {list(options)}; expected {APPROVE} or {REJECT}")
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
            report_status=report.status,
            report_sha256=digest,
            decided_by=decided_by,
            decided_at=decided_at,
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise InvalidInput(f"{report.run_id}: invalid {where} in the answer: {first['msg']}") from None


def read_report(products: Path, burst_id: str, run_id: str) -> tuple[Report, str]:
    """Return the newest report of a run, with the SHA-256 of its file.

    Raises
    ------
    InvalidInput
        The report is missing, damaged, or from a later version of this software.
    """
    folder = product_folder(products, burst_id, run_id)
    final = folder / FINAL_REPORT
    return report_at(final if final.exists() else folder / PRELIMINARY_REPORT)


def answered_report(
    products: Path, burst_id: str, run_id: str, *, digest: str | None, answered: datetime
) -> tuple[Report, str]:
    """Return the report that an answer is about, as in `read_report`.

    Parameters
    ----------
    products, burst_id, run_id
        Product folder, burst and run.
    digest
        SHA-256 of the report in the answer.
    answered
        Time of the answer, UTC.

    Raises
    ------
    OutdatedAnswer
        The answer is about another report than the newest one.
    InvalidInput
        As in `read_report`.
    """
    newest, newest_digest = read_report(products, burst_id, run_id)
    if digest == newest_digest:
        return newest, newest_digest
    folder = product_folder(products, burst_id, run_id)
    if newest.status == "final" and (folder / PRELIMINARY_REPORT).exists():
        earlier, earlier_digest = report_at(folder / PRELIMINARY_REPORT)
        # If answer and final report came at the same time, an earlier answer is accepted.
        if digest == earlier_digest and answered < _changed(folder / FINAL_REPORT):
            return earlier, earlier_digest
    raise OutdatedAnswer(
        f"{run_id}: the answer is not about the newest ({newest.status}) report; the question is asked again"
    )


def decided_report(products: Path, burst_id: str, run_id: str, digest: str | None) -> Report:
    """Return the report of a decision.

    Raises
    ------
    InvalidInput
        No report of the run has this SHA-256 any more, or it cannot be read.
    """
    folder = product_folder(products, burst_id, run_id)
    for path in (folder / FINAL_REPORT, folder / PRELIMINARY_REPORT):
        if path.exists() and sha256_of(path.read_bytes()) == digest:
            return report_at(path)[0]
    raise InvalidInput(f"{run_id}: the report has changed since the decision; ask again")


def report_at(path: Path) -> tuple[Report, str]:
    """Return the report in a file, as in `read_report`."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path}: the report cannot be read: {error.strerror}") from None
    return parse_kept(raw, Report, name=str(path)), sha256_of(raw)


def _folder(report: Report) -> str:
    return REPORT_FOLDERS[report.status]


def _changed(path: Path) -> datetime:
    return datetime.fromtimestamp(changed_at(path) or 0.0, UTC)


def _reasons(report: Report) -> list[str]:
    """Return all reasons as statements of at most a few sentences, the unphysical values last."""
    pairs = [pair.explanation for pair in report.crosscheck]
    return [*explanation(report, recommended(report)), *pairs, *report.flags]


def _table(report: Report) -> list[str]:
    if not report.positions:
        return []
    rows = [
        f"| {position.label} | {position.instrument} | {' | '.join(position.degrees_text)} | "
        f"{position_radius_text(position)} |"
        for position in report.positions
    ]
    head = ["| Position | From | RA (deg) | Dec (deg) | R90 |", "|---|---|---|---|---|"]
    return ["\n".join([*head, *rows])]
