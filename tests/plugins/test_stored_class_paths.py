"""Class paths stored in Airflow's database by version 0.1 still exist."""

import textwrap

import pytest

pytestmark = pytest.mark.slow

STORED = textwrap.dedent("""
    import os
    os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = os.environ["PYTHONPATH"]
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    from airflow.task.priority_strategy import validate_and_load_priority_weight_strategy
    from airflow.sdk.module_loading import import_string

    arguments = {"gp_conn_id": "mxt_gp", "process_id": "1", "deadline": "2026-03-07T04:00:00+00:00"}
    trigger = import_string("mxtvhf_airflow.gp_trigger.MxtGpTrigger")(**arguments)
    print(trigger.serialize()[0], flush=True)
    rule = validate_and_load_priority_weight_strategy("mxtvhf_airflow.priority.LiveAlertsFirst")
    print(type(rule).__name__, flush=True)
""")


def test_the_trigger_and_the_weight_rule_of_version_0_1_are_found(beside_airflow):
    status, told = beside_airflow(STORED)
    assert status == 0
    assert "mxtvhf_airflow.triggers.gp.MxtGpTrigger" in told
    assert told.rstrip().endswith("LiveAlertsFirst")
