import json
import os
from pathlib import Path

import pytest

from mxtvhf.archive.products import product_file, product_folder, report_summaries, report_summary
from mxtvhf.models.files import write_atomically


def test_a_product_is_found_by_its_run(tmp_path):
    folder = product_folder(tmp_path, "sb26051102", "manual__2026-05-11T11:00:00+00:00")
    (folder / "preliminary").mkdir(parents=True)
    (folder / "preliminary" / "report.html").write_text("x")
    found = product_file(tmp_path, "manual__2026-05-11T11:00:00+00:00", "preliminary/report.html")
    assert found == (folder / "preliminary" / "report.html").resolve()


def test_nothing_outside_the_run_is_found(tmp_path):
    folder = product_folder(tmp_path, "sb26051102", "sb26051102__1")
    folder.mkdir(parents=True)
    (tmp_path / "secret").write_text("no")
    (folder / "link").symlink_to(tmp_path / "secret")
    for name in ("../../secret", "link", str(tmp_path / "secret"), "", "none"):
        assert product_file(tmp_path, "sb26051102__1", name) is None
    assert product_file(tmp_path, "../sb26051102/sb26051102__1", "x") is None
    assert product_file(tmp_path, "*", "link") is None


def test_the_final_report_has_priority_over_the_preliminary_one(tmp_path, processed_report):
    folder = product_folder(tmp_path, "sb26030704", "sb26030704__1")
    assert report_summary(tmp_path, "sb26030704__1") is None
    for name, status in (("preliminary/report.json", "preliminary"), ("report.json", "final")):
        write_atomically(folder / name, processed_report(status))
        assert report_summary(tmp_path, "sb26030704__1").status == status
    assert [report.status for report in report_summaries(tmp_path)] == ["preliminary", "final"]


def test_a_file_that_is_not_a_report_is_ignored_and_logged(tmp_path, processed_report, caplog):
    write_atomically(tmp_path / "sb26030704" / "a" / "report.json", processed_report("final"))
    write_atomically(tmp_path / "sb26030704" / "b" / "report.json", b'{"status": "final"}')
    assert len(list(report_summaries(tmp_path))) == 1
    assert report_summary(tmp_path, "b") is None
    assert "b/report.json: invalid ReportSummary" in caplog.text


def test_only_the_newest_runs_are_read(tmp_path, processed_report):
    for number in range(3):
        folder = tmp_path / "sb26030704" / f"run{number}"
        write_atomically(folder / "report.json", processed_report("final", run_id=f"run{number}"))
        os.utime(folder, (number, number))
    assert {report.run_id for report in report_summaries(tmp_path, newest=2)} == {"run1", "run2"}


@pytest.fixture
def processed_report():
    """Return the bytes of a report with the fields that its summary reads."""

    def write(status, run_id="sb26030704__1"):
        facts = {"burst_id": "sb26030704", "run_id": run_id, "headline": "", "best_position": None}
        facts |= {"is_test": True, "is_replay": False, "is_retracted": False, "trigger_time": None}
        moment = {"name": "run_created", "time": "2026-03-07T13:45:00Z"}
        facts |= {"products": {}, "timeline": [moment], "written": "2026-03-07T13:45:10Z"}
        return json.dumps({**facts, "status": status, "what_else": "a report has"}).encode()

    return write


def test_the_products_of_a_run_are_found_without_a_look_at_other_bursts(
    tmp_path, monkeypatch, processed_report
):
    """Each summary looked through the folders of all bursts: a list of 1000 runs took a minute."""
    write_atomically(tmp_path / "sb26030704" / "sb26030704__1" / "report.json", processed_report("final"))
    monkeypatch.setattr(Path, "glob", lambda *_: pytest.fail("a search through all bursts"))
    assert report_summary(tmp_path, "sb26030704__1").status == "final"
