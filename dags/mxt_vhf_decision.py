"""
### The Burst Advocate decides, MXT-VHF announces

After its preliminary report, a run of `mxt_vhf` with a position starts a run of this DAG under the same run
id.

1. **ba_decision** shows the result and the drafts, here under *Required Actions* and on the desk of the
   burst, and waits for *Approve* or *Reject*. The Burst Advocate can choose another position and add a
   comment. No process waits. An answer is valid only for the newest report of the run; otherwise the question
   is asked again. Without an answer in time (default 7 days) nothing is announced.
2. **announce** archives the decision with the name of the Burst Advocate and the time. If approved, it
   releases a VOEvent, a GCN notice, a circular draft and a message, and sends them once to NATS and the
   webhook. A test is archived, and nothing is sent.
"""

from datetime import timedelta

from airflow.sdk import DAG, chain

from mxtvhf.workflow.airflow_api import DECISION_DAG_ID
from mxtvhf_airflow.operators.decision import AnnounceOperator, BADecisionOperator
from mxtvhf_airflow.params import decision_params
from mxtvhf_airflow.priority import LiveAlertsFirst

with DAG(
    dag_id=DECISION_DAG_ID,
    schedule=None,
    catchup=False,
    params=decision_params(),
    tags=["svom", "mxt", "vhf"],
    doc_md=__doc__,
    # An open question may wait for days but occupies nothing, so it must not block further questions.
    max_active_runs=10_000,
    default_args={
        "owner": "mxt-vhf",
        "retries": 3,
        "retry_delay": timedelta(seconds=2),
        "weight_rule": LiveAlertsFirst(),
    },
) as dag:
    # Each answer about an outdated report uses up one try.
    ba_decision = BADecisionOperator(task_id="ba_decision", retries=50)
    announce = AnnounceOperator(
        task_id="announce", decided_by="ba_decision", execution_timeout=timedelta(minutes=5)
    )

    chain(ba_decision, announce)
