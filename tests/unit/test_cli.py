import json
import subprocess
import sys

import jsonschema
import pytest

from mxtvhf.angles import separation_arcsec
from mxtvhf.report import report_schema
from mxtvhf.simulator.scenario import scenario_of, write_scenario

BURST = "sb26030704"


def mxtvhf(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "mxtvhf", *map(str, arguments)], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def burst(tmp_path_factory):
    folder = tmp_path_factory.mktemp("burst")
    write_scenario(scenario_of(BURST, seed=2), folder)
    return folder


@pytest.fixture(scope="module")
def processed(burst, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    done = mxtvhf("process", burst / "alert.xml", burst / "packets.bin", "--out", out)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(out / "report.json")
    return out


def test_simulate_names_its_files(tmp_path):
    done = mxtvhf(
        "simulate", "--burst", "sb26051102", "--ra", 231.25, "--dec", -12.5, "--counts", 200,
        "--background", 100, "--seed", 4, "--out", tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    truth = json.loads((tmp_path / "truth.json").read_text())
    assert (truth["ra_deg"], truth["dec_deg"], truth["counts"], truth["seed"]) == (231.25, -12.5, 200.0, 4)
    assert str(tmp_path / "packets.bin") in done.stdout.splitlines()


def test_process_makes_a_valid_report_with_the_true_position(processed, burst):
    report = json.loads((processed / "report.json").read_text())
    jsonschema.validate(report, report_schema())
    truth = json.loads((burst / "truth.json").read_text())
    best = report["best_position"]
    assert (
        separation_arcsec(best["ra_deg"], best["dec_deg"], truth["ra_deg"], truth["dec_deg"])
        < best["r90_arcsec"]
    )
    assert report["gp"]["reason"] == "GP was not asked (no --gp URL)"
    assert (processed / "preliminary" / "report.html").exists()


def test_a_rerun_gives_the_same_products(processed, burst, tmp_path):
    mxtvhf("process", burst / "alert.xml", burst / "packets.bin", "--out", tmp_path)
    first, again = (json.loads((folder / "report.json").read_text()) for folder in (processed, tmp_path))
    assert again["products"]["event_file"] == first["products"]["event_file"]
    assert again["positions"] == first["positions"]


def test_localise_for_people_and_programs(processed):
    events = processed / "events.fits"
    assert "source photons" in mxtvhf("localise", events).stdout
    found = json.loads(mxtvhf("localise", events, "--json").stdout)
    assert found["detected"]
    assert found["position"]["origin"] == "MXT-VHF"


def test_crosscheck_of_the_notices(burst):
    done = mxtvhf("crosscheck", burst / "alert.xml", burst / "eclairs-wakeup.xml")
    assert done.stdout.startswith("consistent")
    assert "Within" not in done.stderr


def test_bad_input_is_one_line_and_exit_status_2(burst, tmp_path):
    empty = tmp_path / "empty.bin"
    empty.write_bytes(b"")
    for arguments, cause in (
        (("process", burst / "alert.xml", empty, "--out", tmp_path), "empty.bin|packets"),
        (("process", burst / "packets.bin", empty, "--out", tmp_path), "packets.bin"),
        (("process", tmp_path / "none.xml", empty, "--out", tmp_path), "none.xml"),
        (("localise", empty), "empty.bin"),
        (("simulate", "--burst", "sb99", "--out", tmp_path), "sb99"),
        (("crosscheck", burst / "truth.json"), "truth.json"),
    ):
        done = mxtvhf(*arguments)
        assert done.returncode == 2, (arguments, done)
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert any(word in done.stderr for word in cause.split("|")), done.stderr


def test_an_unreadable_alert_is_kept_in_quarantine(burst, tmp_path):
    alert = tmp_path / "alert.xml"
    alert.write_bytes(b"<junk")
    assert mxtvhf("process", alert, burst / "packets.bin", "--out", tmp_path / "out").returncode == 2
    (note,) = (tmp_path / "out" / "archive" / "quarantine").glob("*.json")
    assert json.loads(note.read_text())["input"] == str(alert)
    assert note.with_suffix(".bin").read_bytes() == b"<junk"


def test_nothing_to_do_is_no_error(burst, tmp_path):
    retraction = tmp_path / "retraction.xml"
    text = (burst / "alert.xml").read_text()
    retraction.write_text(text.replace('name="Packet_Type" value="209"', 'name="Packet_Type" value="219"'))
    done = mxtvhf("process", retraction, burst / "packets.bin", "--out", tmp_path / "out")
    assert done.returncode == 0
    assert "retraction" in done.stdout


def test_version():
    assert mxtvhf("--version").stdout.strip() == "0.1.0"
