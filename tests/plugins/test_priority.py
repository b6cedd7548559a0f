"""The priority of tasks: live alerts, tests, reruns; within a kind decisions, then nearly finished runs."""

import json
import textwrap

import pytest

pytestmark = pytest.mark.slow

WEIGHTS = textwrap.dedent("""
    import json
    from types import SimpleNamespace
    from mxtvhf_airflow.priority import LiveAlertsFirst

    def weight(run_id, dag_id, before=0):
        task = SimpleNamespace(get_flat_relative_ids=lambda upstream: range(before))
        return LiveAlertsFirst().get_weight(SimpleNamespace(run_id=run_id, dag_id=dag_id, task=task))

    runs = {
        "live": ("sb26030704__1", "mxt_vhf"), "its question": ("sb26030704__1", "mxt_vhf_decision"),
        "test": ("sb26030704__1__test", "mxt_vhf_test"), "old test": ("sb26030704__1__test", "mxt_vhf"),
        "question of the test": ("sb26030704__1__test", "mxt_vhf_decision"),
        "test from the form": ("manual__1", "mxt_vhf_test"),
        "rerun": ("sb26030704__1__replay_1", "mxt_vhf_rerun"), "old": ("sb26030704__1__replay_1", "mxt_vhf"),
    }
    found = {name: weight(*ids) for name, ids in runs.items()}
    found["rerun, last task"] = weight(*runs["rerun"], before=11)
    found["live, last task"] = weight(*runs["live"], before=13)
    print(json.dumps(found))
""")


def test_the_weight_follows_from_the_ids_and_questions_have_priority(
    beside_airflow,
):
    status, told = beside_airflow(WEIGHTS)
    assert status == 0, told
    found = json.loads(told.splitlines()[-1])
    assert found.pop("rerun, last task") == found["rerun"] + 11 < found["test"]
    assert found["live"] < found.pop("live, last task") < found["its question"]
    assert sorted(found, key=found.get) == [
        *("rerun", "old"),
        *("test", "old test", "test from the form", "question of the test"),
        *("live", "its question"),
    ]
    assert found["rerun"] == found["old"]
    assert found["question of the test"] < found["live"]
