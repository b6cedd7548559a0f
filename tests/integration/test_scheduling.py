"""Live alerts, tests and reruns have separate DAGs, so that no other run delays a live alert."""

import os
import select

import psutil
import pytest

from mxtvhf.models.ids import RUN_DAG_IDS, RunKind
from mxtvhf.operation.stack.processes import wait_until
from mxtvhf.simulator.scenario import scenario_of, write_scenario
from mxtvhf_airflow.wakeup import wakeup_pipe
from support.airflow_runs import end_queued

pytestmark = pytest.mark.integration

BURST = "sb27070101"
TESTS = 40
"""More than may be active at once, see `MAX_ACTIVE_RUNS` of dags/mxt_vhf.py."""


def test_a_live_alert_starts_before_tests_and_reruns_that_came_earlier(run, settings):
    folder = settings.inputs / BURST
    alert, *_ = write_scenario(scenario_of(BURST, ra_deg=80.0, dec_deg=10.0, role="observation"), folder)
    conf = {"burst_id": BURST, "alert": alert.as_uri()}
    before = [f"{BURST}__{number}__test" for number in range(TESTS)]
    before += [f"{BURST}__{number}__replay_20270701T000000Z" for number in range(TESTS)]
    for run_id in before:
        assert run.api.start_run(run_id, conf)
    live = f"{BURST}__100"
    assert run.api.start_run(live, conf)
    run.wait(live)
    end_queued(before, settings)
    begun = run.api.run(live)["start_date"]
    later = {RunKind.TEST.dag_id, RunKind.REPLAY.dag_id}
    pages = [run.api.get(f"/api/v2/dags/{dag_id}/dagRuns?limit=100&order_by=-run_after") for dag_id in later]
    started = {one["dag_run_id"]: one["start_date"] for page in pages for one in page["dag_runs"]}
    assert sum(started[run_id] is None or started[run_id] > begun for run_id in before) >= TESTS
    for dag_id in later:
        wait_until(lambda dag_id=dag_id: not run.api.active_runs(dag_id), what=dag_id, timeout=600.0)


def test_the_three_dags_have_the_same_tasks_and_no_schedule(stack):
    tasks = [stack.api.get(f"/api/v2/dags/{dag_id}/tasks")["tasks"] for dag_id in RUN_DAG_IDS]
    graphs = [{task["task_id"]: task["downstream_task_ids"] for task in of_one} for of_one in tasks]
    assert graphs[0] == graphs[1] == graphs[2]
    assert "remote_catalogues" in graphs[0]
    for dag_id in RUN_DAG_IDS:
        assert stack.api.get(f"/api/v2/dags/{dag_id}")["timetable_summary"] is None


def test_the_nightly_replay_is_paused_until_it_is_enabled(stack):
    nightly = stack.api.get("/api/v2/dags/mxt_vhf_replay_nightly")
    assert nightly["is_paused"]
    assert nightly["timetable_summary"] == "0 4 * * *"
    assert not stack.api.get("/api/v2/dags/mxt_vhf_replay")["is_paused"]


def test_a_request_that_may_change_a_run_wakes_the_idle_scheduler(stack, settings):
    scheduler = psutil.Process(stack.processes.pid("scheduler"))
    # While it is suspended, wake-ups stay in the pipe.
    scheduler.suspend()
    try:
        with wakeup_pipe(settings).open("r+b", buffering=0) as pipe:
            os.set_blocking(pipe.fileno(), False)
            while pipe.read(65536):
                pass
            assert not select.select([pipe], [], [], 0.0)[0]
            assert stack.api.unpause(RunKind.TEST.dag_id)
            assert select.select([pipe], [], [], 60.0)[0]
    finally:
        scheduler.resume()
