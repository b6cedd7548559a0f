"""What the Burst Advocate is asked, and how their answer is understood.

The question is put with the preliminary report and may be answered at once. An answer is about the report
that was read, named by the digest of its file: it counts if that was the newest report of the run then.
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
from mxtvhf.reporting.report import Report
from mxtvhf.reporting.report.assembly import position_radius_text
from mxtvhf.reporting.report.verdict import explanation, verdict_line
from mxtvhf.settings import AnnouncementTexts


class OutdatedAnswer(Retriable):
    """An answer about a report that was not the newest one of its run: the question must be put again."""


PRELIMINARY = (
    "**Preliminary**, without the analysis of GP. This form takes an answer until the final report is there; "
    "from then on decide on the desk."
)


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
    report, out, releases, desk_url
        As for `write_drafts`.
    page
        Web address of the product folder.
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
        *(f"**The announcement cannot be released yet**: {error}" for error in damaged),
        *_table(report),
        " · ".join(f"[{name}]({url})" for name, url in links.items()),
        # Airflow's form keeps the line breaks only of code in a named language.
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
    """Write the texts that would be announced of a report.

    Parameters
    ----------
    report
        What is to be decided about.
    out
        The run's product folder; the drafts go to ``drafts`` beside the report.
    releases
        The archive of what was announced: tells the number that the announcement would get.
    desk_url
        Address of the burst on the desk.
    texts
        Authors and acknowledgement of the circular.

    Returns
    -------
    dict
        Name of the text -> its file, relative to that folder.

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
    """Understand an answer.

    Parameters
    ----------
    report, digest
        What was decided about, and the SHA-256 of its file.
    options, answers
        The chosen options and the fields of the form.
    decided_by, decided_at
        Who answered, and when.

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
            report_status=report.status,
            report_sha256=digest,
            decided_by=decided_by,
            decided_at=decided_at,
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise InvalidInput(f"{report.run_id}: the answer's {where}: {first['msg']}") from None


def read_report(products: Path, burst_id: str, run_id: str) -> tuple[Report, str]:
    """Read the newest report of a run, the final one or before it the preliminary one.

    Returns
    -------
    report, digest
        With the SHA-256 of its file.

    Raises
    ------
    InvalidInput
        There is none, it is damaged, or it was written by a later version of this software.
    """
    folder = product_folder(products, burst_id, run_id)
    final = folder / FINAL_REPORT
    return report_at(final if final.exists() else folder / PRELIMINARY_REPORT)


def answered_report(
    products: Path, burst_id: str, run_id: str, *, digest: str | None, answered: datetime
) -> tuple[Report, str]:
    """Read the report that an answer is about, as `read_report`.

    Parameters
    ----------
    products, burst_id, run_id
        Where the run's reports are.
    digest
        SHA-256 of the report that was read.
    answered
        The moment of the answer.

    Raises
    ------
    OutdatedAnswer
        Another report was the newest one then.
    InvalidInput
        As `read_report`.
    """
    newest, newest_digest = read_report(products, burst_id, run_id)
    if digest == newest_digest:
        return newest, newest_digest
    folder = product_folder(products, burst_id, run_id)
    if newest.status == "final" and (folder / PRELIMINARY_REPORT).exists():
        earlier, earlier_digest = report_at(folder / PRELIMINARY_REPORT)
        # The answer and the final report came at the same time: the answer counts if it was first.
        if digest == earlier_digest and answered < _changed(folder / FINAL_REPORT):
            return earlier, earlier_digest
    raise OutdatedAnswer(
        f"{run_id}: the answer is not about the newest report, the {newest.status} one; it is asked again"
    )


def decided_report(products: Path, burst_id: str, run_id: str, digest: str | None) -> Report:
    """Read the report that was decided about.

    Raises
    ------
    InvalidInput
        No report of the run has this digest any more, or it cannot be read.
    """
    folder = product_folder(products, burst_id, run_id)
    for path in (folder / FINAL_REPORT, folder / PRELIMINARY_REPORT):
        if path.exists() and sha256_of(path.read_bytes()) == digest:
            return report_at(path)[0]
    raise InvalidInput(f"{run_id}: the report was changed since it was decided about: ask again")


def report_at(path: Path) -> tuple[Report, str]:
    """Read a report from its file, as `read_report`."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path}: no report to decide about: {error.strerror}") from None
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
