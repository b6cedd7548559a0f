"""
### Send archived alerts again

Every night, or from the form for one burst, the inputs kept in the archive go through `mxt_vhf` again under
their own run ids, `<run_id>__replay_<time>`: the live runs and their products stay untouched.
"""

from datetime import timedelta

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Param, chain

from mxtvhf.models import BURST_ID_PATTERN
from mxtvhf_airflow.replay import SelectArchivedInputsOperator

with DAG(
    dag_id="mxt_vhf_replay",
    schedule="0 4 * * *",
    catchup=False,
    params={
        "burst_id": Param(
            None,
            type=["string", "null"],
            pattern=BURST_ID_PATTERN,
            description="Only this burst; empty: the newest inputs of the archive",
        ),
        "limit": Param(
            5, type="integer", minimum=1, maximum=1000, description="How many inputs at most, newest first"
        ),
    },
    tags=["svom", "mxt", "vhf", "replay"],
    doc_md=__doc__,
    max_active_runs=1,
    default_args={"owner": "mxt-vhf", "retries": 2, "retry_delay": timedelta(seconds=10)},
) as dag:
    select_archived_inputs = SelectArchivedInputsOperator(task_id="select_archived_inputs")
    start_replays = TriggerDagRunOperator.partial(
        task_id="start_replays", trigger_dag_id="mxt_vhf", logical_date=None, skip_when_already_exists=True
    ).expand_kwargs(select_archived_inputs.output)

    chain(select_archived_inputs, start_replays)
