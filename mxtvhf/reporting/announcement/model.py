"""The decision of the Burst Advocate, what was released by it, and what became of it at GCN."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from mxtvhf.archive.products import ReportStatus
from mxtvhf.models.ids import BurstId
from mxtvhf.models.kept import KeptModel
from mxtvhf.models.position import Position
from mxtvhf.models.product import Product

DECISION, RELEASE, REFUSAL = "decision.json", "release.json", "refused.txt"
"""Files of a release's folder: what was decided, what was released, why it was not."""
SUBMISSION, EVENT = "submission.json", "event.json"
"""The number of the GCN Circular, in a release's folder; the name of the event, in the burst's."""
DRAFTS = "drafts"
"""Folder of a run's products with the texts that would be told."""


LONGEST_COMMENT = 2000
"""Characters of a comment and of a reason."""

Action = Literal["announce", "correct", "retract"]
"""``correct``: announce another result in place of the one that is out; ``retract``: take it back."""

EventName = Annotated[
    str, StringConstraints(strip_whitespace=True, pattern=r"^[A-Z][A-Za-z0-9]{1,9} ?[A-Za-z0-9.+-]{1,30}$")
]
"""Name of an event as circulars use it: ``GRB 260511A``."""

CircularNumber = Annotated[int, Field(ge=1, le=9_999_999)]
"""Number of a GCN Circular."""


class Decision(KeptModel):
    """What the Burst Advocate decided about the report of a run."""

    run_id: str
    """Run of the report; of a retraction the run that was announced."""
    burst_id: BurstId
    choice: Literal["approve", "reject"]
    action: Action = "announce"
    position: str | None = None
    """Label of the position to announce; None: the report's best one."""
    comment: str = Field(default="", max_length=LONGEST_COMMENT)
    """Published with it; of a correction and of a retraction its reason."""
    report_status: ReportStatus = "final"
    """Which report of the run was read; version 0.2.0 asked only about the final one."""
    report_sha256: str | None = None
    """Of the file of that report; None in decisions of version 0.2.0."""
    decided_by: str
    """Who, as Airflow knows them."""
    decided_at: AwareDatetime


class Reservation(KeptModel):
    """What an announcement will be: written before anything is made of it, never changed."""

    run_id: str
    number: int = Field(ge=1)
    ivorn: str
    action: Action = "announce"
    supersedes: str | None
    """Ivorn of the announcement before, which a retraction takes back; of a test, that of the test before."""
    supersedes_circular: CircularNumber | None = None
    """Number of that announcement's GCN Circular, as far as it was known."""
    is_test: bool
    report_written: AwareDatetime
    """Which of two reports is the newer one."""
    moment: AwareDatetime
    """When it was decided to release it."""
    event: str | None = None
    """Name of the event as it was known."""
    byline: tuple[str, ...] = ()
    """Authors of the circular, as printed; empty in records of versions before this field."""
    acknowledgement: str | None = None
    """Last paragraph of the circular; None: that of ``announcement.toml``."""


class Delivery(KeptModel):
    """What became of an announcement on one way out."""

    channel: Literal["nats", "webhook"]
    state: Literal["sent", "refused", "unknown", "off"]
    """``unknown``: the sender was killed in the middle, it may have arrived and is not sent again; ``off``:
    not configured, or not meant to leave (a test)."""
    time: AwareDatetime
    reason: str | None = None
    attempts: int = Field(default=1, ge=0)
    """How often it was tried."""


class Release(KeptModel):
    """An announcement as archived, never changed."""

    decision: Decision
    number: int = Field(ge=1)
    """Counts the announcements of a burst, its tests apart; each supersedes the one before."""
    ivorn: str
    """Of our VOEvent."""
    supersedes: str | None = None
    """Ivorn of the announcement before."""
    is_test: bool
    position: Position
    released: AwareDatetime
    products: dict[str, Product]
    """``voevent``, ``gcn_notice``, ``circular``, ``message``: paths relative to the release's folder."""
    deliveries: tuple[Delivery, ...] = ()

    @property
    def is_retraction(self) -> bool:
        """True when it takes the announcement before it back."""
        return self.decision.action == "retract"

    @property
    def is_sent(self) -> bool:
        """True when at least one channel took the announcement."""
        return any(delivery.state == "sent" for delivery in self.deliveries)


class SubmittedCircular(KeptModel):
    """The GCN Circular of an announcement, as the person who submitted it recorded it."""

    circular: CircularNumber
    recorded_by: str
    """Who, as Airflow knows them."""
    recorded_at: AwareDatetime


class NamedEvent(KeptModel):
    """The name of a burst's event, as a person typed it or a GCN Circular gave it."""

    name: EventName
    recorded_by: str
    recorded_at: AwareDatetime
