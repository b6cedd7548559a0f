"""Which database Airflow uses: the one that its environment names, else that of the state folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mxtvhf.errors import Failure, InvalidInput
from mxtvhf.operation.stack.airflow_config import airflow_environment
from mxtvhf.operation.stack.postgresql import embedded_postgresql
from mxtvhf.settings import Settings

CONNECTION = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
"""Airflow's variable; also with ``_CMD`` and ``_SECRET`` behind it, which Airflow itself resolves."""


def names_a_database() -> bool:
    """Tell whether the environment names Airflow's database, as in containers."""
    return any(name in os.environ for name in (CONNECTION, f"{CONNECTION}_CMD", f"{CONNECTION}_SECRET"))


def command_environment(settings: Settings, uri: str, *, project: Path) -> dict[str, str]:
    """Return the environment in which Airflow's own commands work on its database."""
    if names_a_database():
        return dict(os.environ)
    return airflow_environment(project=project, state=settings.home, port=0, database_uri=uri)


@contextmanager
def airflow_database(settings: Settings, *, create: bool = False) -> Iterator[str]:
    """Yield the URI of Airflow's database; the embedded one is started when it does not run.

    Parameters
    ----------
    settings
        Names the state folder.
    create
        Whether an embedded database that is missing is made, to be filled.

    Raises
    ------
    InvalidInput
        No database is named, and none is in the state folder.
    Failure
        Airflow cannot tell the database that its environment names.
    """
    if names_a_database():
        yield _named_by_environment()
    elif not create and not (settings.home / "postgres" / "PG_VERSION").exists():
        raise InvalidInput(f"{settings.home}: no database; name the installation with --config mxtvhf.toml")
    else:
        with embedded_postgresql(settings.home / "postgres") as database:
            yield database.uri


def _named_by_environment() -> str:
    if CONNECTION in os.environ:
        return os.environ[CONNECTION]
    command = [sys.executable, "-m", "airflow", "config", "get-value", "database", "sql_alchemy_conn"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    if told.returncode != 0 or not told.stdout.strip():
        raise Failure(f"Airflow does not tell its database: {told.stderr.strip()[-300:]}")
    return told.stdout.strip().splitlines()[-1]
