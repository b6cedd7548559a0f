"""
### Send archived alerts again, and compare

The inputs kept in the archive go through the steps of `mxt_vhf` again, as runs of `mxt_vhf_rerun` with their
own run ids, `<run_id>__replay_<time>`: the live runs and their products stay untouched. Start it with the
form or with `mxtvhf replay`. `mxt_vhf_replay_nightly` starts it every night, once somebody has unpaused that
DAG.

1. **select_archived_inputs** chooses them: the newest, those of some bursts, or of the bursts of some days.
2. **start_replays** starts them in a few series at the same time, in each one after the other, and waits
   for their ends without holding a worker. With `speed` they come with the times that lay between them, so
   many times as fast.
3. **compare_reports** compares each new report with the original one: `comparison.json` beside the new
   report, and all in one table, the link *Comparison*.
4. **nothing_changed** is red when one of them differs in what must be the same.
"""

from datetime import timedelta

from airflow.sdk import DAG, TriggerRule, chain

from mxtvhf.models.ids import RunKind
from mxtvhf.workflow.replay_request import REPLAY_DAG_ID
from mxtvhf_airflow.operators.replay import (
    CompareReportsOperator,
    NothingChangedOperator,
    ReplaySeriesOperator,
    SelectArchivedInputsOperator,
)
from mxtvhf_airflow.params import replay_params

with DAG(
    dag_id=REPLAY_DAG_ID,
    schedule=None,
    catchup=False,
    params=replay_params(),
    tags=["svom", "mxt", "vhf", "replay"],
    doc_md=__doc__,
    max_active_runs=1,
    default_args={"owner": "mxt-vhf", "retries": 2, "retry_delay": timedelta(seconds=10)},
) as dag:
    select_archived_inputs = SelectArchivedInputsOperator(task_id="select_archived_inputs")
    # The steps of each replay have their own limits; one that waits for its moment may wait for hours.
    start_replays = ReplaySeriesOperator.partial(
        task_id="start_replays", trigger_dag_id=RunKind.REPLAY.dag_id, execution_timeout=None
    ).expand(series=select_archived_inputs.output)
    # A replay that could not be started is one that has no report.
    compare_reports = CompareReportsOperator(
        task_id="compare_reports",
        selected_by="select_archived_inputs",
        trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS,
    )
    nothing_changed = NothingChangedOperator(task_id="nothing_changed", compared_by="compare_reports")

    chain(select_archived_inputs, start_replays, compare_reports, nothing_changed)
    chain(select_archived_inputs, compare_reports)
