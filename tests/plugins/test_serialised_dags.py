"""All processes serialise a DAG alike, because Airflow stores a new version for each change."""

import json
import textwrap

import pytest

from support.project import PROJECT
from support.role_checks import NO_GARBAGE

pytestmark = pytest.mark.slow

HASHES = textwrap.dedent("""
    import os
    os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = os.environ["PYTHONPATH"]
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "CRITICAL"
    import json
    from airflow.dag_processing.dagbag import DagBag
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.serialization.serialized_objects import DagSerialization

    bag = DagBag(DAGS)
    assert not bag.import_errors, bag.import_errors
    found = {}
    for dag_id, dag in bag.dags.items():
        serialised = DagSerialization.to_dict(dag)
        addresses = " object at 0x" in json.dumps(serialised)
        found[dag_id] = [SerializedDagModel.hash(serialised), addresses]
    os.environ["_AIRFLOW_PARSING_CONTEXT_DAG_ID"] = "mxt_vhf_test"  # as Airflow sets it for a task
    print("OF A TASK", sorted(DagBag(os.path.join(DAGS, "mxt_vhf.py")).dags), flush=True)
    print("FOUND", json.dumps(found), flush=True)
""")


def hashes(beside_plugins, seed):
    """Return the hash of each DAG that Airflow compares, from a process with its own order of sets."""
    program = NO_GARBAGE + HASHES.replace("DAGS", repr(str(PROJECT / "dags")))
    status, told = beside_plugins(program, PYTHONHASHSEED=seed)
    assert status == 0, told
    assert "OF A TASK ['mxt_vhf_test']" in told
    return json.loads(told.rpartition("FOUND ")[2].splitlines()[0])


def test_two_processes_serialise_every_dag_alike(beside_plugins):
    first, second = (hashes(beside_plugins, seed) for seed in ("1", "2"))
    assert first == second
    assert len(first) >= 4
    assert not any(addresses for _, addresses in first.values()), "an address in memory is a new version"
