"""Records of the decision, of the released announcement, and of its GCN Circular."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from mxtvhf.archive.products import ReportStatus
from mxtvhf.models.ids import BurstId
from mxtvhf.models.kept import KeptModel
from mxtvhf.models.position import Position
from mxtvhf.models.product import Product

DECISION, RELEASE, REFUSAL = "decision.json", "release.json", "refused.txt"
"""Files in the folder of a release: decision, release, reason of a refusal."""
SUBMISSION, EVENT = "submission.json", "event.json"
"""Files with the number of the GCN Circular (folder of the release) and the event name (of the burst)."""
DRAFTS = "drafts"
"""Folder of a run's products with the drafts of the texts."""


LONGEST_COMMENT = 2000
"""Maximum number of characters of a comment or a reason."""

Action = Literal["announce", "correct", "retract"]
"""``correct``: announce another result instead; ``retract``: retract the announcement."""

EventName = Annotated[
    str, StringConstraints(strip_whitespace=True, pattern=r"^[A-Z][A-Za-z0-9]{1,9} ?[A-Za-z0-9.+-]{1,30}$")
]
"""Name of an event as circulars use it: ``GRB 260511A``."""

CircularNumber = Annotated[int, Field(ge=1, le=9_999_999)]
"""Number of a GCN Circular."""


class Decision(KeptModel):
    """Decision of the Burst Advocate about the report of a run."""

    run_id: str
    """Run of the report; for a retraction, the announced run."""
    burst_id: BurstId
    choice: Literal["approve", "reject"]
    action: Action = "announce"
    position: str | None = None
    """Label of the position to announce; None for the recommended one."""
    comment: str = Field(default="", max_length=LONGEST_COMMENT)
    """Comment to publish; the reason of a correction or retraction."""
    report_status: ReportStatus = "final"
    """Report that the decision is about; always ``final`` in version 0.2.0."""
    report_sha256: str | None = None
    """SHA-256 of the file of this report; None in decisions of version 0.2.0."""
    decided_by: str
    """Login name."""
    decided_at: AwareDatetime


class Reservation(KeptModel):
    """Number and identity of an announcement, written before its texts and never changed."""

    run_id: str
    number: int = Field(ge=1)
    ivorn: str
    action: Action = "announce"
    supersedes: str | None
    """Ivorn of the previous announcement (of a test, of the previous test); None for the first one."""
    supersedes_circular: CircularNumber | None = None
    """Number of the GCN Circular of that announcement; None if unknown."""
    is_test: bool
    report_written: AwareDatetime
    """Time of the report, UTC, which shows the newer of two reports."""
    moment: AwareDatetime
    """Time when the release began, UTC."""
    event: str | None = None
    """Name of the event; None if it was unknown."""
    byline: tuple[str, ...] = ()
    """Authors of the circular, as printed; empty in records older than this field."""
    acknowledgement: str | None = None
    """Last paragraph of the circular; None for that of ``announcement.toml``."""


class Delivery(KeptModel):
    """Delivery of an announcement by one channel."""

    channel: Literal["nats", "webhook"]
    state: Literal["sent", "refused", "unknown", "off"]
    """``unknown``: sending was interrupted, so it may have arrived and is not repeated; ``off``: not
    configured, or a test."""
    time: AwareDatetime
    reason: str | None = None
    attempts: int = Field(default=1, ge=0)
    """Number of attempts."""


class Release(KeptModel):
    """Archived announcement, never changed."""

    decision: Decision
    number: int = Field(ge=1)
    """Number among the announcements of a burst, or of its tests; each supersedes the previous one."""
    ivorn: str
    """Ivorn of our VOEvent."""
    supersedes: str | None = None
    """Ivorn of the previous announcement; None for the first one."""
    is_test: bool
    position: Position
    released: AwareDatetime
    products: dict[str, Product]
    """``voevent``, ``gcn_notice``, ``circular``, ``message``: paths relative to the folder of the release."""
    deliveries: tuple[Delivery, ...] = ()

    @property
    def is_retraction(self) -> bool:
        """True if it retracts the previous announcement."""
        return self.decision.action == "retract"

    @property
    def is_sent(self) -> bool:
        """True if at least one channel accepted the announcement."""
        return any(delivery.state == "sent" for delivery in self.deliveries)


class SubmittedCircular(KeptModel):
    """GCN Circular of an announcement, as recorded by the person who submitted it."""

    circular: CircularNumber
    recorded_by: str
    """Login name."""
    recorded_at: AwareDatetime


class NamedEvent(KeptModel):
    """Name of the event of a burst, as typed by a person or given by a GCN Circular."""

    name: EventName
    recorded_by: str
    recorded_at: AwareDatetime
