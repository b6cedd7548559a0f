"""Which runs the scheduler looks at, asked of the real database inside a transaction that is rolled back."""

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
    from airflow import settings
    from airflow.models.dagrun import DagRun
    from sqlalchemy import text
    from mxtvhf_airflow.examination import runs_to_examine

    run_id, found = sys.argv[1], {}
    AGO = "now() - interval '{} seconds'"
    cases = {
        "quiet": ("success", 100, 2), "a task ended": ("success", 1, 2), "a task waits to be tried again":
        ("up_for_retry", 100, 2), "a task works": ("running", 1, 2), "quiet for long": ("success", 100, 6),
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
            found[name] = run_id in [run.run_id for run in runs_to_examine(DagRun, session)]
            session.rollback()
    print(json.dumps(found))
""")


def test_the_scheduler_looks_at_runs_of_which_something_happened(stack, settings, run):
    burst = settings.inputs / BURST
    write_scenario(scenario_of(BURST, ra_deg=80.0, dec_deg=10.0, counts=80, background=30), burst)
    run_id = f"{BURST}__1"
    run(run_id, burst_id=BURST, alert=str(burst / "alert.xml"), packets=str(burst / "packets.bin"))
    done = subprocess.run(
        [sys.executable, "-c", CASES, run_id],
        env=stack.processes.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "quiet": False,
        "a task ended": True,
        "a task waits to be tried again": True,
        "a task works": False,
        "quiet for long": True,
        "seen late": True,
        "fresh": True,
    }
