"""
### Remove what need not be kept

Every night, logs of tasks, products of replays and tests, and notes about them that are older than
`MXTVHF_KEEP_DAYS` (90). The archive of what was received, products and reports of real bursts, decisions and
announcements are never touched.

It is paused until somebody wants it. `mxtvhf retention` does the same by hand, and also removes old rows of
Airflow's database, which a task may not.
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
