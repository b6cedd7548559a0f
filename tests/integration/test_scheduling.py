"""Which runs the scheduler starts and looks at, asked of the real database in transactions rolled back."""

import json
import subprocess
import sys
import textwrap

import pytest

from mxtvhf.simulator.scenario import scenario_of, write_scenario

pytestmark = pytest.mark.integration

BURST = "sb27070101"

# Arguments: run id. Prints which of the cases make the run one to look at.
CASES = textwrap.dedent("""
    import json, sys
    from datetime import timedelta
    from airflow import settings
    from airflow.models.dagrun import DagRun
    from sqlalchemy import text
    from mxtvhf_airflow.patches import run_selection

    # A machine may stand still for seconds between a case's times and the question.
    run_selection.QUIET_FOR = timedelta(hours=1)
    run_id, found = sys.argv[1], {}
    AGO = "now() - interval '{} seconds'"
    cases = {
        "quiet": ("success", 100, 2), "quiet for long": ("success", 9000, 3660),
        "a task ended": ("success", 1, 2), "a task works": ("running", 1, 2),
        "a task waits to be tried again": ("up_for_retry", 100, 2),
        "seen late": ("success", 2.5, 2), "fresh": ("success", 100, None),
    }
    for name, (state, changed, decided) in cases.items():
        with settings.Session() as session:
            decision, change = AGO.format(decided) if decided else "NULL", AGO.format(changed)
            for update in (
                f"dag_run SET state = 'running', last_scheduling_decision = {decision}",
                f"task_instance SET state = '{state}', updated_at = {change}",
            ):
                statement = text(f"UPDATE {update} WHERE dag_id = 'mxt_vhf' AND run_id = :run")
                session.execute(statement, {"run": run_id})
            found[name] = run_id in [run.run_id for run in run_selection.runs_to_examine(DagRun, session)]
            session.rollback()
    print(json.dumps(found))
""")

# Each case: the runs that are at work and those that wait. Prints which of them are to be started, in order.
STARTS = textwrap.dedent("""
    import json
    from datetime import timedelta
    from airflow import settings
    from airflow._shared.timezones import timezone
    from airflow.models.dagrun import DagRun
    from airflow.utils.state import DagRunState
    from sqlalchemy import text
    from mxtvhf_airflow.patches.run_selection import runs_to_start

    def runs(number, end="", name="a"):
        return [f"sb27{name}{one:02d}__1{end}" for one in range(number)]

    TEST, REPLAY = "__test", "__replay_20260101T000000Z"
    cases = {
        "live first": ({}, {"mxt_vhf": [*runs(1, REPLAY), *runs(2, TEST), *runs(2)]}),
        "half of the places": ({"mxt_vhf": runs(31, TEST)}, {"mxt_vhf": [*runs(3, TEST, "b"), *runs(2)]}),
        "tests and replays": (
            {"mxt_vhf": [*runs(16, TEST), *runs(16, REPLAY)]},
            {"mxt_vhf": [*runs(1, TEST, "b"), *runs(1, REPLAY, "b"), *runs(1)]},
        ),
        "no place": ({"mxt_vhf": runs(64)}, {"mxt_vhf": runs(30, name="b"), "mxt_vhf_decision": runs(2)}),
        "one place": ({"mxt_vhf": runs(63)}, {"mxt_vhf": runs(30, name="b"), "mxt_vhf_decision": runs(1)}),
        "later": ({}, {"mxt_vhf": ["later", *runs(1)]}),
        # By hand: only the alert says that these are tests.
        "unmarked tests": ({"mxt_vhf": runs(31, "hand")}, {"mxt_vhf": [*runs(3, "hand", "b"), *runs(2)]}),
    }
    ALERT = '<v:VOEvent xmlns:v="x" role="{}"/>'
    def conf(run_id):
        return {"alert": ALERT.format("test" if run_id.endswith("hand") else "observation")}

    found = {}
    for name, (at_work, waiting) in cases.items():
        with settings.Session() as session:
            session.execute(text("UPDATE dag_run SET state = 'success'"))
            now = timezone.utcnow() - timedelta(hours=1)
            for state, of_dags in ((DagRunState.RUNNING, at_work), (DagRunState.QUEUED, waiting)):
                for dag_id, ids in of_dags.items():
                    for number, run_id in enumerate(ids):
                        after = now + timedelta(hours=2 if run_id == "later" else 0, seconds=number)
                        session.add(DagRun(
                            dag_id=dag_id, run_id=run_id, run_type="manual", state=state, run_after=after,
                            conf=conf(run_id),
                        ))
            session.flush()
            found[name] = [f"{run.dag_id} {run.run_id}" for run in runs_to_start(DagRun, session)]
            session.rollback()
    print(json.dumps(found))
""")


def asked(stack, program, *arguments):
    """Run a program in the stack's environment; return what it printed last."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=stack.processes.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_live_alerts_are_started_before_tests_before_replays_and_always_find_a_place(stack):
    replay = "__replay_20260101T000000Z"
    assert asked(stack, STARTS) == {
        "live first": [
            "mxt_vhf sb27a00__1",
            "mxt_vhf sb27a01__1",
            "mxt_vhf sb27a00__1__test",
            "mxt_vhf sb27a01__1__test",
            f"mxt_vhf sb27a00__1{replay}",
        ],
        "half of the places": ["mxt_vhf sb27a00__1", "mxt_vhf sb27a01__1", "mxt_vhf sb27b00__1__test"],
        "tests and replays": ["mxt_vhf sb27a00__1"],
        "no place": ["mxt_vhf_decision sb27a00__1", "mxt_vhf_decision sb27a01__1"],
        "one place": ["mxt_vhf sb27b00__1", "mxt_vhf_decision sb27a00__1"],
        "later": ["mxt_vhf sb27a00__1"],
        "unmarked tests": ["mxt_vhf sb27a00__1", "mxt_vhf sb27a01__1", "mxt_vhf sb27b00__1hand"],
    }


def test_the_scheduler_looks_at_runs_of_which_something_happened(stack, settings, run):
    burst = settings.inputs / BURST
    write_scenario(scenario_of(BURST, ra_deg=80.0, dec_deg=10.0, counts=80, background=30), burst)
    run_id = f"{BURST}__1"
    run(run_id, burst_id=BURST, alert=str(burst / "alert.xml"), packets=str(burst / "packets.bin"))
    assert asked(stack, CASES, run_id) == {
        "quiet": False,
        "a task ended": True,
        "a task waits to be tried again": True,
        "a task works": False,
        "quiet for long": True,
        "seen late": True,
        "fresh": True,
    }
