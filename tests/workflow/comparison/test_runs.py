import copy
import json
import math
import shutil

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mxtvhf.instrument.calibration import CalibrationStore, packaged_folder
from mxtvhf.reporting.report.model import Report
from mxtvhf.simulator.scenario import scenario_of, write_scenario
from mxtvhf.workflow.comparison import (
    ComparisonSummary,
    Outcome,
    Tolerances,
    compare_reports,
    compare_runs,
    comparisons_text,
    write_comparison,
)
from mxtvhf.workflow.comparison.products import compare_products
from mxtvhf.workflow.local import process_burst

BURST = "sb26030704"
ORIGINAL, REPLAY = f"{BURST}__1", f"{BURST}__1__replay_20260601T040000.000000Z"


@pytest.fixture(scope="module")
def burst(tmp_path_factory):
    folder = tmp_path_factory.mktemp("burst")
    write_scenario(scenario_of(BURST, seed=7), folder)
    return folder


@pytest.fixture(scope="module")
def made(burst, tmp_path_factory):
    """The products of one run of the whole chain."""
    folder = tmp_path_factory.mktemp("products") / BURST / ORIGINAL
    process_burst(burst / "alert.xml", burst / "packets.bin", folder)
    return folder


@pytest.fixture
def products(made, tmp_path):
    """The same twice: an original run, and a replay."""
    for run in (ORIGINAL, REPLAY):
        shutil.copytree(made, tmp_path / BURST / run)
    return tmp_path


@pytest.fixture
def report(made):
    return json.loads((made / "report.json").read_text())


def compared(products):
    return compare_runs(products, BURST, archived_run=ORIGINAL, new_run=REPLAY)


def edited(products, run=ORIGINAL):
    """A report to be changed, and how to put it back."""
    path = products / BURST / run / "report.json"
    report = json.loads(path.read_text())
    return report, lambda: path.write_text(json.dumps(report))


def moved(report, arcsec):
    other = copy.deepcopy(report)
    for position in (*other["positions"], other["best_position"], other["localisation"]["position"]):
        if position["origin"] == "MXT-VHF":
            position["dec_deg"] += arcsec / 3600.0
    return other


def names(found, *, matters=True):
    return {one.what for one in found.differences if one.matters == matters}


def test_a_second_run_of_the_chain_is_equal(burst, products):
    again = products / BURST / "again"
    process_burst(burst / "alert.xml", burst / "packets.bin", again)
    found = compare_runs(products, BURST, archived_run=ORIGINAL, new_run="again")
    assert found.outcome is Outcome.EQUAL, found.reason
    assert found.differences == ()
    assert found.best.separation_arcsec == 0.0
    assert found.reason == "the same"


def test_another_gain_changes_the_events_and_is_named(burst, products, tmp_path):
    folder = tmp_path / "calibration"
    folder.mkdir()
    text = (packaged_folder() / "gain_001.toml").read_text()
    text = text.replace('version = "001"', 'version = "901"').replace("0.0025", "0.00255")
    (folder / "gain_901.toml").write_text(text)
    again = products / BURST / "again"
    store = CalibrationStore(packaged_folder(), folder)
    process_burst(burst / "alert.xml", burst / "packets.bin", again, store=store)
    found = compare_runs(products, BURST, archived_run=ORIGINAL, new_run="again")
    assert found.outcome is Outcome.CHANGED
    assert "product event_file" in names(found)
    assert "calibration.gain" in names(found, matters=False)


@given(arcsec=st.floats(-100.0, 100.0))
@settings(max_examples=30, deadline=None)
def test_the_separation_decides_and_is_symmetric(made, arcsec):
    report = json.loads((made / "report.json").read_text())
    other = moved(report, arcsec)
    found, back = compare_reports(report, other), compare_reports(other, report)
    assert found.outcome == back.outcome
    for one, two in zip(found.positions, back.positions, strict=True):
        assert one.separation_arcsec == two.separation_arcsec
    shift = next(one for one in found.positions if one.position.startswith("MXT-VHF"))
    assert shift.separation_arcsec == pytest.approx(abs(arcsec), abs=1e-6)
    assert (found.outcome is Outcome.CHANGED) == (shift.part_of_r90 > Tolerances().position)


@given(st.integers(0, 10_000))
def test_counts_are_compared_to_the_last_bit(made, good):
    report = json.loads((made / "report.json").read_text())
    other = copy.deepcopy(report)
    other["packets"]["good"] = good
    found = compare_reports(report, other)
    assert (found.outcome is Outcome.EQUAL) == (good == report["packets"]["good"])


