"""Empty is normal: no photon, no good time, no catalogue give a complete report with the reason."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from mxtvhf.crosscheck.model import GpOutcome
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.attitude import AttitudeHistory
from mxtvhf.instrument.pointing import Pointing
from mxtvhf.models.base import Model
from mxtvhf.notices.voevent import read_alert
from mxtvhf.simulator.pointing import moving_attitude
from mxtvhf.simulator.scenario import scenario_of, write_scenario
from mxtvhf.telemetry.crc import crc16
from mxtvhf.telemetry.decode import decode_stream
from mxtvhf.telemetry.encode import encode_photons, encode_pointing
from mxtvhf.telemetry.layout import layout
from mxtvhf.workflow.steps.crosscheck_positions import crosscheck_positions
from mxtvhf.workflow.steps.fits_feed import fits_feed
from mxtvhf.workflow.steps.photons_extraction import photons_extraction
from mxtvhf.workflow.steps.source_analysis import source_analysis
from mxtvhf.workflow.steps.vhf_localisation import vhf_localisation
from support.commands import mxtvhf

AnyModel = TypeVar("AnyModel", bound=Model)
BURST = "sb26030704"
NO_GOOD_TIME = "there is no good time: the pointing was never stable while all photons were received"
NO_PHOTON = PhotonList(np.empty(0), np.empty(0, np.int16), np.empty(0, np.int16), np.empty(0, np.int32))


@dataclass(frozen=True, eq=False)
class Sent:
    """What an ordinary burst sends: the inputs below are made of it."""

    folder: Path
    photons: PhotonList
    attitude: AttitudeHistory


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Sent:
    folder = tmp_path_factory.mktemp("burst")
    write_scenario(scenario_of(BURST, seed=7), folder)
    stream = decode_stream((folder / "packets.bin").read_bytes(), BURST, name="packets.bin")
    return Sent(folder, stream.photons, stream.attitude)


def stream(photons: PhotonList, attitude: AttitudeHistory) -> bytes:
    return b"".join(encode_photons(photons, BURST) + encode_pointing(attitude, BURST))


def only_pointing(sent: Sent) -> bytes:
    return stream(NO_PHOTON, sent.attitude)


def empty_packet(sent: Sent) -> bytes:
    """A photon packet that counts no photon: as the instrument may send it at the end of a burst."""
    kind = layout().photon
    records = np.frombuffer(b"".join(encode_photons(sent.photons, BURST)[:1]), kind.dtype).copy()
    kind.write(records, "PHOTON_COUNT", 0)
    records["SLOTS"] = np.zeros_like(records["SLOTS"])
    body = records.view(np.uint8).reshape(1, kind.size)[:, :-2]
    kind.write(records, "PACKET_ERROR_CONTROL", crc16(np.ascontiguousarray(body)))
    return records.tobytes() + only_pointing(sent)


def out_of_band(sent: Sent) -> bytes:
    photons = sent.photons
    return stream(
        PhotonList(photons.time, photons.x, photons.y, np.full_like(photons.pha, 10)), sent.attitude
    )


def one_photon(sent: Sent) -> bytes:
    first = np.arange(len(sent.photons)) == 0
    return stream(sent.photons.selected(first), sent.attitude)


def hot_only(sent: Sent) -> bytes:
    photons = sent.photons
    column, row, pha = (
        np.full_like(values, value) for values, value in ((photons.x, 7), (photons.y, 9), (photons.pha, 400))
    )
    return stream(PhotonList(photons.time, column, row, pha), sent.attitude)


def never_stable(sent: Sent) -> bytes:
    attitude = sent.attitude
    return stream(sent.photons, AttitudeHistory(attitude.time, attitude.quaternion, ~attitude.stable))


def too_fast(sent: Sent) -> bytes:
    """Called stable, but it moves by 1000 arcsec in 300 s."""
    time, pointing = sent.attitude.time, Pointing.from_quaternion(sent.attitude.quaternion[0])
    return stream(sent.photons, moving_attitude(pointing, time[0], time[-1], drift_arcsec=1000.0))


def one_sample(sent: Sent) -> bytes:
    """The only attitude sample comes long after the photons."""
    late = AttitudeHistory(sent.attitude.time[-1:] + 5000.0, sent.attitude.quaternion[-1:], np.array([True]))
    return stream(sent.photons, late)


CASES: dict[str, tuple[Callable[[Sent], bytes], str]] = {
    "only pointing packets": (only_pointing, NO_GOOD_TIME),
    "a photon packet without photons": (empty_packet, "none of its 0 photons is in the energy band"),
    "pulse heights out of the band": (out_of_band, "photons is in the energy band"),
    "one photon": (one_photon, "no significant source in 1 photons"),
    "all photons in a hot pixel": (hot_only, r"usable pixel; excluded 1 hot pixel (column, row): (7, 9)"),
    "never stable": (never_stable, NO_GOOD_TIME),
    "too fast": (too_fast, NO_GOOD_TIME),
    "one sample, beside the photons": (one_sample, "none of its 0 photons is in the energy band"),
}


def through_json(made: AnyModel) -> AnyModel:
    """Pass a result on as JSON."""
    return type(made).model_validate(strict(json.dumps(made.model_dump(mode="json"))))


def strict(text: str) -> Any:
    """Read JSON that every reader reads: without NaN and infinity."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} in JSON")

    return json.loads(text, parse_constant=refuse)


