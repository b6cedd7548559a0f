"""
### Replay the newest alerts every night

This DAG starts a run of `mxt_vhf_replay` with its default parameters, the newest five inputs of the archive.

It is paused until a user unpauses it, because a replay requests an analysis of GP like a live alert.
"""

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG

from mxtvhf.workflow.replay_request import REPLAY_DAG_ID

with DAG(
    dag_id="mxt_vhf_replay_nightly",
    schedule="0 4 * * *",
    catchup=False,
    is_paused_upon_creation=True,
    tags=["svom", "mxt", "vhf", "replay"],
    doc_md=__doc__,
    max_active_runs=1,
    default_args={"owner": "mxt-vhf"},
) as dag:
    start_replay = TriggerDagRunOperator(
        task_id="start_replay", trigger_dag_id=REPLAY_DAG_ID, logical_date=None, conf={}
    )
