"""Results of runs and their reports."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
from jsonschema import Draft202012Validator

from mxtvhf.crosscheck.crosscheck import crosscheck
from mxtvhf.crosscheck.model import CrossCheck, GpOutcome
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.time import met_from_utc
from mxtvhf.localisation.model import Localisation
from mxtvhf.models.position import Origin, Position
from mxtvhf.models.product import Product
from mxtvhf.models.times import TimelineEntry
from mxtvhf.notices.alert import Alert
from mxtvhf.reporting.report.assembly import build_report
from mxtvhf.reporting.report.model import Report, RunRecord, report_schema
from mxtvhf.reporting.report.page import render_page
from mxtvhf.telemetry.counts import PacketCounts
from support.alerts import alert_of
from support.positions import localisation_of, place

T0 = datetime(2026, 5, 11, 11, 0, 32, 123_456, tzinfo=UTC)
WRITTEN = T0 + timedelta(seconds=200)


def position(origin: Origin, label: str, dec: float, r90: float | None) -> Position:
    return place(212.5, dec, r90, origin, label, time=T0)


ECLAIRS = position(Origin.ECLAIRS, "eclairs-wakeup", -12.70, 300.0)
VHF = position(Origin.MXT_VHF, "photons", -12.73, 48.0)
GRM = position(Origin.GRM, "grm-trigger", 40.0, None)


def notice(kind: str, packet_type: int, where: Position | None, **more: object) -> Alert:
    told = {"event_time": T0, "published": T0 + timedelta(seconds=20)}
    return alert_of("sb26051102", kind, **{**told, "packet_type": packet_type, "position": where, **more})


def localisation(where: Position | None) -> Localisation:
    if where is None:
        more = {"ts": 3.0, "reason": "the brightest excess is not significant"}
    else:
        more = {"ts": 80.0, "r50_arcsec": 20.0, "detector_x": 140.0, "detector_y": 110.0}
    sums = {"n_photons": 40, "n_source": 30.0, "n_background": 10.0}
    return localisation_of(where, calibration={"psf": "7"}, **sums, **more)


def photons(count: int = 40) -> PhotonList:
    draw = np.random.default_rng(3)
    return PhotonList(
        time=np.round(met_from_utc(T0) + np.sort(draw.uniform(100.0, 180.0, count)), 1),
        x=draw.integers(0, 256, count).astype(np.int16),
        y=draw.integers(0, 256, count).astype(np.int16),
        pha=np.full(count, 400, np.int32),
    )


def record(where: Position | None = VHF, **more: object) -> RunRecord:
    return RunRecord.model_validate(
        {
            "run_id": "sb26051102__1",
            "sequence": 1,
            "alert": notice("eclairs-wakeup", 202, ECLAIRS),
            "packets": PacketCounts(
                received=30, good=10, repeated=16, missing=2, corrupt=1, foreign=1, out_of_order=3
            ),
            "localisation": localisation(where),
            "products": {"event_file": Product(path="events.fits", sha256="ab" * 32)},
            "timeline": (TimelineEntry(name="run_created", time=T0 + timedelta(seconds=190)),),
            **more,
        }
    )


def checked(*positions: Position, gp: GpOutcome | None = None) -> CrossCheck:
    return crosscheck(positions, [], gp or GpOutcome(available=False, reason="HTTP 503 <busy>"))


def report(run: RunRecord | None = None, check: CrossCheck | None = None, light: bool = False) -> Report:
    return build_report(
        run or record(),
        check or checked(ECLAIRS, VHF),
        status="final",
        photons=None if light else photons(),
        written=WRITTEN,
    )


def page_of(made: Report) -> str:
    return render_page(made, []).decode()


def valid(made: Report) -> dict[str, object]:
    document = json.loads(made.to_json())
    Draft202012Validator(report_schema()).validate(document)
    return document  # type: ignore[no-any-return]
