"""
### From an alert and its VHF photons to the Burst Advocate

1. **reception_message** keeps the alert (VOEvent) and its packets as received, and reads the alert.
2. **photons_extraction** decodes the packets into photons.
3. **fits_feed** writes them as an OGIP event file.
4. **start_mxt_gp_pipeline** asks the General Program pipeline (GP) for its analysis,
   **wait_mxt_gp** waits for its end without holding a worker.
   Beside them **vhf_localisation** finds the source in the VHF photons and **preliminary_report** sends it
   at once, and **source_analysis** makes light curve and spectrum. **remote_catalogues** queries catalogue
   services on the net, where the installation names some, and no report waits for it.
   **ask_ba** starts a run of `mxt_vhf_decision` under the same run id as soon as the preliminary report is
   there: the Burst Advocate decides whether the result is announced, and does not wait for GP. It is skipped
   for a replay, a retracted burst, a run without a position.
5. **crosscheck_positions** compares every position known of the burst.
6. **update_BA** brings the result to the Burst Advocate, also when GP failed: the report says why it is
   missing. An open question is about this final report from then on. **ask_ba_final** asks where the
   preliminary report was missing or had no position, and is skipped otherwise.
7. **run_complete** marks the run failed, so that the operator sees that GP, or a step beside it, failed.

Start it with the form, with `POST /api/v2/dags/mxt_vhf/dagRuns`, or by a live alert. The run id
`<burst_id>__<sequence>` makes sure that the same input never runs twice.

There are three DAGs with these tasks, so that a live alert never waits for a free run: `mxt_vhf` for live
alerts, `mxt_vhf_test` for test alerts and `mxt_vhf_rerun` for the runs that `mxt_vhf_replay` starts. Tasks of
live alerts run before those of tests, and those before reruns. What a run may tell follows from the role of
its alert, whatever its DAG: a test is never announced.
"""

from datetime import timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TriggerRule, chain

from mxtvhf.models.ids import RunKind
from mxtvhf_airflow.operators.decision import AskBAOperator
from mxtvhf_airflow.operators.gp import StartMxtGpPipelineOperator
from mxtvhf_airflow.operators.steps import (
    CrosscheckPositionsOperator,
    FitsFeedOperator,
    PhotonsExtractionOperator,
    PreliminaryReportOperator,
    ReceptionMessageOperator,
    RemoteCataloguesOperator,
    SourceAnalysisOperator,
    UpdateBAOperator,
    VhfLocalisationOperator,
)
from mxtvhf_airflow.params import run_params
from mxtvhf_airflow.priority import LiveAlertsFirst
from mxtvhf_airflow.sensors.gp import MxtGpSensor

MAX_ACTIVE_RUNS = {RunKind.LIVE: 64, RunKind.TEST: 16, RunKind.REPLAY: 16}
"""Runs of each DAG that may be active at once."""


def alert_dag(kind: RunKind) -> DAG:
    """Declare the DAG of one kind of runs."""
    with DAG(
        dag_id=kind.dag_id,
        schedule=None,
        catchup=False,
        params=run_params(),
        tags=["svom", "mxt", "vhf", kind.value],
        doc_md=__doc__,
        max_active_runs=MAX_ACTIVE_RUNS[kind],
        # Bad input fails at once (AirflowFailException); what may pass by itself is tried again, soon.
        default_args={
            "owner": "mxt-vhf",
            "retries": 3,
            "retry_delay": timedelta(seconds=2),
            "retry_exponential_backoff": True,
            "max_retry_delay": timedelta(seconds=30),
            "execution_timeout": timedelta(minutes=5),
            "weight_rule": LiveAlertsFirst(),
        },
    ) as dag:
        reception_message = ReceptionMessageOperator(task_id="reception_message")
        photons_extraction = PhotonsExtractionOperator(task_id="photons_extraction")
        fits_feed = FitsFeedOperator(task_id="fits_feed")
        start_mxt_gp_pipeline = StartMxtGpPipelineOperator(task_id="start_mxt_gp_pipeline")
        # Its limit is the run's parameter gp_timeout_s.
        wait_mxt_gp = MxtGpSensor(task_id="wait_mxt_gp", execution_timeout=None)
        vhf_localisation = VhfLocalisationOperator(task_id="vhf_localisation")
        # What it adds to the final report is worth a short wait, never a missing report.
        source_analysis = SourceAnalysisOperator(
            task_id="source_analysis", retries=0, execution_timeout=timedelta(minutes=1)
        )
        preliminary_report = PreliminaryReportOperator(task_id="preliminary_report")
        # A leaf: no report waits for services on the net, and none of them fails a run.
        remote_catalogues = RemoteCataloguesOperator(
            task_id="remote_catalogues", retries=0, execution_timeout=timedelta(minutes=1)
        )
        # Whatever fails after the event file, the Burst Advocate gets what there is.
        crosscheck_positions = CrosscheckPositionsOperator(
            task_id="crosscheck_positions", trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS
        )
        update_BA = UpdateBAOperator(  # noqa: N806  the workflow's own name
            task_id="update_BA", trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS
        )
        # What becomes of the question is told by its own run: the answer may take hours.
        ask_ba = AskBAOperator(task_id="ask_ba")
        ask_ba_final = AskBAOperator(task_id="ask_ba_final")
        run_complete = EmptyOperator(task_id="run_complete")

        chain(reception_message, photons_extraction, fits_feed)
        chain(fits_feed, start_mxt_gp_pipeline, wait_mxt_gp, crosscheck_positions, update_BA)
        chain(fits_feed, vhf_localisation, [preliminary_report, crosscheck_positions, remote_catalogues])
        chain(vhf_localisation, source_analysis, update_BA)
        chain(fits_feed, crosscheck_positions)
        chain(preliminary_report, ask_ba)
        chain(update_BA, ask_ba_final)
        chain([wait_mxt_gp, preliminary_report, source_analysis, update_BA], run_complete)
    return dag


live_alerts, test_alerts, reruns = map(alert_dag, RunKind)
