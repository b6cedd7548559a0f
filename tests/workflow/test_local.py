"""The parts of the chain that Airflow's tasks share, and how it waits for GP."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mxtvhf.errors import Failure
from mxtvhf.models.files import sha256_of
from mxtvhf.models.run_conf import RunConf
from mxtvhf.notices.voevent import read_alert
from mxtvhf.simulator.scenario import scenario_of, write_scenario
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
    with pytest.raises(Failure, match="GP process a7: not done after 0 s: 503"):
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
    assert any("1 corrupt, not used: cut short" in warning for warning in run.warnings)
    assert set(run.products) == {"event_file", "onboard_positions", "photons", "rejected_packets"}
    for product in run.products.values():
        assert sha256_of((out / product.path).read_bytes()) == product.sha256


def test_warnings_of_the_extraction_reach_the_report(damaged: Path) -> None:
    report = json.loads(
        process_burst(damaged / "alert.xml", damaged / "packets.bin", damaged / "out").read_text()
    )
    assert any("1 corrupt, not used: cut short" in warning for warning in report["warnings"])
    assert not report["is_replay"]


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
