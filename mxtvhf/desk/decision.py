"""The decision about a run, as its box shows it: not asked, open, answered, announced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from mxtvhf.models.kept import SET_ASIDE
from mxtvhf.models.position import Position
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

    @property
    def is_open(self) -> bool:
        """True while nobody has answered."""
        return self.answered is None


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
    choices: tuple[Position, ...]
    """Positions that can be announced, the recommended one first."""
    drafts: tuple[Draft, ...]
    """What would be told, after the announcement what was told."""
    refusal: str | None
    """Why what was approved was not announced."""
    closed: str | None
    """Why an open question must not be answered any more: the burst was retracted, a newer result exists."""
    answer_address: str
    """Where Airflow takes the answer."""
    form_address: str
    """Airflow's own page of the question."""

    @property
    def is_open(self) -> bool:
        """True while an answer is wanted."""
        return self.is_asked and self.closed is None

    @property
    def is_asked(self) -> bool:
        """True while Airflow waits for an answer."""
        return self.question is not None and self.question.is_open and self.decision is None

    @property
    def is_pending(self) -> bool:
        """True while an answer is being carried out."""
        if self.fault is not None:
            return False
        if self.decision is not None:
            return self.decision.choice == "approve" and not (self.release or self.refusal)
        return self.question is not None and not self.question.is_open


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
