"""A series of replays runs one after the other, and a retry continues where the previous try stopped."""

import textwrap

import pytest

pytestmark = pytest.mark.slow

SERIES = textwrap.dedent("""
    from airflow.sdk.exceptions import DagRunTriggerException, TaskDeferred
    from mxtvhf_airflow.operators.replay import ReplaySeriesOperator

    def selected(number, starts=None):
        run_id = f"sb2603070{number}__1__replay_20260611T120000.000000Z"
        conf = {"burst_id": f"sb2603070{number}", "alert": "/alert.xml"}
        replay = {"run_id": run_id, "conf": conf, "original": f"sb2603070{number}__1",
                  "received": "2026-03-07T04:00:00Z"}
        return {"replay": replay, "starts": starts}

    class Task:
        def __init__(self, states):
            self.states = states
        def get_dr_count(self, dag_id, run_ids, states=None):
            found = [self.states.get(run_id[:10]) for run_id in run_ids]
            return sum(state is not None and (states is None or state in states) for state in found)
        def xcom_push(self, key, value):
            pass

    series = [selected(1), selected(2, "2026-06-12T04:00:00+00:00")]
    for states in ({}, {"sb26030701": "running"}, {"sb26030701": "failed"},
                   {"sb26030701": "success", "sb26030702": "success"}):
        operator = ReplaySeriesOperator(task_id="one", trigger_dag_id="mxt_vhf_rerun", series=series)
        try:
            print("ended", operator.execute_complete({"ti": Task(states)}, event=None))
        except DagRunTriggerException as started:
            burst_id = started.conf["burst_id"]
            print("starts", started.dag_run_id[:10], burst_id, started.note, started.run_after)
        except TaskDeferred as waits:
            print("waits", *waits.trigger.run_ids, waits.method_name)
""")


def test_each_replay_starts_after_the_one_before(beside_airflow):
    status, told = beside_airflow(SERIES)
    assert status == 0, told
    said = [line for line in told.splitlines() if line.startswith(("starts", "waits", "ended"))]
    assert said == [
        "starts sb26030701 sb26030701 replay of sb26030701__1 None",
        "waits sb26030701__1__replay_20260611T120000.000000Z execute_complete",
        "starts sb26030702 sb26030702 replay of sb26030702__1 2026-06-12 04:00:00+00:00",
        "ended None",
    ]
