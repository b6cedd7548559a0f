"""
### The Burst Advocate decides, MXT-VHF announces

A run of `mxt_vhf` that has found a position starts a run of this DAG under the same run id, with its
preliminary report.

1. **ba_decision** shows the result and the drafts, here under *Required Actions* and on the burst's desk,
   and waits for *Approve* or *Reject*, with another position than the best one and a comment where wanted.
   Nothing runs while it waits. An answer counts if the report that was read was the newest one of the run;
   otherwise the question is put again. Without an answer in time (7 days, where the installation says nothing
   else) nothing is announced.
2. **announce** archives the decision with the name and the time of who answered. Approved, it releases a
   VOEvent, a GCN notice, the draft of a circular and a message, and tells NATS and the webhook, once. A test
   is archived and told nobody.
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
    # A question may wait for days and holds nothing: open ones must not keep the next from being put.
    max_active_runs=10_000,
    default_args={
        "owner": "mxt-vhf",
        "retries": 3,
        "retry_delay": timedelta(seconds=2),
        "weight_rule": LiveAlertsFirst(),
    },
) as dag:
    # Each answer about a report that is not the newest one costs a try.
    ba_decision = BADecisionOperator(task_id="ba_decision", retries=50)
    announce = AnnounceOperator(
        task_id="announce", decided_by="ba_decision", execution_timeout=timedelta(minutes=5)
    )

    chain(ba_decision, announce)
