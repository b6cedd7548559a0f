"""The task that queries remote catalogues always exists and is skipped without a configured service."""

import textwrap

import pytest

pytestmark = pytest.mark.slow

LOCALISED = textwrap.dedent("""
    from airflow.sdk.exceptions import DownstreamTasksSkipped
    from mxtvhf_airflow.operators.steps import StepOperator, VhfLocalisationOperator

    class Task:
        def xcom_push(self, key, value):
            print("pushed", key, value)

    StepOperator.execute = lambda self, context: {"ts": 40}
    operator = VhfLocalisationOperator(task_id="vhf_localisation")
    try:
        print("returned", operator.execute.__wrapped__(operator, {"ti": Task()}), flush=True)
    except DownstreamTasksSkipped as skipped:
        print("skipped", skipped.tasks, flush=True)
""")


def test_without_a_service_the_task_is_skipped_and_the_result_kept(beside_plugins):
    status, told = beside_plugins(LOCALISED)
    assert status == 0, told
    assert told.splitlines()[-2:] == ["pushed return_value {'ts': 40}", "skipped ['remote_catalogues']"]


def test_with_a_service_it_is_queried(beside_plugins):
    status, told = beside_plugins(LOCALISED, MXTVHF_REMOTE_CATALOGUES='["4xmm"]')
    assert status == 0, told
    assert told.splitlines()[-1] == "returned {'ts': 40}"
