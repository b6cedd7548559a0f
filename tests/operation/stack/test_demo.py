from types import SimpleNamespace

import pytest

from mxtvhf.operation.stack import demo
from mxtvhf.settings import Settings
from mxtvhf.simulator.scenario import scenario_of


class Airflow:
    """An Airflow with existing runs, whose new runs succeed at once."""

    def __init__(self, *runs):
        self.runs = list(runs)

    def start_run(self, run_id, conf):
        if run_id in self.runs:
            return False
        self.runs.append(run_id)
        return True

    def run(self, run_id):
        return {"state": "success"}


@pytest.mark.parametrize(("before", "expected"), [((), 1), (("sb26030704__1__test",), 2)])
def test_the_run_of_the_demo_has_the_id_and_dag_of_a_test(tmp_path, before, expected, capsys):
    settings, airflow = Settings(state=tmp_path), Airflow(*before)
    stack = SimpleNamespace(api=airflow, url="http://127.0.0.1:8080")
    demo.send_burst(stack, settings, scenario_of("sb26030704", counts=40, background=20))
    run_id = f"sb26030704__{expected}__test"
    assert airflow.runs[-1] == run_id
    assert f"/dags/mxt_vhf_test/runs/{run_id}" in capsys.readouterr().err


@pytest.mark.parametrize("dag_id", ["mxt_vhf", "mxt_vhf_test", None])
def test_a_state_folder_with_runs_gets_no_further_burst(dag_id):
    def get(path):
        return {"dag_runs": ["run"] if dag_id is not None and f"/dags/{dag_id}/dagRuns" in path else []}

    assert demo._has_runs(SimpleNamespace(get=get)) is (dag_id is not None)
