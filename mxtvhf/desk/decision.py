"""The decision about a run, as its box shows it: not asked, open, answered, announced."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from mxtvhf.airflow_api import DECISION_DAG_ID
from mxtvhf.announcement.model import Decision, Release
from mxtvhf.models import Position

DECISION_TASK_ID = "ba_decision"
DECISION, RELEASE = "decision.json", "release.json"
MAX_DRAFT = 100_000
"""Characters of a text that is shown on the page; the file itself is whole."""


@dataclass(frozen=True)
class Question:
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
    path: str
    """Relative to the release's folder."""
    text: str


@dataclass(frozen=True)
class DecisionBox:
    """All that the box shows."""

    question: Question | None
    decision: Decision | None
    release: Release | None
    positions: tuple[Position, ...]
    """Those that can be chosen."""
    drafts: tuple[Draft, ...]
    answer_address: str
    """Where Airflow takes the answer."""
    form_address: str
    """Airflow's own page of the question."""

    @property
    def is_open(self) -> bool:
        """True while an answer is wanted."""
        return self.question is not None and self.question.is_open and self.decision is None


def answer_address(airflow: str, run_id: str) -> str:
    """Return where Airflow's API takes the answer; ``airflow`` is the path of its root, often empty."""
    run = quote(run_id, safe="")
    task = f"{DECISION_DAG_ID}/dagRuns/{run}/taskInstances/{DECISION_TASK_ID}"
    return f"{airflow}/api/v2/dags/{task}/-1/hitlDetails"


def form_address(airflow: str, run_id: str) -> str:
    """Return Airflow's own page of the question."""
    run = quote(run_id, safe="")
    return f"{airflow}/dags/{DECISION_DAG_ID}/runs/{run}/tasks/{DECISION_TASK_ID}/required_actions"


def drafts_in(folder: Path) -> tuple[Draft, ...]:
    """Read the texts of an announcement, all files of its folder but the records about it."""
    files = (path for path in folder.glob("*") if path.is_file() and not path.name.startswith("."))
    return tuple(
        Draft(path.stem.replace("_", " "), path.name, path.read_text(errors="replace")[:MAX_DRAFT])
        for path in sorted(files)
        if path.name not in (DECISION, RELEASE) and path.suffix in (".txt", ".xml", ".json", ".md")
    )
