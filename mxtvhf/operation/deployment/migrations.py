"""Check that Airflow's tables match the installed Airflow, because an upgrade may be incomplete."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version

from mxtvhf.models.files import write_atomically
from mxtvhf.operation.deployment.configuration import DatabasePart, Deployment
from mxtvhf.operation.deployment.database import LONGEST_WAIT_S, database_cursor, place_of, wait_while

VERSION_TABLES = ("alembic_version", "alembic_version_fab")
"""Tables in which Airflow and the Flask AppBuilder provider record their migrations."""
CHECK = (sys.executable, "-m", "airflow", "db", "check-migrations", "--migration-wait-timeout", "1")
"""Airflow's own check; it takes some seconds of CPU, so its result is stored."""


def wait_for_migrations(
    deployment: Deployment, environment: Mapping[str, str], timeout: float = LONGEST_WAIT_S
) -> None:
    """Wait until the service ``migrate`` has upgraded the tables to the installed version.

    Of the services that start together, one makes the check, and the others use its stored result.

    Parameters
    ----------
    deployment
        The installation, whose database must be reachable.
    environment
        Environment variables of Airflow's processes.
    timeout
        Time limit, seconds.

    Raises
    ------
    Failure
        The time is over.
    """
    record = deployment.home / "airflow" / "schema.json"
    record.parent.mkdir(parents=True, exist_ok=True)

    def lack() -> str:
        with record.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if record.exists() and record.read_bytes() == _state(deployment.database):
                return ""
            if not subprocess.run(CHECK, env=dict(environment), capture_output=True, check=False).returncode:
                write_atomically(record, _state(deployment.database))
                return ""
        installed = version("apache-airflow")
        return f"the tables do not match Airflow {installed}; the service migrate has not run or not finished"

    wait_while(lack, place_of(deployment.database), timeout)


def _state(database: DatabasePart) -> bytes:
    """Return the installed version and the versions recorded in the database, as JSON."""
    found: dict[str, str | list[str]] = {"airflow": version("apache-airflow")}
    with database_cursor(database) as cursor:
        for table in VERSION_TABLES:
            cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (table,))
            (is_there,) = cursor.fetchone() or (False,)
            if is_there:
                cursor.execute(f"SELECT version_num FROM {table} ORDER BY version_num")  # noqa: S608
                found[table] = [number for (number,) in cursor.fetchall()]
    return json.dumps(found).encode()
