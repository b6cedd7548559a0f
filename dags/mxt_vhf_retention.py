"""
### Remove old files every night

This DAG removes task logs, products of replays and tests, and records about them that are older than
`MXTVHF_KEEP_DAYS` (default 90). Archived inputs and the products, reports, decisions and announcements of
real bursts are never removed.

It is paused until a user unpauses it. The command `mxtvhf retention` does the same and also removes old rows
of Airflow's log tables, to which a task has no access.
"""

from datetime import timedelta

from airflow.sdk import DAG

from mxtvhf_airflow.operators.retention import RetentionOperator

with DAG(
    dag_id="mxt_vhf_retention",
    schedule="30 3 * * *",
    catchup=False,
    is_paused_upon_creation=True,
    tags=["svom", "mxt", "vhf"],
    doc_md=__doc__,
    max_active_runs=1,
    default_args={"owner": "mxt-vhf", "retries": 1, "retry_delay": timedelta(minutes=5)},
) as dag:
    remove_old_files = RetentionOperator(task_id="remove_old_files")