def command(folder: Path, *arguments: object) -> str:
    done = mxtvhf(*arguments, MXTVHF_STATE=folder / "state")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_every_command_answers_with_the_reason(tmp_path: Path, sent: Sent, case: str) -> None:
    made, reason = CASES[case]
    alert, packets, out = sent.folder / "alert.xml", tmp_path / "packets.bin", tmp_path / "out"
    packets.write_bytes(made(sent))
    report = strict(command(tmp_path, "process", alert, packets, "--out", out, "--json"))
    assert (report["status"], report["best_position"]["origin"]) == ("final", "MXT on-board")
    localisation = report["localisation"]
    assert (localisation["detected"], localisation["position"]) == (False, None)
    assert reason in localisation["reason"]
    assert any(reason in warning for warning in report["warnings"])
    assert report["analysis"]["reason"] == "there is no localised source"
    assert (out / "report.html").stat().st_size > 10_000
    assert (out / "preliminary" / "report.json").is_file()

    events = out / "events.fits"
    assert reason in strict(command(tmp_path, "localise", events, "--json"))["reason"]
    assert reason in command(tmp_path, "localise", events)
    analysed = strict(command(tmp_path, "analyse", events, "--out", tmp_path / "analysis", "--json"))
    assert analysed["reason"] == "there is no localised source"
    crosscheck = strict(command(tmp_path, "crosscheck", alert, "--events", events, "--json"))
    assert crosscheck["best"]["origin"] == "MXT on-board"


@pytest.mark.parametrize("case", ["only pointing packets", "never stable", "too fast"])
def test_the_steps_pass_on_what_is_empty(tmp_path: Path, sent: Sent, case: str) -> None:
    """As the tasks of the DAG: through JSON, and each step reads what the one before wrote."""
    alert, packets = read_alert((sent.folder / "alert.xml").read_bytes()), tmp_path / "packets.bin"
    packets.write_bytes(CASES[case][0](sent))
    extraction = through_json(photons_extraction(packets, BURST, tmp_path))
    event = through_json(fits_feed(extraction, alert, tmp_path, apid="1", target="2", orbit="3"))
    found = through_json(vhf_localisation(event.path, tmp_path, alerts=[alert]))
    analysis = through_json(source_analysis(event.path, found, tmp_path, trigger_time=alert.event_time))
    assert (found.detected, analysis.analysed) == (False, False)
    gp = GpOutcome(available=False, reason="HTTP 503")
    crosscheck = through_json(crosscheck_positions([alert], found, gp))
    assert crosscheck.best is not None


@pytest.mark.parametrize("case", ["only pointing packets", "never stable"])
def test_a_source_is_measured_where_none_of_its_photons_is(tmp_path: Path, sent: Sent, case: str) -> None:
    """The position may come from another file, so that the source region can be empty."""
    alert, located = read_alert((sent.folder / "alert.xml").read_bytes()), tmp_path / "located"
    results = []
    for name, raw in (("located", stream(sent.photons, sent.attitude)), ("empty", CASES[case][0](sent))):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "packets.bin").write_bytes(raw)
        extraction = photons_extraction(folder / "packets.bin", BURST, folder)
        results.append(fits_feed(extraction, alert, folder, apid="1", target="2", orbit="3"))
    found = vhf_localisation(results[0].path, located)
    assert found.detected
    analysis = source_analysis(results[1].path, found, tmp_path, trigger_time=alert.event_time)
    strict(json.dumps(analysis.model_dump(mode="json")))
    assert analysis.analysed or analysis.reason == "events.fits has no good time"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda sent: b"", "packets.bin: empty, no VHF packets"),
        (
            lambda sent: b"".join(encode_photons(sent.photons, BURST)),
            "packets.bin: no pointing packet, so its [0-9]+ photon packets cannot be placed on the sky",
        ),
    ],
    ids=["no byte", "no pointing packet"],
)
def test_a_stream_without_pointing_gives_the_report_of_the_notices(
    tmp_path: Path, sent: Sent, content: Callable[[Sent], bytes], reason: str
) -> None:
    packets, out = tmp_path / "packets.bin", tmp_path / "out"
    packets.write_bytes(content(sent))
    report = strict(command(tmp_path, "process", sent.folder / "alert.xml", packets, "--out", out, "--json"))
    assert (report["status"], report["best_position"]["origin"]) == ("final", "MXT on-board")
    assert report["localisation"]["detected"] is False
    for where in (report["localisation"]["reason"], report["analysis"]["reason"], *report["warnings"][:1]):
        assert re.search(reason, where)
    assert "event_file" not in report["products"]
    assert (out / "report.html").stat().st_size > 10_000
    assert (out / "preliminary" / "report.json").is_file()


def test_packets_of_another_burst_are_a_mistake(tmp_path: Path, sent: Sent) -> None:
    packets = tmp_path / "packets.bin"
    packets.write_bytes(b"".join(encode_photons(sent.photons, "sb26030705")))
    arguments = ("process", sent.folder / "alert.xml", packets, "--out", tmp_path / "out")
    done = mxtvhf(*arguments, MXTVHF_STATE=tmp_path / "state")
    assert done.returncode == 2
    assert "of burst sb26030705" in done.stderr
    assert done.stderr.count("\n") == 1
