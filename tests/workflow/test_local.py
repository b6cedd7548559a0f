"""The parts of the chain that Airflow's tasks share, and how it waits for GP."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from mxtvhf.errors import Failure
from mxtvhf.models.files import sha256_of
from mxtvhf.models.run_conf import RunConf
from mxtvhf.notices.voevent import read_alert
from mxtvhf.reporting.report.model import Report
from mxtvhf.simulator.scenario import scenario_of, write_scenario
from mxtvhf.telemetry.decode import decode_stream
from mxtvhf.telemetry.encode import encode_photons, encode_pointing
from mxtvhf.workflow import local
from mxtvhf.workflow.gp.client import GpClient
from mxtvhf.workflow.gp.contract import GpBusy, GpState, GpStatus, GpUnknownJobError
from mxtvhf.workflow.local import process_burst, run_record
from mxtvhf.workflow.steps.fits_feed import fits_feed
from mxtvhf.workflow.steps.photons_extraction import photons_extraction
from mxtvhf.workflow.steps.reception_message import Reception

BURST = "sb26030704"


class ScriptedGp(GpClient):
    """Answers status requests one after the other, the last for ever."""

    def __init__(self, *answers: GpState | Exception) -> None:
        super().__init__("http://gp")
        self.answers, self.asked = list(answers), 0

    def status(self, process_id: str) -> GpStatus:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return GpStatus(process_id=process_id, state=answer)


@pytest.fixture(autouse=True)
def fast_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "GP_POLL_S", 0.001)


def test_gp_may_be_busy_and_forget_the_job_for_a_while() -> None:
    gp = ScriptedGp(GpBusy("503"), GpUnknownJobError("404"), GpState.RUNNING, GpState.COMPLETED)
    assert local._finished("a7", gp, 10.0).state is GpState.COMPLETED
    assert gp.asked == 4


def test_a_gp_in_trouble_is_asked_less_and_less_until_the_time_is_over() -> None:
    gp = ScriptedGp(GpBusy("503"))
    with pytest.raises(Failure, match="GP process a7: not finished after 0 s: 503"):
        local._finished("a7", gp, 0.2)
    # Pauses of 1, 2, 4 ... ms: 0.2 s are over with the eighth.
    assert gp.asked <= 9


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    write_scenario(scenario_of(BURST, seed=7), tmp_path)
    raw = (tmp_path / "packets.bin").read_bytes()
    (tmp_path / "packets.bin").write_bytes(raw[:-30])
    return tmp_path


def test_record_of_a_run(damaged: Path) -> None:
    out = damaged / "out"
    alert = read_alert((damaged / "alert.xml").read_bytes(), name="alert.xml")
    extraction = photons_extraction(damaged / "packets.bin", BURST, out)
    event = fits_feed(extraction, alert, out, apid="00810300005", target="2", orbit="2")
    event = event.model_copy(update={"warnings": ("the pointing moved",)})
    received = datetime(2026, 3, 7, tzinfo=UTC)
    reception = Reception(
        alert=alert, related=(), alert_path="alert.xml", packets_path="packets.bin", received=received
    )
    conf = RunConf(burst_id=BURST, alert="alert.xml")
    run = run_record("r", conf, reception, extraction, event, None, out=out, timeline=(), is_replay=True)
    assert run.is_replay
    assert run.warnings == (*extraction.warnings, "the pointing moved")
    assert any("1 corrupt, rejected: cut short" in warning for warning in run.warnings)
    assert set(run.products) == {"event_file", "onboard_positions", "photons", "rejected_packets"}
    for product in run.products.values():
        assert sha256_of((out / product.path).read_bytes()) == product.sha256


def test_warnings_of_the_extraction_reach_the_report(damaged: Path) -> None:
    report = json.loads(
        process_burst(damaged / "alert.xml", damaged / "packets.bin", damaged / "out").read_text()
    )
    assert any("1 corrupt, rejected: cut short" in warning for warning in report["warnings"])
    assert not report["is_replay"]


def test_a_report_counts_photons_not_pixels(tmp_path: Path) -> None:
    write_scenario(scenario_of(BURST, seed=7), tmp_path)
    truth = json.loads((tmp_path / "truth.json").read_text())
    report = json.loads(
        process_burst(tmp_path / "alert.xml", tmp_path / "packets.bin", tmp_path / "out").read_text()
    )
    assert truth["n_pixels"] > 1.3 * truth["n_photons"]
    assert report["photons"]["count"] == pytest.approx(truth["n_photons"], abs=3)
    patterns = report["photons"]["patterns"]
    assert (
        sum(patterns[name] for name in ("singles", "doubles", "triples", "quadruples"))
        == (report["photons"]["count"])
    )
    # Most of the photons are in the band; the others are of the background.
    assert report["localisation"]["n_photons"] <= report["photons"]["count"]


def test_the_final_report_is_made_when_the_localisation_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise Failure("no memory")

    write_scenario(scenario_of(BURST, seed=7), tmp_path)
    monkeypatch.setattr(local, "vhf_localisation", failing)
    report = json.loads(
        process_burst(tmp_path / "alert.xml", tmp_path / "packets.bin", tmp_path / "out").read_text()
    )
    assert report["localisation"] is None
    assert {position["origin"] for position in report["positions"]} == {"ECLAIRs", "MXT on-board"}
    assert "vhf_localisation failed, the report has no VHF position: no memory" in caplog.text


def measured(folder: Path, packets: Path) -> Report:
    """Process the burst of a folder with other packets."""
    path = process_burst(folder / "alert.xml", packets, folder / packets.stem)
    return Report.model_validate_json(path.read_bytes())


@pytest.mark.slow
def test_lost_packets_change_neither_rate_nor_decay(tmp_path: Path) -> None:
    write_scenario(scenario_of(BURST, counts=2000.0, repeat=0.0, shuffle=0.0, seed=3), tmp_path)
    stream = decode_stream((tmp_path / "packets.bin").read_bytes(), BURST, name="packets.bin")
    photons, attitude = encode_photons(stream.photons, BURST), encode_pointing(stream.attitude, BURST)
    chance, sent = np.random.default_rng(4), stream.attitude.time
    first_of = [decode_stream(packet, BURST, name="packet").photons.time[0] for packet in photons]
    cut = sent[0] + 0.4 * (sent[-1] - sent[0])
    streams = {
        "all": photons + attitude,
        "thirty_percent": [packet for packet in photons + attitude if chance.random() > 0.3],
        "late": [packet for packet, time in zip(photons, first_of, strict=True) if time > cut]
        + [packet for packet, time in zip(attitude, sent, strict=True) if time > cut],
    }
    reports = {}
    for name, packets in streams.items():
        (tmp_path / f"{name}.bin").write_bytes(b"".join(packets))
        reports[name] = measured(tmp_path, tmp_path / f"{name}.bin")
    lost = {name: report.lost for name, report in reports.items()}
    analyses = [report.analysis for report in reports.values()]
    whole, part, late = (None if analysis is None else analysis.light_curve for analysis in analyses)
    assert whole is not None
    assert part is not None
    assert late is not None
    assert lost["all"] is not None
    assert lost["all"].fraction < 0.001
    assert lost["thirty_percent"] is not None
    assert lost["thirty_percent"].fraction == pytest.approx(0.3, abs=0.1)
    assert lost["late"] is not None
    assert lost["late"].fraction == pytest.approx(0.4, abs=0.02)
    assert any("40 % of the observation is lost" in text for text in reports["late"].warnings)
    # Both of one burst: what is left of the difference is the chance of which packets were lost.
    assert part.mean.value == pytest.approx(whole.mean.value, rel=0.06)
    for curve in (whole, part, late):
        assert curve.decay is not None
        index = curve.decay.index
        assert index.value == pytest.approx(1.2, abs=3.0 * float(index.error_low or 0.0))
        assert float(index.error_low or 9.0) < 0.35
