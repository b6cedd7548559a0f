"""Airflow's migrations, which services compare with the database without importing Airflow."""

import json
from importlib.metadata import distribution

import pytest

from mxtvhf.operation.deployment.migrations import VERSION_TABLES, installed_revisions

pytestmark = pytest.mark.slow

ALEMBIC = """
import json, sys
from pathlib import Path
from alembic.script import ScriptDirectory
folders = [str(Path(folder).parent) for folder in json.loads(sys.stdin.read())]
print(json.dumps([ScriptDirectory(folder).get_heads() for folder in folders]))
"""
MANAGERS = """
import json
from airflow.utils.db_manager import RunDBManager
print(json.dumps(sorted(RunDBManager().get_required_table_names())))
"""


def test_the_newest_revisions_are_those_of_alembic(beside_airflow):
    folders = [str(distribution(package).locate_file(folder)) for package, folder in VERSION_TABLES.values()]
    status, told = beside_airflow(ALEMBIC, json.dumps(folders))
    assert status == 0, told
    heads = map(frozenset, json.loads(told.splitlines()[-1]))
    assert dict(zip(VERSION_TABLES, heads, strict=True)) == installed_revisions()


def test_the_version_tables_are_those_of_all_installed_providers(beside_airflow):
    """Airflow's own table has a fixed name; the providers' managers name theirs."""
    status, told = beside_airflow(MANAGERS)
    assert status == 0, told
    tables = [name for name in json.loads(told.splitlines()[-1]) if name.startswith("alembic_version")]
    assert ["alembic_version", *tables] == list(VERSION_TABLES)
