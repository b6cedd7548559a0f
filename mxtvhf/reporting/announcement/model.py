"""The decision of the Burst Advocate and what was released by it."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field

from mxtvhf.archive.products import ReportStatus
from mxtvhf.models.ids import BurstId
from mxtvhf.models.kept import KeptModel
from mxtvhf.models.position import Position
from mxtvhf.models.product import Product

DECISION, RELEASE, REFUSAL = "decision.json", "release.json", "refused.txt"
"""Files of a release's folder: what was decided, what was released, why it was not."""
DRAFTS = "drafts"
"""Folder of a run's products with the texts that would be told."""


class Decision(KeptModel):
    """What the Burst Advocate decided about the report of a run."""

    run_id: str
    burst_id: BurstId
    choice: Literal["approve", "reject"]
    position: str | None = None
    """Label of the position to announce; None: the report's best one."""
    comment: str = Field(default="", max_length=2000)
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
    supersedes: str | None
    """Ivorn of the announcement before; of a test, that of the test before."""
    is_test: bool
    report_written: AwareDatetime
    """Which of two reports is the newer one."""
    moment: AwareDatetime
    """When it was decided to release it."""


class Delivery(KeptModel):
    """What became of an announcement on one way out."""

    channel: Literal["nats", "webhook"]
    state: Literal["sent", "refused", "unknown", "off"]
    """``unknown``: the sender was killed in the middle, it may have arrived and is not sent again; ``off``:
    not configured, or not meant to leave (a test)."""
    time: AwareDatetime
    reason: str | None = None


class Release(KeptModel):
    """An announcement as archived: once per run, never changed."""

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
    def is_sent(self) -> bool:
        """True when at least one channel took the announcement."""
        return any(delivery.state == "sent" for delivery in self.deliveries)