@given(st.floats(0.5, 2.0))
def test_a_radius_may_differ_by_its_tolerance(made, factor):
    # On the very limit the last bit decides.
    assume(not math.isclose(max(factor, 1 / factor), 1 / (1 - Tolerances().relative)))
    report = json.loads((made / "report.json").read_text())
    other = copy.deepcopy(report)
    other["localisation"]["r50_arcsec"] *= factor
    found = compare_reports(report, other)
    assert (found.outcome is Outcome.EQUAL) == (max(factor, 1 / factor) <= 1 / (1 - Tolerances().relative))


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("is_test", lambda report: report.update(is_test=not report["is_test"])),
        ("photons.count", lambda report: report["photons"].update(count=1)),
        ("localisation", lambda report: report.update(localisation=None)),
        ("localisation.detected", lambda report: report["localisation"].update(detected=False)),
        ("positions.MXT-VHF photons", lambda report: report["positions"].pop(-1)),
        ("related", lambda report: report["related"].clear()),
        ("localisation.n_photons", lambda report: report["localisation"].update(n_photons=1)),
    ],
)
def test_what_must_be_the_same(report, what, change):
    other = copy.deepcopy(report)
    change(other)
    found = compare_reports(report, other)
    assert found.outcome is Outcome.CHANGED
    assert any(name.startswith(what) for name in names(found))
    assert found.reason.startswith("differs: ")


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("version", lambda report: report.update(version="9.9")),
        ("calibration.psf", lambda report: report["calibration"].update(psf="9.9")),
        ("best_reason", lambda report: report.update(best_reason="other words")),
        ("gp.reason", lambda report: report["gp"].update(reason="down")),
        ("novelty", lambda report: report.update(novelty=1)),
        ("localisation.novelty", lambda report: report["localisation"].update(novelty=1)),
    ],
)
def test_what_is_only_noted(report, what, change):
    other = copy.deepcopy(report)
    change(other)
    for found in (compare_reports(report, other), compare_reports(other, report)):
        assert found.outcome is Outcome.EQUAL
        assert names(found, matters=False) == {what}
        assert found.reason == f"noted: {what}"


def test_gps_position_is_gps_own_matter(report):
    other = copy.deepcopy(report)
    ours = next(one for one in report["positions"] if one["origin"] == "MXT-VHF")
    other["positions"].append({**ours, "origin": "MXT GP", "label": "GP", "ra_deg": ours["ra_deg"] + 0.1})
    pair = {**report["crosscheck"][0], "first": "photons", "second": "GP"}
    other["crosscheck"].append(pair)
    found = compare_reports(report, other)
    assert found.outcome is Outcome.EQUAL
    assert names(found, matters=False) == {"positions.MXT GP GP", "crosscheck.photons GP"}


def test_a_measurement_may_move_by_a_part_of_its_error(report):
    for part, outcome in ((0.04, Outcome.EQUAL), (0.06, Outcome.CHANGED)):
        other = copy.deepcopy(report)
        mean = other["analysis"]["light_curve"]["mean"]
        mean["value"] += part * max(mean["error_low"], mean["error_high"])
        assert compare_reports(report, other).outcome is outcome


def test_every_field_of_a_report_that_changes_is_seen_or_belongs_to_the_run(report):
    own = {"run_id", "is_replay", "written", "headline", "timeline", "products"}
    other = {"positions": [], "best_position": None}
    for name in Report.model_fields.keys() - own:
        found = compare_reports(report, {**report, name: other.get(name, "another")})
        assert {one.what.split(".")[0] for one in found.differences} == {name}
    for name in own:
        assert compare_reports(report, {**report, name: "another"}).differences == ()


def test_a_report_edited_by_hand_is_found_and_written_down(products):
    report, write = edited(products)
    report["packets"]["good"] += 1
    write()
    found = compared(products)
    assert found.outcome is Outcome.CHANGED
    written = json.loads(write_comparison(products, found).read_text())
    assert written["differences"] == [
        {
            "what": "packets.good",
            "archived": report["packets"]["good"],
            "new": report["packets"]["good"] - 1,
            "matters": True,
        }
    ]
    assert write_comparison(products, found).parent.name == REPLAY


@pytest.mark.parametrize(
    ("gone", "outcome", "reason"),
    [
        ((ORIGINAL,), Outcome.MISSING, "the original run has no final report"),
        ((REPLAY,), Outcome.CHANGED, "the replay has no final report"),
        ((ORIGINAL, REPLAY), Outcome.MISSING, "neither run has a final report"),
    ],
)
def test_missing_reports(products, gone, outcome, reason):
    for run in gone:
        (products / BURST / run / "report.json").unlink()
    found = compared(products)
    assert (found.outcome, found.reason) == (outcome, reason)
    assert found.new_run == REPLAY


def test_a_notice_alone_has_no_report_and_misses_none(products):
    runs = {"archived_run": "notice", "new_run": "notice-again"}
    found = compare_runs(products, BURST, **runs, has_packets=False)
    assert (found.outcome, found.reason) == (
        Outcome.EQUAL,
        "a notice without packets has no report",
    )
    runs = {"archived_run": ORIGINAL, "new_run": "notice-again"}
    assert compare_runs(products, BURST, **runs, has_packets=False).outcome is Outcome.CHANGED


