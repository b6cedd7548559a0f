"""A burst from its first notice to its retraction."""

import json
from datetime import datetime

import pytest

from mxtvhf.notices.voevent import read_alert
from mxtvhf.operation.stack.processes import wait_until
from mxtvhf.simulator.notices import write_notice
from support.airflow_runs import has_packets, planned
from support.arrivals import retraction_of

pytestmark = pytest.mark.integration

GP_RUNNING = b'{"processing_descriptor": {"process_id": "job-1", "state": "RUNNING"}}'


def moments(report):
    return {entry["name"]: datetime.fromisoformat(entry["time"]) for entry in report["timeline"]}


def test_a_burst_in_the_inbox_gives_reports_for_all_notices(settings, run, lay, arrivals):
    burst_id = "sb27060101"
    these = arrivals(burst_id, role="observation")
    lay(burst_id, wakeup_xml=these["wakeup_xml"], packets_bin=these["packets_bin"])
    (first, *_) = planned(settings, burst_id, has_packets)
    assert run.wait(first.run_id) == "success"
    report = json.loads((run.folder(first.run_id) / "report.json").read_text())
    assert not report["is_test"]
    assert report["best_position"]["origin"] in ("MXT-VHF", "MXT GP")
    when = moments(report)
    assert when["alert_received"] <= when["run_created"] <= when["crosscheck_positions_ended"]
    assert when["packets_received"] <= when["run_created"]
    # A later notice updates the picture, with the photons that are there.
    lay(burst_id, alert_xml=these["alert_xml"])
    name = read_alert(these["alert_xml"]).notice_type
    (update,) = planned(settings, burst_id, lambda plan: plan.reason == f"notice {name}")
    assert run.wait(update.run_id) == "success"
    updated = json.loads((run.folder(update.run_id) / "report.json").read_text())
    assert {position["origin"] for position in updated["positions"]} >= {"ECLAIRs", "MXT on-board", "MXT-VHF"}
    assert not list(settings.inbox.glob(f"{burst_id}*"))


def test_a_test_alert_is_processed_alike_and_marked(settings, run, lay, arrivals):
    burst_id = "sb27060102"
    lay(burst_id, **arrivals(burst_id))
    runs = planned(settings, burst_id, lambda plan: True)
    assert all(plan.run_id.endswith("__test") for plan in runs)
    placed = planned(settings, burst_id, has_packets)
    assert run.wait(placed[-1].run_id) == "success"
    assert json.loads((run.folder(placed[-1].run_id) / "report.json").read_text())["is_test"]


def test_a_retraction_stops_active_runs_and_marks_reports(settings, run, lay, arrivals, bad_gp, web):
    burst_id = "sb27060103"
    these = arrivals(burst_id, role="observation")
    with bad_gp("status", GP_RUNNING):
        lay(burst_id, wakeup_xml=these["wakeup_xml"], packets_bin=these["packets_bin"])
        placed = planned(settings, burst_id, has_packets)
        run_id = placed[0].run_id
        wait_until(
            lambda: (
                run.api.task_states(run_id).get("wait_mxt_gp") == "deferred"
                and run.api.task_states(run_id).get("preliminary_report") == "success"
            ),
            what="GP and the preliminary report",
            timeout=300,
        )
        page = web(f"/mxtvhf/runs/{run_id}/preliminary/report.html").text
        assert "RETRACTED" not in page
        lay(burst_id, retraction_xml=write_notice(retraction_of(read_alert(these["wakeup_xml"]))))
        assert run.wait(run_id) == "failed"
    (retraction,) = planned(settings, burst_id, lambda plan: plan.is_retraction)
    assert run.wait(retraction.run_id) in ("success", "failed")
    assert "retracted" in run.api.run(run_id)["note"]
    assert "RETRACTED after this report" in web(f"/mxtvhf/runs/{run_id}/preliminary/report.html").text
    assert web(f"/mxtvhf/status?seqid={run_id}").json()["report"]["is_retracted"]


def test_an_invalid_file_is_listed_and_has_no_other_effect(settings, run, lay, arrivals, web):
    burst_id = "sb27060104"
    lay(burst_id, junk_xml=b"<html>503 Service Unavailable</html>", **arrivals(burst_id))
    placed = planned(settings, burst_id, has_packets)
    assert run.wait(placed[0].run_id) == "success"
    notes = web("/mxtvhf/quarantine").json()
    assert f"inbox {burst_id}-junk.xml" in [note["input"] for note in notes]
