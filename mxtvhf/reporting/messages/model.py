"""The messages, their subjects and their JSON Schema."""

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
"""Prefix of all subjects."""
MAX_LINE = 1000
"""Maximum number of characters of a reason; the log has the complete text."""


Line = Annotated[str, AfterValidator(lambda text: one_line(text)[:MAX_LINE])]


class Envelope(KeptModel):
    """Fields of every message."""

    model_config = ConfigDict(use_attribute_docstrings=True, json_schema_serialization_defaults_required=True)

    schema_version: Literal[1] = 1
    id: str = Field(default_factory=lambda: uuid4().hex, pattern=r"^[0-9a-f]{32}$")
    """Unique id; a duplicate of a message has the same id."""
    time: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    """Time of the event, UTC."""
    burst_id: BurstId | None = None
    """SVOM burst id; None if unknown, e.g. for a damaged input."""
    run_id: str | None = None
    """Run id; None in messages of the intake."""
    is_test: bool | None = None
    """True if the alert is a test; None if the alert cannot be read. Only messages with false are about a
    real burst."""
    is_replay: bool = False
    """True if an archived alert is replayed, so that this is not a current event."""


class RunMessage(Envelope):
    """Start or end of a run of the workflow."""

    kind: Literal["run"] = "run"
    state: Literal["started", "succeeded", "failed"]
    reason: Line | None = None
    """Reason given by the scheduler, in one line."""

    @property
    def subject(self) -> str:
        """``mxtvhf.out.<burst_id>.run.<state>``."""
        return _subject(self.burst_id, "run", self.state)


class StepMessage(Envelope):
    """Start or end of a step of a run."""

    kind: Literal["step"] = "step"
    task_id: str = Field(min_length=1, max_length=250)
    state: Literal["started", "succeeded", "failed", "skipped", "retrying"]
    """``retrying``: this attempt failed, and another one follows."""
    try_number: int = Field(ge=0)
    """Number of the attempt, from 1; 0 for a step whose state was set by hand before it ran."""
    error: Line | None = None
    """Reason of the failure, in one line."""

    @property
    def subject(self) -> str:
        """``mxtvhf.out.<burst_id>.step.<task_id>.<state>``."""
        return _subject(self.burst_id, "step", self.task_id, self.state)


class ReportMessage(Envelope):
    """Report that was written."""

    kind: Literal["report"] = "report"
    status: ReportStatus
    sequence: int
    """Number of the update among the updates of the burst."""
    is_retracted: bool
    """True if SVOM retracted the burst."""
    headline: str
    """Result in one line."""
    best_position: Position | None
    """Position recommended to observers; None without a credible position."""
    verdicts: dict[Verdict, int]
    """Number of pairs of positions by result of their comparison."""
    path: str
    """Path of ``report.json`` on the machine that wrote it."""
    sha256: str
    """SHA-256 of ``report.json``."""
    url: str | None = None
    """Address of ``report.json`` (login required); None if the web address is not configured."""
    page_url: str | None = None
    """Address of the page of the report; None as above."""

    @property
    def subject(self) -> str:
        """``mxtvhf.out.<burst_id>.report.<status>``."""
        return _subject(self.burst_id, "report", self.status)


class IntakeMessage(Envelope):
    """Problem with an input."""

    kind: Literal["intake"] = "intake"
    what: Literal["quarantined", "gap"]
    """``quarantined``: an unreadable input was moved to quarantine; ``gap``: messages of a stream are
    missing."""
    source: Line
    """Origin of the input."""
    reason: Line
    sha256: str | None = None
    """SHA-256 of the input in quarantine."""
    lost: int | None = None
    """Number of missing messages."""

    @property
    def subject(self) -> str:
        """``mxtvhf.out.intake.<what>``."""
        return _subject("intake", self.what)


class AnnouncementMessage(Envelope):
    """Released announcement, correction or retraction."""

    kind: Literal["announcement"] = "announcement"
    action: Literal["announce", "correct", "retract"] = "announce"
    """``correct``: it replaces the previous one; ``retract``: it retracts the previous one."""
    number: int
    """Number among the announcements of the burst; each supersedes the previous one."""
    ivorn: str
    """Ivorn of the VOEvent."""
    event: str | None = None
    """Name of the event, e.g. ``GRB 260511A``; None if unknown."""
    supersedes: str | None
    """Ivorn of the previous announcement; None for the first one."""
    position: Position
    report_status: ReportStatus = "final"
    """Status of the announced report, ``preliminary`` or ``final``."""
    decided_by: Line
    comment: str = ""
    """Comment of the Burst Advocate; the reason of a correction or retraction."""
    text: str
    """Text for people: the result in one line, then details and links."""
    voevent: str
    """VOEvent, XML."""
    gcn_notice: dict[str, Any]
    """Notice in GCN's core schema."""

    @property
    def subject(self) -> str:
        """``mxtvhf.out.<burst_id>.announcement``."""
        return _subject(self.burst_id, "announcement")


class CircularMessage(Envelope):
    """Number of the GCN Circular of an announcement, recorded by a person."""

    kind: Literal["circular"] = "circular"
    ivorn: str
    """Ivorn of the VOEvent of the announcement."""
    circular: int
    """Number of the GCN Circular."""
    recorded_by: Line
    text: Line
    """State as on the desk: ``submitted, GCN 44454``."""

    @property
    def subject(self) -> str:
        """``mxtvhf.out.<burst_id>.circular``."""
        return _subject(self.burst_id, "circular")


OutgoingMessage = (
    RunMessage | StepMessage | ReportMessage | IntakeMessage | AnnouncementMessage | CircularMessage
)

_message: TypeAdapter[OutgoingMessage] = TypeAdapter(Annotated[OutgoingMessage, Field(discriminator="kind")])


def read_message(raw: bytes) -> OutgoingMessage:
    """Return a message; unknown fields are ignored.

    Raises
    ------
    NewerVersion
        The message is from a later version of this software.
    InvalidInput
        The message does not match the schema.
    """
    check_version(raw, Envelope.current_version(), name="MXT-VHF message")
    try:
        return _message.validate_json(raw, extra="ignore")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "message"
        raise InvalidInput(f"invalid MXT-VHF message: {where}: {one_line(first['msg'])}") from None


@cache
def messages_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of all messages, published as ``docs/messages.schema.json``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "Messages of MXT-VHF",
        **_message.json_schema(mode="serialization"),
    }


def _subject(*tokens: str | None) -> str:
    """Return a subject; characters with a meaning for NATS (dots, wildcards, blanks) become ``_``."""
    return ".".join([SUBJECTS, *(re.sub(r"[^A-Za-z0-9_-]", "_", token or "unknown") for token in tokens)])
