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
from mxtvhf.crosscheck import BurstVerdict, SourceMatch
from mxtvhf.crosscheck.model import ClaimCheck, GpOutcome, PositionPair, SourceIdentity
from mxtvhf.errors import Failure
from mxtvhf.events.lost_time import LostTime
from mxtvhf.events.patterns import PatternCounts
from mxtvhf.localisation.model import Localisation
from mxtvhf.models.base import Model
from mxtvhf.models.ids import BurstId
from mxtvhf.models.kept import KeptModel
from mxtvhf.models.position import Position
from mxtvhf.models.product import Product
from mxtvhf.models.times import TimelineEntry, utc_text
from mxtvhf.notices.alert import Alert
from mxtvhf.telemetry.counts import PacketCounts

SCHEMA_ID = "urn:mxt-vhf:report:1"


class RunRecord(Model):
    """What a run was given and did up to its report."""

    run_id: str
    sequence: int = Field(ge=1)
    alert: Alert
    """The notice that started the run."""
    related: tuple[Alert, ...] = ()
    """The other notices of the burst."""
    packets: PacketCounts | None = None
    patterns: PatternCounts | None = None
    """The events that the pixel entries gave; None without an event file."""
    lost: LostTime | None = None
    """What was not received of the observation; None without an event file."""
    localisation: Localisation | None = None
    analysis: SourceAnalysis | None = None
    """Light curve and spectrum; None in the preliminary report, or when they failed."""
    products: dict[str, Product] = Field(default_factory=dict)
    """Products made before the report: event file, photon list, ..."""
    timeline: tuple[TimelineEntry, ...] = ()
    """``alert_received``, ``packets_received``, ``run_created``, ``<step>_started``, ``<step>_ended``; the
    report adds the burst's own moments (trigger, notices, photons) and its own."""
    warnings: tuple[str, ...] = ()
    """What earlier steps want a reader to know."""
    is_replay: bool = False
    """True when an archived alert was sent again."""
    calibration: dict[str, str] = Field(default_factory=dict)
    """Calibration item -> version, of the event file."""
    assumed_calibration: tuple[str, ...] = ()
    """Those of the items that have no public source."""


class AlertSummary(Model):
    """A notice, in short."""

    ivorn: str
    notice_type: str
    notice_level: str
    instrument: str
    role: str
    published: AwareDatetime | None
    event_time: AwareDatetime
    """``ISOTime``; of an MXT notice the start of the MXT observation."""
    snr: float | None
    snr_saturated: bool

    @classmethod
    def of(cls, alert: Alert) -> Self:
        """Summarise an alert."""
        return cls(**{name: getattr(alert, name) for name in cls.model_fields})


class PhotonSummary(Model):
    """The photons of the run."""

    count: int
    first: AwareDatetime | None
    """Start of the first photon's detector frame; None without photons."""
    last: AwareDatetime | None
    patterns: PatternCounts | None = None
    """Events of the good times by the number of their pixels, and the pile-up; None without an event file."""


class Report(KeptModel):
    """All that a run found, for people and programs."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    schema_version: Literal[1] = 1
    burst_id: BurstId
    run_id: str
    sequence: int
    """Number of the input among the inputs of the burst."""
    status: ReportStatus
    """``preliminary``: at once, without GP; ``final``: at the end of the run."""
    is_test: bool
    """True when the alert was sent as a test."""
    is_retracted: bool
    """True when a notice took the burst back."""
    is_replay: bool
    """True when an archived alert was sent again: no burst of now."""
    written: AwareDatetime
    headline: str
    """The result in one line of plain text."""
    best_position: Position | None
    """The position recommended to observers; None when there is none."""
    best_reason: str
    """Why it is recommended, or why there is none."""
    positions: tuple[Position, ...]
    crosscheck: tuple[PositionPair, ...]
    """Every pair of ``positions``."""
    claims: tuple[ClaimCheck, ...]
    """What the notices claim, recomputed."""
    verdict: BurstVerdict = BurstVerdict.UNCLEAR
    """What positions and catalogues say together; ``unclear`` also in reports older than the verdict."""
    verdict_reason: str = ""
    """In sentences, with the numbers."""
    catalogues: tuple[CatalogueAnswer, ...] = ()
    """What each catalogue gave around each position, also that it could not be asked."""
    associations: tuple[SourceMatch, ...] = ()
    """Positions against catalogued sources, the likeliest first."""
    identities: tuple[SourceIdentity, ...] = ()
    """What the catalogues say about each of the sources in ``localisation.sources``, where there are several;
    empty also in earlier reports."""
    flags: tuple[str, ...] = ()
    """Published values that are impossible; they are in no result."""
    gp: GpOutcome
    localisation: Localisation | None
    """Our own result; None when it was not made."""
    analysis: SourceAnalysis | None
    """Light curve, hardness and spectrum of the source; None in a preliminary report, or when they failed."""
    packets: PacketCounts | None
    lost: LostTime | None = None
    """What was not received of the observation; None without an event file, and in earlier reports."""
    photons: PhotonSummary | None
    products: dict[str, Product]
    """Name -> file; the plots are among them."""
    timeline: tuple[TimelineEntry, ...]
    """In order of time."""
    trigger_time: AwareDatetime | None
    """T0 of the burst; None when no notice tells."""
    alert: AlertSummary
    related: tuple[AlertSummary, ...]
    warnings: tuple[str, ...]
    calibration: dict[str, str]
    """Calibration item -> version used."""
    version: str
    """Version of this software."""

    def to_json(self) -> bytes:
        """Write the report as JSON: a stable order of fields, every time in UTC with milliseconds.

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
    """Where a report was written, and what it says in short."""

    status: ReportStatus
    headline: str
    best_position: Position | None
    json_file: Product
    html_file: Product
    plots: dict[str, Product]


class _EveryField(GenerateJsonSchema):
    """Every field is written, also one that has a default."""

    def field_is_required(self, *args: Any, **options: Any) -> bool:
        return True


@cache
def report_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the written report; published as ``docs/report.schema.json``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **Report.model_json_schema(mode="serialization", schema_generator=_EveryField),
    }


def _moment_text(value: object) -> str:
    if isinstance(value, datetime):
        return utc_text(value)
    raise TypeError(f"a report holds no {type(value).__name__}")
