"""The programs of ``make run`` and ``make demo``: start the stack and process one burst with the real DAG."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from mxtvhf.archive.products import product_folder
from mxtvhf.errors import Failure
from mxtvhf.instrument.calibration import calibration_store
from mxtvhf.models.files import write_atomically
from mxtvhf.models.ids import RUN_DAG_IDS, kind_of_run, run_id_of
from mxtvhf.models.kept import read_kept
from mxtvhf.models.run_conf import Observation, RunConf, observation_fields
from mxtvhf.operation.stack.embedded import Stack, embedded_stack, step
from mxtvhf.operation.stack.processes import stop_on_signals
from mxtvhf.operation.stack.supervisor import supervise
from mxtvhf.reporting.report.model import Report
from mxtvhf.settings import Settings
from mxtvhf.simulator.scenario import XBAND_FILE, Scenario, scenario_of, write_scenario
from mxtvhf.workflow.airflow_api import AirflowApi

FINAL = ("success", "failed")
RUN_TIMEOUT_S = 180.0
DESK = "/mxtvhf/desk"
"""Path of the Burst Advocate's desk in Airflow's web server."""
XBAND_S = 1500.0
"""Exposure of the X-band file of the reference GP, seconds."""


def run(
    settings: Settings, *, project: Path, port: int, gp_port: int, burst_id: str, seed: int, demo: bool
) -> int:
    """Start the stack, process a burst with the DAG and print the path of the report.

    Without ``demo`` the burst is sent only to a new state folder, because each burst asks for a decision.

    Returns
    -------
    int
        Exit status, 0 only if the run succeeded.
    """
    stop_on_signals()
    scenario = scenario_of(burst_id, seed=seed, xband_s=XBAND_S)
    try:
        with embedded_stack(settings, project=project, port=port, gp_port=gp_port) as stack:
            _show_access(stack)
            print(f"Inbox:   {settings.inbox}  (drop notices *.xml and packets *.bin here)", file=sys.stderr)
            succeeded, report = True, None
            if demo or not _has_runs(stack.api):
                succeeded, report = send_burst(stack, settings, scenario)
            if not demo:
                print("Running; press Ctrl-C to stop.", file=sys.stderr)
                supervise(stack, threading.Event(), lambda line: print(line, file=sys.stderr))
    except KeyboardInterrupt:
        print("\nMXT-VHF: stopped", file=sys.stderr)
        return 0 if not demo else 130
    if report is not None:
        print(report)
    return 0 if succeeded else 1


def send_burst(stack: Stack, settings: Settings, scenario: Scenario) -> tuple[bool, Path | None]:
    """Simulate the notices and packets of a burst, process them with the DAG and show the result.

    The X-band file of the burst is stored for the reference GP before the run starts.

    Returns
    -------
    tuple
        True if the run succeeded, and the path of its report (None without a report).
    """
    burst_id = scenario.burst_id
    folder = settings.inputs / burst_id / f"seed-{scenario.seed}"
    write_scenario(scenario, folder, calibration_store(settings.calibration))
    # The reference GP finds the X-band file of an observation by its name, see `simulator.gp.analysis`.
    observation = Observation(apid="0", target=f"{burst_id}-{scenario.seed}", orbit="0")
    conf = RunConf(
        burst_id=burst_id,
        alert=(folder / "alert.xml").as_uri(),
        packets=(folder / "packets.bin").as_uri(),
        **observation_fields(observation),
    )
    if scenario.xband_s is not None:
        name = f"{observation.obs_id}.fits"
        write_atomically(settings.products / name, (folder / XBAND_FILE).read_bytes())
    run_id = _start_run(stack.api, conf, is_test=scenario.role == "test")
    with step(f"run {run_id}"):
        state = _wait_for_run(stack.api, run_id)
    print(f"\nRun:    {stack.url}/dags/{kind_of_run(run_id).dag_id}/runs/{run_id}", file=sys.stderr)
    if state != "success":
        failed = [task for task, state in stack.api.task_states(run_id).items() if state == "failed"]
        print(f"        {state}: {', '.join(failed) or 'no task'} failed", file=sys.stderr)
    report = product_folder(settings.products, burst_id, run_id) / "report.json"
    if not report.exists():
        return False, None
    print(f"Report: {stack.url}/mxtvhf/runs/{run_id}/report", file=sys.stderr)
    print(f"\n{read_kept(report, Report).headline}\n", file=sys.stderr)
    return state == "success", report


def _has_runs(api: AirflowApi) -> bool:
    return any(api.get(f"/api/v2/dags/{dag_id}/dagRuns?limit=1")["dag_runs"] for dag_id in RUN_DAG_IDS)


def _start_run(api: AirflowApi, conf: RunConf, *, is_test: bool) -> str:
    """Start a run under the first unused sequence number and return its run id."""
    sequence, given = 1, conf.model_dump(mode="json", exclude_unset=True)
    while not api.start_run(
        run_id := run_id_of(conf.burst_id, sequence, is_test=is_test), {**given, "sequence": sequence}
    ):
        sequence += 1
    return run_id


def _wait_for_run(api: AirflowApi, run_id: str) -> str:
    deadline = time.monotonic() + RUN_TIMEOUT_S
    while (state := str(api.run(run_id)["state"])) not in FINAL:
        if time.monotonic() > deadline:
            raise Failure(f"run {run_id}: still {state} after {RUN_TIMEOUT_S:.0f} s")
        time.sleep(0.1)
    return state


def _show_access(stack: Stack) -> None:
    print(f"Desk:    {stack.url}{DESK}", file=sys.stderr)
    print(f"Airflow: {stack.url}  user admin, password in {stack.password_file}", file=sys.stderr)
    shown = stack.password_file.with_suffix(".shown")
    if not shown.exists():
        # Shown only once, so that it does not appear on a screen or in a log at every start.
        print(f"         password: {stack.password}", file=sys.stderr)
        shown.touch()
