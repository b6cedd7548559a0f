"""Which task goes first."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "plugins"))


@pytest.fixture(scope="module")
def weight():
    from mxtvhf_airflow.priority import LiveAlertsFirst

    def of(run_id, tasks_before):
        task = SimpleNamespace(get_flat_relative_ids=lambda upstream: set(range(tasks_before)))
        return LiveAlertsFirst().get_weight(SimpleNamespace(run_id=run_id, task=task))

    return of


def test_live_before_tests_before_replays_whatever_the_step(weight):
    live, test, replay = "sb26030704__1", "sb26030704__1__test", "sb26030704__1__test__replay_20260307T1"
    assert weight(live, 0) > weight(test, 11) > weight(test, 0) > weight(replay, 11) > weight(replay, 0)


def test_of_two_alerts_the_one_nearer_to_its_report(weight):
    assert weight("sb26030704__1", 5) > weight("sb26030705__1", 4)
