"""Whether Airflow's tables are those of the installed Airflow: an upgrade may be under way, or half done."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from importlib.metadata import version

from mxtvhf.errors import Failure
from mxtvhf.models.files import write_atomically
from mxtvhf.operation.deployment.configuration import DatabasePart, Deployment
from mxtvhf.operation.deployment.environment import database_uri

CONNECT_S = 5
LONGEST_WAIT_S = 300.0
PAUSE_S = 2.0
REMINDER_S = 30.0
"""How often the log says what is waited for."""
VERSION_TABLES = ("alembic_version", "alembic_version_fab")
"""Where Airflow, and Flask AppBuilder's provider, write down how far their tables are."""
CHECK = (sys.executable, "-m", "airflow", "db", "check-migrations", "--migration-wait-timeout", "1")
"""Airflow's own question; it takes some seconds of CPU, so its answer is kept."""


def wait_for_migrations(
    deployment: Deployment, environment: Mapping[str, str], timeout: float = LONGEST_WAIT_S
) -> None:
    """Wait until the service ``migrate`` has brought the tables to the installed version.

    Parameters
    ----------
    deployment
        The installation; its database can be reached.
    environment
        Of Airflow's processes.
    timeout
        For how long, seconds.

    Raises
    ------
    Failure
        The time is over.
    """
    record = deployment.home / "airflow" / "schema.json"
    began, reminder = time.monotonic(), 0.0
    while not record.exists() or record.read_bytes() != _state(deployment.database):
        if not subprocess.run(CHECK, env=dict(environment), capture_output=True, check=False).returncode:
            write_atomically(record, _state(deployment.database))
            return
        lack = (
            f"database {deployment.database.name} at {deployment.database.host}: its tables are not those of"
            f" Airflow {version('apache-airflow')}; the service migrate has not run, or not to its end"
        )
        waited = time.monotonic() - began
        if waited > timeout:
            raise Failure(f"{lack}, after {timeout:.0f} s")
        if waited >= reminder:
            print(f"mxtvhf: waiting: {lack}", file=sys.stderr, flush=True)
            reminder += REMINDER_S
        time.sleep(PAUSE_S)


def _state(database: DatabasePart) -> bytes:
    """Return the installed version and the versions that stand in the database, as JSON."""
    import psycopg2

    found: dict[str, str | list[str]] = {"airflow": version("apache-airflow")}
    uri = database_uri(database).replace("+psycopg2", "")
    with closing(psycopg2.connect(uri, connect_timeout=CONNECT_S)) as line, line.cursor() as cursor:
        for table in VERSION_TABLES:
            cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (table,))
            (is_there,) = cursor.fetchone() or (False,)
            if is_there:
                cursor.execute(f"SELECT version_num FROM {table} ORDER BY version_num")  # noqa: S608
                found[table] = [number for (number,) in cursor.fetchall()]
    return json.dumps(found).encode()
