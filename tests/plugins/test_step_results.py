"""Tasks exchange results through files without requests, and never use the result of an earlier attempt."""

import textwrap

import pytest

pytestmark = pytest.mark.slow

TASKS = textwrap.dedent("""
    from datetime import UTC, datetime
    from pathlib import Path
    from types import SimpleNamespace

    from airflow.sdk import DAG, BaseOperator, chain
    from airflow.sdk.exceptions import DownstreamTasksSkipped
    from mxtvhf.models.base import Model
    from mxtvhf.settings import read_settings
    from mxtvhf_airflow.operators.gp import StartMxtGpPipelineOperator
    from mxtvhf_airflow.operators.steps import StepOperator
    from mxtvhf_airflow.run_context import run_of

    class Number(Model):
        value: int

    class Write(StepOperator):
        value = 1
        def step(self, run):
            if self.value < 0:
                raise RuntimeError("killed")
            return Number(value=self.value)

    class Skip(Write):
        def skips(self, run):
            return ["not_needed"]

    class Read(BaseOperator):
        def execute(self, context):
            run = run_of(context)
            found = run._read_if_done("vhf_localisation", Number)
            return None if found is None else found.value

    with DAG("mxt_vhf", schedule=None) as dag:
        write = Write(task_id="vhf_localisation")
        skip = Skip(task_id="reception_message")
        start = StartMxtGpPipelineOperator(task_id="start_mxt_gp_pipeline")
        needs = Read(task_id="preliminary_report")
        tolerates = Read(task_id="crosscheck_positions", trigger_rule="all_done_min_one_success")
        chain(write, [needs, tolerates])

    class Task:
        attempts = 0

        def __init__(self, task, states=None):
            Task.attempts += 1
            self.id = f"019b0000-0000-7000-8000-{Task.attempts:012d}"
            self.task, self.task_id, self.dag_id, self.run_id = task, task.task_id, "mxt_vhf", "sb26030704__1"
            self.states, self.requests = states or {}, []
        def get_task_states(self, dag_id, task_ids, run_ids):
            self.requests.append("states")
            return {self.run_id: self.states}
        def xcom_pull(self, task_ids, key=None):
            self.requests.append("XCom read")
        def xcom_push(self, key, value):
            self.requests.append("XCom write")

    def run(task, states=None):
        ti = Task(task, states)
        dag_run = SimpleNamespace(dag_id=ti.dag_id, run_id=ti.run_id, run_after=datetime.now(UTC))
        params = {"burst_id": "sb26030704", "alert": "/alert.xml"}
        context = {"ti": ti, "dag_run": dag_run, "params": params}
        try:
            found = task.execute.__wrapped__(task, context)
        except DownstreamTasksSkipped as skipped:
            found = f"skips {skipped.tasks}"
        except Exception as error:
            found = f"{type(error).__name__}: {error}"
        print("ran", task.task_id, found, ti.requests, flush=True)

    success, failed = {"vhf_localisation": "success"}, {"vhf_localisation": "failed"}
""")


def ran(beside_airflow, tmp_path, program):
    status, told = beside_airflow(TASKS + textwrap.dedent(program), MXTVHF_STATE=str(tmp_path / "var"))
    assert status == 0, told
    return [line.removeprefix("ran ") for line in told.splitlines() if line.startswith("ran ")]