def test_an_unreadable_archived_report_is_missing(products):
    for content in ("{", "[]", '{"positions": 1}'):
        (products / BURST / ORIGINAL / "report.json").write_text(content)
        assert compared(products).outcome is Outcome.MISSING


def write_again(path, change):
    """Change a FITS file and return its new entry in a report."""
    with fits.open(path) as file:
        change(file)
        file.writeto(path, overwrite=True, checksum=True)
    return {"path": path.name, "sha256": f"of the changed {path.name}"}


def product_changes(products, name, change):
    folders = products / BURST / ORIGINAL, products / BURST / REPLAY
    before = json.loads((folders[0] / "report.json").read_text())["products"]
    after = {**before, name: write_again(folders[1] / before[name]["path"], change)}
    return list(compare_products(before, after, folders))


def test_versions_in_a_header_do_not_matter(products):
    def change(file):
        file[0].header["PIP_VER"] = "9.9"
        file[0].header["CALGAIN"] = "9.9"

    assert product_changes(products, "event_file", change) == []


def test_an_event_must_be_the_same_to_the_last_bit(products):
    def change(file):
        file["EVENTS"].data["TIME"][0] = np.nextafter(file["EVENTS"].data["TIME"][0], np.inf)

    (found,) = product_changes(products, "event_file", change)
    assert found.matters
    assert "EVENTS" in found.new


@pytest.mark.parametrize(("factor", "number"), [(1.0 + 1e-6, 0), (1.01, 1)])
def test_other_files_have_a_tolerance(products, factor, number):
    def change(file):
        file[1].data["PROBDENSITY"] *= factor

    assert len(product_changes(products, "skymap", change)) == number


def test_a_file_that_is_gone_or_not_made_matters(products):
    folders = products / BURST / ORIGINAL, products / BURST / REPLAY
    before = json.loads((folders[0] / "report.json").read_text())["products"]
    after = {name: product for name, product in before.items() if name != "photons"}
    (found,) = compare_products(before, after, folders)
    assert (found.what, found.archived, found.new) == ("product photons", "present", "none")
    after = {**before, "event_file": {**before["event_file"], "sha256": "another"}}
    (folders[0] / before["event_file"]["path"]).unlink()
    (found,) = compare_products(before, after, folders)
    assert "gone" in found.new


def test_the_name_of_the_input_does_not_matter_in_rejected_packets(tmp_path):
    entries = []
    for run, content in (("a", {"input": "x", "rejects": []}), ("b", {"input": "y", "rejects": []})):
        (tmp_path / run).mkdir()
        (tmp_path / run / "rejected_packets.json").write_text(json.dumps(content))
        entries.append({"rejected_packets": {"path": "rejected_packets.json", "sha256": run}})
    folders = tmp_path / "a", tmp_path / "b"
    assert list(compare_products(*entries, folders)) == []
    (folders[1] / "rejected_packets.json").write_text(json.dumps({"input": "y", "rejects": [1]}))
    assert len(list(compare_products(*entries, folders))) == 1


def test_the_table_begins_with_what_changed():
    found = [
        ComparisonSummary(
            burst_id=BURST, archived_run="x", new_run=f"run{n}", outcome=outcome, reason=f"reason {n}"
        )
        for n, outcome in enumerate((Outcome.EQUAL, Outcome.CHANGED, Outcome.MISSING))
    ]
    lines = comparisons_text(found)
    assert lines[1].startswith("changed")
    assert lines[1].endswith("run1: reason 1")
    assert lines[-1] == "3 replays: 1 equal, 1 changed, 1 missing"


def test_notices_of_other_missions_that_arrived_since_are_noted():
    joint = {"ra_deg": 155.5, "dec_deg": -21.0, "r90_arcsec": 78.0, "used": ["VHF", "Einstein Probe WXT"]}
    archived = {
        "burst_id": "sb26030704",
        "run_id": "a",
        "other_missions": {"notices": 0},
        "joint_position": None,
    }
    new = {**archived, "run_id": "b", "other_missions": {"notices": 1}, "joint_position": joint}
    noted = compare_reports(archived, new)
    assert noted.outcome is Outcome.EQUAL
    assert {one.what for one in noted.differences} == {"other_missions.notices", "joint_position"}
    again = compare_reports(new, {**new, "joint_position": {**joint, "ra_deg": 155.6}})
    assert again.outcome is Outcome.EQUAL


def test_catalogues_that_were_asked_or_added_since_are_noted_and_a_changed_verdict_differs():
    archived = {"burst_id": "sb26030704", "run_id": "a", "catalogues": [], "verdict": "consistent"}
    asked = {**archived, "run_id": "b", "catalogues": [{"catalogue": "bright-xray"}]}
    noted = compare_reports(archived, asked)
    assert noted.outcome is Outcome.EQUAL
    assert [(one.what, one.matters) for one in noted.differences] == [("catalogues.0", False)]
    assert compare_reports(archived, {**asked, "verdict": "known source"}).outcome is Outcome.CHANGED
