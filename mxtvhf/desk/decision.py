"""The decision about a run: not requested, open, answered or announced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from mxtvhf.archive.products import ReportStatus
from mxtvhf.models.kept import SET_ASIDE
from mxtvhf.models.position import Position
from mxtvhf.models.times import second_text
from mxtvhf.reporting.announcement.model import DECISION, REFUSAL, RELEASE, SUBMISSION, Decision, Release
from mxtvhf.workflow.airflow_api import DECISION_DAG_ID

DECISION_TASK_ID = "ba_decision"
RECORDS = (DECISION, RELEASE, REFUSAL, SUBMISSION)
MAX_DRAFT = 100_000
"""Maximum number of characters of a text on the page; the file itself is complete."""


@dataclass(frozen=True)
class AskedQuestion:
    """The question to the Burst Advocate, as Airflow stores it."""

    run_id: str
    asked: datetime
    answer: str | None = None
    """None while the question is open."""
    answered: datetime | None = None
    answered_by: str | None = None
    is_failed: bool = False
    """True if its run ended without carrying out the answer."""

    @property
    def is_open(self) -> bool:
        """True until somebody answers."""
        return self.answered is None

    @property
    def standing_answer(self) -> str | None:
        """The answer; None if it was not carried out."""
        return None if self.is_failed else self.answer


@dataclass(frozen=True)
class Draft:
    """A text of the announcement."""

    name: str
    address: str
    """Relative to the address of the app."""
    text: str


@dataclass(frozen=True)
class DecisionBox:
    """Content of the decision box."""

    question: AskedQuestion | None
    decision: Decision | None
    release: Release | None
    fault: str | None
    """Reason why decision or release cannot be read; None if both can."""
    report_status: ReportStatus | None
    """Status of the displayed report; None without a report."""
    report_sha256: str | None
    """SHA-256 of its file, which identifies the report that an answer is about."""
    changes: tuple[str, ...] | None
    """Changes from the preliminary to the final report; None until both exist."""
    known_as: str | None
    """Catalogued source with a probability above 50 %; None without one."""
    choices: tuple[Position, ...]
    """Positions that can be announced, the recommended one first."""
    drafts: tuple[Draft, ...]
    """Drafts of the texts; the released texts after the announcement."""
    refusal: str | None
    """Reason why the approved result was not announced; None if it was not refused."""
    closed: str | None
    """Reason why an open question needs no answer any more: retraction or a newer result."""
    answer_address: str
    """Endpoint for the answer, relative to the address of the app."""
    form_address: str
    """Address of Airflow's own form."""

    @property
    def is_open(self) -> bool:
        """True while an answer is needed."""
        return self.is_asked and self.closed is None

    @property
    def is_asked(self) -> bool:
        """True while Airflow waits for an answer, also again after a decision that was not carried out."""
        return self.question is not None and self.question.is_open and self.release is None

    @property
    def is_pending(self) -> bool:
        """True while an answer is carried out."""
        if self.fault is not None:
            return False
        if self.decision is not None:
            return self.decision.choice == "approve" and not (self.release or self.refusal)
        return self.question is not None and not self.question.is_open and not self.question.is_failed

    @property
    def is_of_preliminary(self) -> bool:
        """True if the decision used the preliminary report and the final one is displayed."""
        was_preliminary = self.decision is not None and self.decision.report_status == "preliminary"
        return was_preliminary and self.report_status == "final"

    def objection(self, report_sha256: str | None) -> str | None:
        """Return the reason why an answer is refused; None if it is accepted.

        Parameters
        ----------
        report_sha256
            SHA-256 of the report that the answer is about.
        """
        question, decision = self.question, self.decision
        if self.is_asked and self.closed is not None:
            return f"{self.closed} No decision is needed."
        if self.is_asked and report_sha256 == self.report_sha256:
            return None
        if self.is_asked:
            changed = f": {'; '.join(self.changes)}" if self.changes else ""
            news = f"A newer result is available, the {self.report_status} report{changed}."
            return f"{news} Read it, then decide."
        if decision is not None:
            return f"Already decided by {decision.decided_by}, {second_text(decision.decided_at)} UTC."
        if question is not None and question.answered is not None:
            return f"Already answered by {question.answered_by}, {second_text(question.answered)} UTC."
        return "No decision is open."


def answer_address(airflow: str, run_id: str) -> str:
    """Return the endpoint of Airflow's API for the answer; ``airflow`` is the path of Airflow's root."""
    run = quote(run_id, safe="")
    task = f"{DECISION_DAG_ID}/dagRuns/{run}/taskInstances/{DECISION_TASK_ID}"
    return f"{airflow}/api/v2/dags/{task}/-1/hitlDetails"


def form_address(airflow: str, run_id: str) -> str:
    """Return the address of Airflow's own form; ``airflow`` as in `answer_address`."""
    run = quote(run_id, safe="")
    return f"{airflow}/dags/{DECISION_DAG_ID}/runs/{run}/tasks/{DECISION_TASK_ID}/required_actions"


def drafts_in(folder: Path, address: Callable[[str], str]) -> tuple[Draft, ...]:
    """Read the texts of an announcement; ``address`` maps a file name to its address."""
    return tuple(
        Draft(path.name, address(path.name), path.read_text(errors="replace")[:MAX_DRAFT])
        for path in sorted(folder.glob("[!.]*"))
        if path.is_file() and path.name not in RECORDS and path.suffix != SET_ASIDE
    )


def refusal_in(folder: Path) -> str | None:
    """Return the reason why an approved result was not announced; None if it was not refused."""
    path = folder / REFUSAL
    return path.read_text(errors="replace").strip() if path.exists() else None
