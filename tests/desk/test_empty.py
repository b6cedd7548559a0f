"""The desk shows what is empty with its reason: no burst, no packet, no position, no catalogue."""

import shutil

import pytest

from mxtvhf.archive.products import product_folder
from mxtvhf.desk.burst_list import burst_lines
from mxtvhf.desk.files import DeskFiles
from mxtvhf.desk.render import render_list
from mxtvhf.workflow.local import process_burst
from mxtvhf.workflow.runs import StepProblem
from support.desk import BURST, html_of, run


def test_a_list_without_bursts(settings):
    assert burst_lines([], {}, set(), DeskFiles(settings)) == []
    assert "No burst" in render_list([], quarantined=0, base="/mxtvhf")


def test_a_burst_with_an_empty_packet_file(settings, processed, tmp_path):
    packets = tmp_path / "packets.bin"
    packets.write_bytes(b"")
    out = tmp_path / "out"
    process_burst(processed / "input" / "alert.xml", packets, out)
    shutil.copytree(out, product_folder(settings.products, BURST, f"{BURST}__1"))
    page = html_of(settings, [run(f"{BURST}__1")])
    assert "empty, no VHF packets" in page
    assert "no catalogue" in page.lower()


def test_a_run_with_nothing_to_analyse_gives_its_reason(settings):
    problem = StepProblem(
        step="reception_message", state="skipped", reason="no VHF packets received with this alert"
    )
    assert problem.reason in html_of(settings, [run(f"{BURST}__1", problems=(problem,))])


@pytest.mark.parametrize("changes", [{"best_position": None, "positions": [], "crosscheck": []}])
def test_a_report_without_a_position(settings, put, changes):
    put(f"{BURST}__1", **changes, localisation=None, analysis=None, packets=None, photons=None)
    assert "No position" in html_of(settings, [run(f"{BURST}__1")])
