"""Run ids: kind of run, and DAG of that kind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.models.ids import RUN_DAG_IDS, RunKind, kind_of_run, run_id_of

REPLAY = "sb26030704__1__replay_20260611T120000.000000Z"


@pytest.mark.parametrize(
    ("run_id", "dag_id", "kind"),
    [
        ("sb26030704__1", None, RunKind.LIVE),
        ("sb26030704__1", "mxt_vhf", RunKind.LIVE),
        ("sb26030704__1__test", None, RunKind.TEST),
        (REPLAY, None, RunKind.REPLAY),
        # In versions 0.1 and 0.2, tests and replays were runs of mxt_vhf.
        ("sb26030704__1__test", "mxt_vhf", RunKind.TEST),
        (REPLAY, "mxt_vhf", RunKind.REPLAY),
        (REPLAY.replace("__1_", "__1__test_"), "mxt_vhf", RunKind.REPLAY),
        # Started from the form, with a run id made by Airflow.
        ("manual__2026-06-11", "mxt_vhf_test", RunKind.TEST),
        ("manual__2026-06-11", "mxt_vhf_rerun", RunKind.REPLAY),
    ],
)
def test_the_kind_of_a_run_follows_from_its_id_and_dag(run_id, dag_id, kind):
    assert kind_of_run(run_id, dag_id) is kind


@given(st.integers(1, 9999), st.booleans())
def test_the_run_id_of_an_input_leads_to_the_dag_of_its_kind(sequence, is_test):
    run_id = run_id_of("sb26030704", sequence, is_test=is_test)
    assert kind_of_run(run_id) is (RunKind.TEST if is_test else RunKind.LIVE)
    assert kind_of_run(run_id).dag_id == ("mxt_vhf_test" if is_test else "mxt_vhf")


def test_each_kind_has_a_dag_of_its_own():
    assert RUN_DAG_IDS == ("mxt_vhf", "mxt_vhf_test", "mxt_vhf_rerun")
