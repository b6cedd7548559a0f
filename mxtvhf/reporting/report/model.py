"""The report of a run, as published: see ``docs/reference/report.md`` and ``docs/report.schema.json``."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from typing import Any, Literal, Self

from pydantic import AwareDatetime, ConfigDict, Field
from pydantic.json_schema import GenerateJsonSchema

from mxtvhf.analysis.model import SourceAnalysis
from mxtvhf.archive.products import ReportStatus
from mxtvhf.catalogues.model import CatalogueAnswer
from mxtvhf.crosscheck.joint_position import JointPosition
from mxtvhf.crosscheck.model import (
    BurstVerdict,
    ClaimCheck,
    GpOutcome,
    PositionPair,
    SourceIdentity,
    SourceMatch,
)
from mxtvhf.errors import Failure
from mxtvhf.events.model import LostTime, PatternCounts
from mxtvhf.localisation.model import Localisation
from mxtvhf.models.base import Model
from mxtvhf.models.ids import BurstId
from mxtvhf.models.kept import KeptModel
from mxtvhf.models.position import Position
from mxtvhf.models.product import Product
from mxtvhf.models.times import TimelineEntry, utc_text
from mxtvhf.notices.alert import Alert
from mxtvhf.sky_notices.coincidence import OtherMissions
from mxtvhf.telemetry.counts import PacketCounts

SCHEMA_ID = "urn:mxt-vhf:report:1"


class RunRecord(Model):
    """Input and results of a run up to its report."""

    run_id: str
    sequence: int = Field(ge=1)
    alert: Alert
    """Notice that started the run."""
    related: tuple[Alert, ...] = ()
    """Other notices of the burst."""
    packets: PacketCounts | None = None
    patterns: PatternCounts | None = None
    """Counts of the events by pattern; None without an event file."""
    lost: LostTime | None = None
    """Time and photons of the observation that were not received; None without an event file."""
    localisation: Localisation | None = None
    analysis: SourceAnalysis | None = None
    """Light curve and spectrum; None in the preliminary report, and if the analysis failed."""
    products: dict[str, Product] = Field(default_factory=dict)
    """Products that exist before the report, such as event file and photon list."""
    timeline: tuple[TimelineEntry, ...] = ()
    """Times ``alert_received``, ``packets_received``, ``run_created``, ``<step>_started`` and
    ``<step>_ended``; the report adds those of trigger, notices, photons and the report itself."""
    other_missions: OtherMissions | None = None
    """Coincidences of other missions; None without a store of their notices."""
    joint_position: JointPosition | None = None
    """Joint position of independent measurements; None without any."""
    warnings: tuple[str, ...] = ()
    """Warnings of earlier steps."""
    is_replay: bool = False
    """True if an archived alert is replayed."""
    calibration: dict[str, str] = Field(default_factory=dict)
    """Calibration item -> version, from the event file."""
    assumed_calibration: tuple[str, ...] = ()
    """Calibration items without a public source."""


class AlertSummary(Model):
    """Summary of a notice."""

    ivorn: str
    notice_type: str
    notice_level: str
    instrument: str
    role: str
    published: AwareDatetime | None
    event_time: AwareDatetime
    """``ISOTime``; in an MXT notice, the start of the MXT observation."""
    snr: float | None
    snr_saturated: bool

    @classmethod
    def of(cls, alert: Alert) -> Self:
        """Return the summary of an alert."""
        return cls(**{name: getattr(alert, name) for name in cls.model_fields})


class PhotonSummary(Model):
    """Summary of the photons of the run."""

    count: int
    first: AwareDatetime | None
    """Start of the detector frame of the first photon, UTC; None without photons."""
    last: AwareDatetime | None
    patterns: PatternCounts | None = None
    """Counts of the events within the GTI by pattern, and the pile-up; None without an event file."""


class Report(KeptModel):
    """Complete result of a run, for people and programs."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    schema_version: Literal[1] = 1
    burst_id: BurstId
    run_id: str
    sequence: int
    """Number of the update among the updates of the burst."""
    status: ReportStatus
    """``preliminary``: written at once, without GP; ``final``: written at the end of the run."""
    is_test: bool
    """True if the alert is a test."""
    is_retracted: bool
    """True if SVOM retracted the burst."""
    is_replay: bool
    """True if an archived alert is replayed, so that this is not a current event."""
    written: AwareDatetime
    headline: str
    """Result in one line of plain text."""
    best_position: Position | None
    """Position recommended to observers; None without a credible position."""
    best_reason: str
    """Reason for the recommendation, or why there is none."""
    positions: tuple[Position, ...]
    crosscheck: tuple[PositionPair, ...]
    """Comparison of every pair of ``positions``."""
    claims: tuple[ClaimCheck, ...]
    """Values of the notices, verified."""
    verdict: BurstVerdict = BurstVerdict.UNCLEAR
    """Overall verdict from positions and catalogues; ``unclear`` also in reports older than this field."""
    verdict_reason: str = ""
    """Reason for the verdict in sentences, with the numbers."""
    catalogues: tuple[CatalogueAnswer, ...] = ()
    """Result of each catalogue search around each position, including failed searches."""
    associations: tuple[SourceMatch, ...] = ()
    """Comparison of every position with every catalogued source near it, the most probable first."""
    identities: tuple[SourceIdentity, ...] = ()
    """Identification of each source in ``localisation.sources``; empty if there is only one, and in earlier
    reports."""
    other_missions: OtherMissions | None = None
    """Events of other missions at the time and position of the burst, when the report was written; None in a
    run without a store of their notices, and in earlier reports."""
    joint_position: JointPosition | None = None
    """Product of the densities of independent positions, SVOM's and other missions'; None without two
    consistent ones, and in earlier reports."""
    flags: tuple[str, ...] = ()
    """Unphysical published values, which are excluded from all results."""
    gp: GpOutcome
    localisation: Localisation | None
    """Result of our localisation; None if it was not done."""
    analysis: SourceAnalysis | None
    """Light curve, hardness and spectrum; None in a preliminary report, and if the analysis failed."""
    packets: PacketCounts | None
    lost: LostTime | None = None
    """Time and photons that were not received; None without an event file, and in earlier reports."""
    photons: PhotonSummary | None
    products: dict[str, Product]
    """Name -> file. Reports of earlier versions also list their figures, ``plot_<name>``."""
    timeline: tuple[TimelineEntry, ...]
    """Entries in order of time."""
    trigger_time: AwareDatetime | None
    """T0 of the burst, UTC; None if no notice gives it."""
    alert: AlertSummary
    related: tuple[AlertSummary, ...]
    warnings: tuple[str, ...]
    calibration: dict[str, str]
    """Calibration item -> version used."""
    version: str
    """Version of this software."""

    def to_json(self) -> bytes:
        """Return the report as JSON with a stable order of fields, and times in UTC with milliseconds.

        Raises
        ------
        Failure
            A number is not finite.
        """
        fields = self.model_dump()
        try:
            text = json.dumps(fields, default=_moment_text, indent=2, ensure_ascii=False, allow_nan=False)
        except ValueError as error:
            raise Failure(f"report of {self.run_id}: {error}") from error
        return text.encode() + b"\n"


class ReportProducts(Model):
    """Files of a written report, and its summary."""

    status: ReportStatus
    headline: str
    best_position: Position | None
    json_file: Product
    html_file: Product
    """The page; it changes when its figures are drawn."""


class _EveryField(GenerateJsonSchema):
    """Schema generator that requires every field, including those with a default."""

    def field_is_required(self, *args: Any, **options: Any) -> bool:
        return True


@cache
def report_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the report, published as ``docs/report.schema.json``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **Report.model_json_schema(mode="serialization", schema_generator=_EveryField),
    }


def _moment_text(value: object) -> str:
    if isinstance(value, datetime):
        return utc_text(value)
    raise TypeError(f"a report cannot hold a {type(value).__name__}")
