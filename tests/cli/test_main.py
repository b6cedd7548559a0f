import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from mxtvhf import __version__
from mxtvhf.instrument.calibration import default_calibration
from mxtvhf.models.angles import separation_arcsec
from mxtvhf.reporting.report.model import report_schema
from mxtvhf.simulator.scenario import scenario_of, write_scenario
from support.commands import mxtvhf, mxtvhf_process
from support.project import PROJECT

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


def test_crosscheck_with_an_event_file_judges_the_onboard_position(burst, processed):
    done = mxtvhf("crosscheck", burst / "alert.xml", "--events", processed / "events.fits")
    (line,) = [line for line in done.stdout.splitlines() if "by the photons" in line]
    assert line.startswith("supported     mxt-initial_qf")


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


def test_nothing_to_do_is_not_an_error(burst, tmp_path):
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
    assert "psf 002, ASSUMED: " in text
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
    (warning,) = (text for text in report["warnings"] if text.startswith("Placeholder calibration"))
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
        (["calibration"], nowhere, "none: no calibration file found"),
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


def shell(line, **environment):
    """Run a shell line with the command as ``$MXTVHF``."""
    given = {**os.environ, "MXTVHF": f"{sys.executable} -m mxtvhf", "PYTHONPATH": str(PROJECT), **environment}
    return subprocess.run(
        ["bash", "-c", line], env=given, capture_output=True, text=True, errors="replace", check=False
    )


@pytest.mark.parametrize("words", ["catalogue list", "calibration", "--help", "--version"])
def test_a_closed_pipe_is_not_an_error(words):
    done = shell(f"$MXTVHF {words} | true; exit ${{PIPESTATUS[0]}}")
    assert (done.returncode, done.stderr) in [(1, ""), (0, "")]


@pytest.mark.parametrize("words", ["catalogue list", "calibration --json", "--help", "--version"])
def test_a_full_disk_is_one_line(words):
    done = shell(f"$MXTVHF {words} > /dev/full")
    assert done.returncode == 1
    assert re.fullmatch(r"mxtvhf: (standard output: )?No space left on device\n", done.stderr)


def test_ctrl_c_is_one_line(tmp_path):
    (tmp_path / "word").write_text("word")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = subprocess.Popen(
            [sys.executable, "-m", "mxtvhf", "info"],
            env={
                **os.environ,
                "MXTVHF_AIRFLOW_URL": f"http://127.0.0.1:{silent.getsockname()[1]}",
                "MXTVHF_AIRFLOW_PASSWORD_FILE": str(tmp_path / "word"),
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        with silent.accept()[0]:
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "mxtvhf: interrupted\n")


def test_ctrl_c_while_python_imports_is_one_line(tmp_path):
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt")
    done = shell("$MXTVHF --help", PYTHONPATH=f"{tmp_path}:{PROJECT}")
    assert (done.returncode, done.stderr) == (130, "mxtvhf: interrupted\n")


def test_output_works_on_a_terminal_without_utf8(tmp_path):
    table = tmp_path / "a.csv"
    table.write_text("name,ra,dec,r90\nS1,10.5,-20.25,1\n")
    line = f"$MXTVHF catalogue add {table} --name trial --reference été && $MXTVHF catalogue list"
    done = shell(line, PYTHONIOENCODING="ascii", MXTVHF_STATE=str(tmp_path / "var"))
    assert done.returncode == 0, done.stderr
    assert r"\xe9t\xe9" in done.stdout


def test_a_working_folder_that_was_removed_is_one_line(tmp_path):
    for words in ("catalogue list", "simulate --burst sb26030704 --out out", "localise events.fits"):
        done = shell(f"mkdir {tmp_path}/gone; cd {tmp_path}/gone && rmdir $PWD && $MXTVHF {words}")
        assert done.returncode in (1, 2)
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert "working folder" in done.stderr


def test_an_unwritable_folder_is_one_line(burst):
    for words in (
        ("simulate", "--burst", BURST, "--counts", 10, "--out", "/proc/nowhere"),
        ("process", burst / "alert.xml", burst / "packets.bin", "--out", "/proc/nowhere"),
    ):
        done = mxtvhf(*words)
        assert done.returncode in (1, 2)
        assert re.fullmatch(r"mxtvhf: /proc\S*: .+\n", done.stderr), done.stderr


def test_an_error_of_the_program_itself_keeps_its_traceback_in_a_file(monkeypatch, tmp_path):
    def wrong(*_, **__):
        raise KeyError("x\ny")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("mxtvhf.cli.catalogue.CatalogueStore", wrong)
    done = mxtvhf("catalogue", "list")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    (file,) = tmp_path.glob("mxtvhf-*.txt")
    assert line == f"mxtvhf: internal error: KeyError: 'x\\ny'; please report it with {file}"
    assert "Traceback" in file.read_text()


def test_the_names_of_commands_are_completed():
    environment = {"_MXTVHF_COMPLETE": "complete_bash", "COMP_WORDS": "mxtvhf lo", "COMP_CWORD": "1"}
    assert shell("$MXTVHF", **environment).stdout.split() == ["localise", "log-queue"]


def test_help_groups_commands_by_purpose():
    shown = mxtvhf("--help").stdout
    assert [panel for panel in ("Analyse files", "Run in Airflow", "Operate") if panel not in shown] == []


def test_names_that_are_not_utf8_are_processed(burst, tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9t\xe9"))
    shutil.copytree(burst, folder)
    done = mxtvhf("process", folder / "alert.xml", folder / "packets.bin", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    (folder / "packets.bin").write_bytes(b"\xff" * 100)
    done = mxtvhf("process", folder / "alert.xml", folder / "packets.bin", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert r"\xe9t\xe9/packets.bin" in done.stderr


def test_packets_are_named_as_the_user_named_them(burst, tmp_path):
    (tmp_path / "mine.bin").write_bytes(b"\xff" * 100)
    done = mxtvhf("process", burst / "alert.xml", tmp_path / "mine.bin", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert done.stderr.startswith(f"mxtvhf: {tmp_path / 'mine.bin'}: ")


def test_an_unknown_burst_and_a_wrong_role_say_what_to_do(tmp_path):
    unknown = mxtvhf("simulate", "--burst", "sb26070101", "--out", tmp_path)
    assert "give its position (--ra, --dec)" in unknown.stderr
    wrong = mxtvhf("simulate", "--burst", BURST, "--role", "tset", "--out", tmp_path)
    assert (wrong.returncode, len(wrong.stderr.splitlines())) == (2, 1)
    assert "'test', 'observation'" in wrong.stderr
