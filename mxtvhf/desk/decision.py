"""The decision about a run, as its box shows it: not asked, open, answered, announced."""

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
"""Characters of a text that is shown on the page; the file itself is whole."""


@dataclass(frozen=True)
class AskedQuestion:
    """What Airflow knows of the question that was put to the Burst Advocate."""

    run_id: str
    asked: datetime
    answer: str | None = None
    """None while it is open."""
    answered: datetime | None = None
    answered_by: str | None = None
    is_failed: bool = False
    """True when it was answered and its run ended without carrying the answer out."""

    @property
    def is_open(self) -> bool:
        """True while nobody has answered."""
        return self.answered is None

    @property
    def standing_answer(self) -> str | None:
        """The answer, unless it was not carried out."""
        return None if self.is_failed else self.answer


@dataclass(frozen=True)
class Draft:
    """A text of the announcement."""

    name: str
    address: str
    """Relative to the app's."""
    text: str


@dataclass(frozen=True)
class DecisionBox:
    """All that the box shows."""

    question: AskedQuestion | None
    decision: Decision | None
    release: Release | None
    fault: str | None
    """Why one of the two cannot be read."""
    report_status: ReportStatus | None
    """Which report is shown; None without any."""
    report_sha256: str | None
    """Of its file: an answer is about this report."""
    changes: tuple[str, ...] | None
    """What the final report changed of the preliminary one; None while there are not both."""
    known_as: str | None
    """The catalogued source that the burst probably is; None where it is probably none."""
    choices: tuple[Position, ...]
    """Positions that can be announced, the recommended one first."""
    drafts: tuple[Draft, ...]
    """What would be told, after the announcement what was told."""
    refusal: str | None
    """Why what was approved was not announced."""
    closed: str | None
    """Why an open question must not be answered any more: the burst was retracted, a newer result exists."""
    answer_address: str
    """Where the answer is checked, relative to the app's."""
    form_address: str
    """Airflow's own page of the question."""

    @property
    def is_open(self) -> bool:
        """True while an answer is wanted."""
        return self.is_asked and self.closed is None

    @property
    def is_asked(self) -> bool:
        """True while Airflow waits for an answer, also once more after a decision of which nothing came."""
        return self.question is not None and self.question.is_open and self.release is None

    @property
    def is_pending(self) -> bool:
        """True while an answer is being carried out."""
        if self.fault is not None:
            return False
        if self.decision is not None:
            return self.decision.choice == "approve" and not (self.release or self.refusal)
        return self.question is not None and not self.question.is_open and not self.question.is_failed

    @property
    def is_of_preliminary(self) -> bool:
        """True when the decision was made with the preliminary report and the final one is shown."""
        was_preliminary = self.decision is not None and self.decision.report_status == "preliminary"
        return was_preliminary and self.report_status == "final"

    def objection(self, report_sha256: str | None) -> str | None:
        """Say why an answer about a report is not taken now; None when it is.

        Parameters
        ----------
        report_sha256
            Of the report that was read.
        """
        question, decision = self.question, self.decision
        if self.is_asked and self.closed is not None:
            return f"{self.closed} No decision is needed."
        if self.is_asked and report_sha256 == self.report_sha256:
            return None
        if self.is_asked:
            changed = f": {'; '.join(self.changes)}" if self.changes else ""
            return f"A newer result exists, the {self.report_status} report{changed}. Read it, then decide."
        if decision is not None:
            return f"Already decided by {decision.decided_by}, {second_text(decision.decided_at)} UTC."
        if question is not None and question.answered is not None:
            return f"Already answered by {question.answered_by}, {second_text(question.answered)} UTC."
        return "No decision is open."


def answer_address(airflow: str, run_id: str) -> str:
    """Return where Airflow's API takes the answer; ``airflow`` is the path of its root, often empty."""
    run = quote(run_id, safe="")
    task = f"{DECISION_DAG_ID}/dagRuns/{run}/taskInstances/{DECISION_TASK_ID}"
    return f"{airflow}/api/v2/dags/{task}/-1/hitlDetails"


def form_address(airflow: str, run_id: str) -> str:
    """Return Airflow's own page of the question."""
    run = quote(run_id, safe="")
    return f"{airflow}/dags/{DECISION_DAG_ID}/runs/{run}/tasks/{DECISION_TASK_ID}/required_actions"


def drafts_in(folder: Path, address: Callable[[str], str]) -> tuple[Draft, ...]:
    """Read the texts of an announcement; ``address`` gives that of a file name."""
    return tuple(
        Draft(path.name, address(path.name), path.read_text(errors="replace")[:MAX_DRAFT])
        for path in sorted(folder.glob("[!.]*"))
        if path.is_file() and path.name not in RECORDS and path.suffix != SET_ASIDE
    )


def refusal_in(folder: Path) -> str | None:
    """Return why what was approved was not announced; None when nothing was refused."""
    path = folder / REFUSAL
    return path.read_text(errors="replace").strip() if path.exists() else None
