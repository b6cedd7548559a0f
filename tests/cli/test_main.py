import json

import jsonschema
import pytest

from mxtvhf import __version__
from mxtvhf.instrument.calibration import default_calibration
from mxtvhf.models.angles import separation_arcsec
from mxtvhf.reporting.report import report_schema
from mxtvhf.simulator.scenario import scenario_of, write_scenario
from support.commands import mxtvhf, mxtvhf_process

pytestmark = pytest.mark.slow  # most need a processed burst

BURST = "sb26030704"


@pytest.fixture(scope="module")
def burst(tmp_path_factory):
    folder = tmp_path_factory.mktemp("burst")
    write_scenario(scenario_of(BURST, seed=2), folder)
    return folder


@pytest.fixture(scope="module")
def processed(burst, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    done = mxtvhf_process("process", burst / "alert.xml", burst / "packets.bin", "--out", out)
    assert done.returncode == 0, done.stderr
    headline, path = done.stdout.splitlines()
    assert path == str(out / "report.json")
    assert headline == json.loads((out / "report.json").read_text())["headline"]
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
    empty, noise = tmp_path / "empty.bin", tmp_path / "noise.bin"
    empty.write_bytes(b"")
    noise.write_bytes(b"noise")
    for arguments, cause in (
        (("process", burst / "alert.xml", noise, "--out", tmp_path), "noise.bin|packets"),
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


def test_calibration_lists_what_is_in_use(exchange):
    folder = exchange("psf", core_fwhm_arcmin=8.0, valid_from="2026-01-01T00:00:00Z", assumed="false")
    listed = json.loads(
        mxtvhf("calibration", "--at", "2026-02-01", "--json", MXTVHF_CALIBRATION=folder).stdout
    )
    by_item = {file["item"]: file for file in listed}
    assert set(by_item) == set(default_calibration().versions())
    psf = by_item["psf"]
    assert (psf["version"], psf["file"], psf["assumed"]) == ("900-own", f"{folder}/psf_900-own.toml", False)
    assert (psf["valid_from"], psf["valid_until"]) == ("2026-01-01T00:00:00Z", None)
    assert by_item["alignment"]["assumed"]
    text = mxtvhf("calibration", "--at", "2025-02-01T00:00:00Z", MXTVHF_CALIBRATION=folder).stdout
    assert "psf 001, ASSUMED: " in text
    assert "alignment 001, ASSUMED: " in text
    assert "valid from 2017-01-01T00:00:00.000Z until 2025-08-01T00:00:00.000Z" in text
    assert mxtvhf("calibration").returncode == 0


def test_an_own_calibration_is_used_and_named_in_the_report(burst, exchange, tmp_path):
    folder = exchange("alignment", systematic_r90_arcsec=60.0, assumed="false")
    done = mxtvhf(
        "process",
        burst / "alert.xml",
        burst / "packets.bin",
        "--out",
        tmp_path / "out",
        MXTVHF_CALIBRATION=folder,
    )
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert done.returncode == 0, done.stderr
    assert report["calibration"]["alignment"] == "900-own"
    assert report["calibration"].keys() >= default_calibration().versions().keys()
    assert report["localisation"]["position"]["r90_sys_arcsec"] == 60.0
    (warning,) = (text for text in report["warnings"] if text.startswith("Assumed calibration"))
    assert "psf" in warning
    assert "alignment" not in warning


def test_a_bad_calibration_folder_is_one_line_and_exit_status_2(processed, exchange, tmp_path):
    folder, nowhere = exchange("psf", core_fwhm_arcmin=-1.0), tmp_path / "none"
    for arguments, wrong, cause in (
        (
            ["calibration"],
            folder,
            "psf_900-own.toml: core_fwhm_arcmin: found -1.0, expected a value greater than 0",
        ),
        (["calibration"], nowhere, "none: no folder with calibration files"),
        (["localise", processed / "events.fits"], folder, "psf_900-own.toml"),
        (["simulate", "--burst", BURST, "--out", tmp_path / "out"], folder, "psf_900-own.toml"),
        (["gp", "--data", tmp_path, "--state", tmp_path / "gp"], folder, "psf_900-own.toml"),
    ):
        done = mxtvhf(*arguments, MXTVHF_CALIBRATION=wrong)
        assert done.returncode == 2, (arguments, done)
        assert cause in done.stderr
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_process_ends_with_the_status_and_one_line(tmp_path):
    done = mxtvhf_process("localise", tmp_path / "none.fits")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_version():
    assert mxtvhf_process("--version").stdout.strip() == __version__
