"""
### Replay archived alerts and compare the reports

Archived inputs go through the steps of `mxt_vhf` again, as runs of `mxt_vhf_rerun` with their own run ids
`<run_id>__replay_<time>`. The live runs and their products are not changed. Start a replay with the form or
with `mxtvhf replay`. `mxt_vhf_replay_nightly` starts one every night if it is unpaused.

1. **select_archived_inputs** selects the newest inputs, or those of given bursts or days.
2. **start_replays** starts the replays in several parallel series, one after the other in each series, and
   waits for their ends without occupying a worker. `speed` is the playback speed: 1 keeps the original
   spacing of the inputs, 10 is ten times faster, and without it all start at once.
3. **compare_reports** compares each new report with the original one. It writes `comparison.json` next to the
   new report and one table of all comparisons (link *Comparison*).
4. **nothing_changed** fails if a report differs in a quantity that must not change.
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
    # The steps of each replay have their own time limits, but the start time may be hours away.
    start_replays = ReplaySeriesOperator.partial(
        task_id="start_replays", trigger_dag_id=RunKind.REPLAY.dag_id, execution_timeout=None
    ).expand(series=select_archived_inputs.output)
    # Also runs if a replay could not be started, which is then compared as one without a report.
    compare_reports = CompareReportsOperator(
        task_id="compare_reports",
        selected_by="select_archived_inputs",
        trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS,
    )
    nothing_changed = NothingChangedOperator(task_id="nothing_changed", compared_by="compare_reports")

    chain(select_archived_inputs, start_replays, compare_reports, nothing_changed)
    chain(select_archived_inputs, compare_reports)
