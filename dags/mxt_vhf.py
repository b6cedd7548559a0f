"""
### From an alert and its VHF photons to the Burst Advocate

1. **reception_message** archives the alert (VOEvent) and its packets as received, and reads the alert.
2. **photons_extraction** decodes the packets into photons.
3. **fits_feed** writes the photons as an OGIP event file.
4. **start_mxt_gp_pipeline** starts the analysis of the General Program pipeline (GP), and **wait_mxt_gp**
   waits for its end without occupying a worker.
   In parallel, **vhf_localisation** finds the source in the VHF photons, **preliminary_report** sends its
   position at once, and **source_analysis** measures its light curve and spectrum. **remote_catalogues**
   queries online catalogues if some are configured; no report waits for it.
   **ask_ba** starts a run of `mxt_vhf_decision` under the same run id after the preliminary report. The Burst
   Advocate can decide about the announcement without waiting for GP. The task is skipped for a replay, a
   retracted burst, a run without a position, or a result that is already announced.
5. **crosscheck_positions** compares all known positions of the burst.
6. **update_BA** sends the final report to the Burst Advocate. If GP failed, the report gives the reason. An
   open question then refers to this report. **ask_ba_final** asks the question if the preliminary report was
   missing, had no position or was already announced, and is skipped otherwise.
7. **run_complete** fails if GP or a parallel step failed, so that the run is shown as failed.

Start a run with the form, with `POST /api/v2/dags/mxt_vhf/dagRuns`, or by a live alert. The run id
`<burst_id>__<sequence>` ensures that the same input never runs twice.

Three DAGs have these tasks, so that a live alert never waits for a free run: `mxt_vhf` for live alerts,
`mxt_vhf_test` for test alerts, and `mxt_vhf_rerun` for runs started by `mxt_vhf_replay`. Tasks of live alerts
have priority over tests, and tests over reruns. The role of the alert, not the DAG, determines what may be
sent: a test is never announced.
"""

from datetime import timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TriggerRule, chain, get_parsing_context

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
"""Largest number of active runs of each DAG."""


def alert_dag(kind: RunKind) -> DAG:
    """Declare the DAG for one kind of run."""
    with DAG(
        dag_id=kind.dag_id,
        schedule=None,
        catchup=False,
        params=run_params(),
        tags=["svom", "mxt", "vhf", kind.value],
        doc_md=__doc__,
        max_active_runs=MAX_ACTIVE_RUNS[kind],
        # Bad input fails at once (AirflowFailException); temporary failures are retried soon.
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
        # The parameter gp_timeout_s of the run limits the wait.
        wait_mxt_gp = MxtGpSensor(task_id="wait_mxt_gp", execution_timeout=None)
        vhf_localisation = VhfLocalisationOperator(task_id="vhf_localisation")
        # The final report waits only a short time for the analysis and is never missing because of it. One
        # retry, at once, is for a process that was killed.
        source_analysis = SourceAnalysisOperator(
            task_id="source_analysis",
            retries=1,
            retry_delay=timedelta(0),
            execution_timeout=timedelta(minutes=1),
        )
        preliminary_report = PreliminaryReportOperator(task_id="preliminary_report")
        # A leaf, because online services must neither delay a report nor fail a run.
        remote_catalogues = RemoteCataloguesOperator(
            task_id="remote_catalogues", retries=0, execution_timeout=timedelta(minutes=1)
        )
        # If a step after the event file fails, the Burst Advocate still gets the other results.
        crosscheck_positions = CrosscheckPositionsOperator(
            task_id="crosscheck_positions", trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS
        )
        update_BA = UpdateBAOperator(  # noqa: N806  the workflow's own name
            task_id="update_BA", trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS
        )
        # The question has its own run, because the answer may take hours.
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


# The process of a task needs only its own DAG (Airflow, "Optimizing Dag parsing delays during execution").
wanted = get_parsing_context().dag_id
for kind in RunKind:
    if wanted in (None, kind.dag_id):
        alert_dag(kind)
