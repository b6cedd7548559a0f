"""Private names of Airflow are used in one module only."""

import ast
import textwrap

import pytest

from support.project import PROJECT

OURS = [*sorted((PROJECT / "plugins").rglob("*.py")), *sorted((PROJECT / "dags").glob("*.py"))]

# A task's process tells a listener of its run only by this attribute, of this form.
STEP = textwrap.dedent("""
    from types import SimpleNamespace
    from airflow.api_fastapi.execution_api.datamodels.taskinstance import TIRunContext
    from airflow.sdk.api.datamodels._generated import DagRun, TIRunContext as SdkRunContext
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
    from mxtvhf_airflow.compat import step_conf

    print("attribute:", "_ti_context_from_server" in RuntimeTaskInstance.__private_attributes__ or
          "_ti_context_from_server" in RuntimeTaskInstance.model_fields)
    print("field:", "dag_run" in SdkRunContext.model_fields and "conf" in DagRun.model_fields)
    told = SimpleNamespace(dag_run=SimpleNamespace(conf={"burst_id": "sb26030704"}))
    print("conf:", step_conf(SimpleNamespace(_ti_context_from_server=told)))
    print("none:", step_conf(SimpleNamespace(_ti_context_from_server=None)))
    print("server:", step_conf(SimpleNamespace(dag_run=SimpleNamespace(conf=None))))
""")

VERSION = textwrap.dedent("""
    from airflow import __version__
    from mxtvhf_airflow.compat import version_text
    print(version_text(), "|", version_text("3.9.0"))
    print(__version__)
""")


def private_names(path):
    """Yield the private names of Airflow that a module uses."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("airflow"):
            parts = [*node.module.split("."), *(name.name for name in node.names)]
            yield from (part for part in parts if part.startswith("_") and part != "__version__")
        if isinstance(node, ast.Assign):
            targets = [ast.unparse(target) for target in node.targets if isinstance(target, ast.Attribute)]
            yield from (target for target in targets if target.split(".")[0][:1].isupper())
        if isinstance(node, ast.Attribute) and node.attr == "_ti_context_from_server":
            yield node.attr


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_private_names_of_airflow_are_used_in_one_module_and_none_of_its_names_is_assigned(path):
    found = set(private_names(path))
    assert found == ({"_ti_context_from_server"} if path.name == "compat.py" else set())


@pytest.mark.slow
def test_a_step_in_its_own_process_knows_the_configuration_of_its_run(beside_airflow):
    status, told = beside_airflow(STEP)
    assert status == 0, told
    assert told.splitlines()[-5:] == [
        "attribute: True",
        "field: True",
        "conf: {'burst_id': 'sb26030704'}",
        "none: None",
        "server: {}",
    ]


@pytest.mark.slow
def test_the_version_of_airflow_and_the_patches_are_named(beside_airflow):
    status, told = beside_airflow(VERSION)
    assert status == 0, told
    text, version = told.splitlines()[-2:]
    own, other = text.split(" | ")
    assert own == f"{version} (tested); patches: none"
    assert other == "3.9.0 (not tested; tested: 3.3.1, 3.3.2); patches: none"
