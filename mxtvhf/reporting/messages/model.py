"""The messages themselves, their subjects and their JSON Schema."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Literal
from uuid import uuid4

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, TypeAdapter, ValidationError

from mxtvhf.archive.products import ReportStatus
from mxtvhf.crosscheck.model import Verdict
from mxtvhf.errors import InvalidInput
from mxtvhf.models.ids import BurstId
from mxtvhf.models.kept import KeptModel, check_version
from mxtvhf.models.position import Position
from mxtvhf.models.text import one_line

SCHEMA_ID = "urn:mxt-vhf:messages:1"
SUBJECTS = "mxtvhf.out"
"""First tokens of all subjects."""
MAX_LINE = 1000
"""Characters of a reason; the log has all of it."""


Line = Annotated[str, AfterValidator(lambda text: one_line(text)[:MAX_LINE])]


class Envelope(KeptModel):
    """What every message says."""

    model_config = ConfigDict(use_attribute_docstrings=True, json_schema_serialization_defaults_required=True)

    schema_version: Literal[1] = 1
    id: str = Field(default_factory=lambda: uuid4().hex, pattern=r"^[0-9a-f]{32}$")
    """Unique; a message that comes twice has it twice."""
    time: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    """When it happened, UTC."""
    burst_id: BurstId | None = None
    """None where it is not known: a damaged input, a run without a valid configuration."""
    run_id: str | None = None
    """None for the intake's notes."""
    is_test: bool | None = None
    """True when the alert was sent as a test; None where the alert cannot be read. Only what says false is
    about a real burst."""
    is_replay: bool = False
    """True when an archived alert was sent again: no burst of now."""


class RunMessage(Envelope):
    """A run of the workflow began or ended."""

    kind: Literal["run"] = "run"
    state: Literal["started", "succeeded", "failed"]
    reason: Line | None = None
    """The scheduler's word for why, in one line."""

    @property
    def subject(self) -> str:
        """``mxtvhf.out.<burst_id>.run.<state>``."""
        return _subject(self.burst_id, "run", self.state)


class StepMessage(Envelope):
    """A step of a run began or ended."""

    kind: Literal["step"] = "step"
    task_id: str = Field(min_length=1, max_length=250)
    state: Literal["started", "succeeded", "failed", "skipped", "retrying"]
    """``retrying``: this try failed, another one will come."""
    try_number: int = Field(ge=0)
    """Counts from 1; 0 for a step that was given its state by hand before it ever ran."""
    error: Line | None = None
    """Why the step failed, in one line."""

    @property
    def subject(self) -> str:
        """``mxtvhf.out.<burst_id>.step.<task_id>.<state>``."""
        return _subject(self.burst_id, "step", self.task_id, self.state)


class ReportMessage(Envelope):
    """A report was written."""

    kind: Literal["report"] = "report"
    status: ReportStatus
    sequence: int
    """Number of the input among the inputs of the burst."""
    is_retracted: bool
    """True when a notice took the burst back."""
    headline: str
    """The result in one line."""
    best_position: Position | None
    """The position recommended to observers; None when there is none."""
    verdicts: dict[Verdict, int]
    """How many pairs of positions are consistent, inconsistent, unclear, not independent."""
    path: str
    """Where ``report.json`` lies, on the machine that wrote it."""
    sha256: str
    """Of ``report.json``."""
    url: str | None = None
    """Of ``report.json``, for those who may log in; None where the web server's address is not configured."""
    page_url: str | None = None
    """Of the report's page."""

    @property
    def subject(self) -> str:
        """``mxtvhf.out.<burst_id>.report.<status>``."""
        return _subject(self.burst_id, "report", self.status)


class IntakeMessage(Envelope):
    """The intake notes that something is wrong with what came in."""

    kind: Literal["intake"] = "intake"
    what: Literal["quarantined", "gap"]
    """``quarantined``: an input that cannot be read was set aside; ``gap``: messages of a stream are
    missing."""
    source: Line
    """Where it came from."""
    reason: Line
    sha256: str | None = None
    """Of the bytes in quarantine."""
    lost: int | None = None
    """How many messages are missing."""

    @property
    def subject(self) -> str:
        """``mxtvhf.out.intake.<what>``."""
        return _subject("intake", self.what)


class AnnouncementMessage(Envelope):
    """The Burst Advocate approved, corrected or retracted a result, and that was released."""

    kind: Literal["announcement"] = "announcement"
    action: Literal["announce", "correct", "retract"] = "announce"
    """``correct``: it replaces the one before; ``retract``: it takes the one before back."""
    number: int
    """Counts the announcements of the burst; each supersedes the one before."""
    ivorn: str
    """Of the VOEvent."""
    event: str | None = None
    """Name of the event, e.g. ``GRB 260511A``; None while it is not known."""
    supersedes: str | None
    """Ivorn of the announcement before."""
    position: Position
    report_status: ReportStatus = "final"
    """Which report of the run was announced, the preliminary or the final one."""
    decided_by: Line
    comment: str = ""
    """Of the Burst Advocate; of a correction and of a retraction its reason."""
    text: str
    """For people: the result in a line, then lines with links."""
    voevent: str
    """The VOEvent, XML."""
    gcn_notice: dict[str, Any]
    """The notice in GCN's core schema."""

    @property
    def subject(self) -> str:
        """``mxtvhf.out.<burst_id>.announcement``."""
        return _subject(self.burst_id, "announcement")


class CircularMessage(Envelope):
    """A person recorded the number of the GCN Circular about an announcement."""

    kind: Literal["circular"] = "circular"
    ivorn: str
    """Of the announcement's VOEvent."""
    circular: int
    """Number of the GCN Circular."""
    recorded_by: Line
    text: Line
    """The state in the words of the desk: ``submitted, GCN 44454``."""

    @property
    def subject(self) -> str:
        """``mxtvhf.out.<burst_id>.circular``."""
        return _subject(self.burst_id, "circular")


OutgoingMessage = (
    RunMessage | StepMessage | ReportMessage | IntakeMessage | AnnouncementMessage | CircularMessage
)

_message: TypeAdapter[OutgoingMessage] = TypeAdapter(Annotated[OutgoingMessage, Field(discriminator="kind")])


def read_message(raw: bytes) -> OutgoingMessage:
    """Read a message; fields that this version does not know are ignored.

    Raises
    ------
    NewerVersion
        It was written by a later version of this software.
    InvalidInput
        It is no message of this schema; the error says what is wrong first.
    """
    check_version(raw, Envelope.current_version(), name="MXT-VHF message")
    try:
        return _message.validate_json(raw, extra="ignore")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "message"
        raise InvalidInput(f"no MXT-VHF message: {where}: {one_line(first['msg'])}") from None


@cache
def messages_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of all messages; published as ``docs/messages.schema.json``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "Messages of MXT-VHF",
        **_message.json_schema(mode="serialization"),
    }


def _subject(*tokens: str | None) -> str:
    """Join the tokens of a subject; what NATS gives a meaning (dots, wildcards, blanks) becomes ``_``."""
    return ".".join([SUBJECTS, *(re.sub(r"[^A-Za-z0-9_-]", "_", token or "unknown") for token in tokens)])
