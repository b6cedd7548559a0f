"""The task that queries remote catalogues always exists and is skipped without a configured service."""

import textwrap

import pytest

pytestmark = pytest.mark.slow

LOCALISED = textwrap.dedent("""
    from types import SimpleNamespace

    from mxtvhf.settings import read_settings
    from mxtvhf_airflow.operators.steps import VhfLocalisationOperator

    operator = VhfLocalisationOperator(task_id="vhf_localisation")
    print("skips", operator.skips(SimpleNamespace(settings=read_settings())), flush=True)
""")


def test_without_a_service_the_task_is_skipped(beside_airflow):
    status, told = beside_airflow(LOCALISED)
    assert status == 0, told
    assert told.splitlines()[-1] == "skips ['remote_catalogues']"


def test_with_a_service_it_is_queried(beside_airflow):
    status, told = beside_airflow(LOCALISED, MXTVHF_REMOTE_CATALOGUES='["4xmm"]')
    assert status == 0, told
    assert told.splitlines()[-1] == "skips []"