def test_results_are_files_and_belong_to_the_latest_attempt(beside_airflow, tmp_path):
    program = """
        run(write)
        run(skip)
        run(needs)
        run(tolerates, success)
        run(tolerates, failed)
        write.value = -1
        run(write)
        run(tolerates, failed)
        run(needs)
        write.value = 2
        run(write)
        run(needs)
        run(start)
        Task.xcom_pull = lambda self, task_ids, key=None: {"value": 7, "timing": ["2026", "2027"]}
        steps = Path(read_settings().products, "sb26030704", "sb26030704__1", "steps")
        (steps / "vhf_localisation.json").unlink()
        run(needs)
    """
    lines = ran(beside_airflow, tmp_path, program)
    assert lines[:4] == [
        "vhf_localisation None []",
        "reception_message skips ['not_needed'] []",
        "preliminary_report 1 []",
        "crosscheck_positions 1 ['states']",
    ]
    assert lines[4] == "crosscheck_positions None ['states']", "cleared, and killed before it started"
    assert lines[5:7] == ["vhf_localisation RuntimeError: killed []", "crosscheck_positions None ['states']"]
    assert "steps/vhf_localisation.json: the result of the step vhf_localisation is missing" in lines[7]
    assert lines[8:10] == ["vhf_localisation None []", "preliminary_report 2 []"]
    assert lines[10].startswith("start_mxt_gp_pipeline GpTaskFailed: "), "not retried"
    assert "steps/fits_feed.json: the result of the step fits_feed is missing" in lines[10]
    assert lines[11] == "preliminary_report 7 []", "a run of an earlier version has XComs"


def test_links_are_computed_from_the_run_id(beside_airflow, tmp_path):
    program = """
        from mxtvhf_airflow import links

        key = SimpleNamespace(run_id="sb26030704__1")
        kinds = (links.ReportLink, links.PreliminaryReportLink, links.DeskLink, links.DecisionLink,
                 links.ComparisonLink)
        for kind in kinds:
            operators = kind.operators
            pushed = [operator for operator in operators if operator.operator_extra_links]
            address = kind().get_link(None, ti_key=key)
            print("ran", kind.name, address, operators[0].__name__, pushed, flush=True)
    """
    assert ran(beside_airflow, tmp_path, program) == [
        "Report /mxtvhf/runs/sb26030704__1/report.html UpdateBAOperator []",
        "Report /mxtvhf/runs/sb26030704__1/preliminary/report.html PreliminaryReportOperator []",
        "Desk /mxtvhf/desk/runs/sb26030704__1 ReceptionMessageOperator []",
        "Decision /dags/mxt_vhf_decision/runs/sb26030704__1 AskBAOperator []",
        "Comparison /mxtvhf/replays/sb26030704__1 CompareReportsOperator []",
    ]


def test_the_state_of_gp_is_read_from_the_files_of_its_steps(beside_airflow, tmp_path):
    """The desk shows it while the run goes on; a damaged file is as good as none."""
    program = """
        from mxtvhf.archive.products import product_folder
        from mxtvhf.crosscheck.model import GpOutcome
        from mxtvhf.workflow.step_results import StepResults
        from mxtvhf.workflow.steps.start_mxt_gp_pipeline import GpStart
        from mxtvhf_airflow import dag_runs

        conf = {"burst_id": "sb26030704", "alert": "/alert.xml"}
        run = SimpleNamespace(dag_id="mxt_vhf", run_id="sb26030704__1", conf=conf)
        dag_runs._gp_xcoms = lambda run, session: {"gp": None, "gp_requested": "from XComs"}
        results = StepResults(
            product_folder(read_settings().products, "sb26030704", run.run_id), run.dag_id, run.run_id
        )

        def show():
            found = dag_runs._gp_of(run, None)
            word, asked = found["gp"] and found["gp"].word.value, type(found["gp_requested"]).__name__
            print("ran", word, asked, flush=True)

        show()
        results.write("start_mxt_gp_pipeline", "1", GpStart(process_id="26"), started=datetime.now(UTC))
        show()
        outcome = GpOutcome(available=True, progress="no detection")
        results.write("wait_mxt_gp", "1", outcome, started=datetime.now(UTC))
        show()
        results.path("wait_mxt_gp").write_bytes(b"{")
        show()
    """
    assert ran(beside_airflow, tmp_path, program) == [
        "None str",
        "None datetime",
        "no detection datetime",
        "None datetime",
    ]
