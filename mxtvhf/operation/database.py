"""Airflow's database: the one named by the environment, else the embedded one of the state folder."""

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
"""Airflow's variable; Airflow also resolves its forms with the suffixes ``_CMD`` and ``_SECRET``."""


def names_a_database() -> bool:
    """Return True if the environment names Airflow's database, as it does in containers."""
    return any(name in os.environ for name in (CONNECTION, f"{CONNECTION}_CMD", f"{CONNECTION}_SECRET"))


def command_environment(settings: Settings, uri: str, *, project: Path) -> dict[str, str]:
    """Return the environment for Airflow commands that work on its database."""
    if names_a_database():
        return dict(os.environ)
    return airflow_environment(project=project, state=settings.home, port=0, database_uri=uri)


@contextmanager
def airflow_database(settings: Settings, *, create: bool = False) -> Iterator[str]:
    """Yield the URI of Airflow's database, and start the embedded database if it is not running.

    Parameters
    ----------
    settings
        Settings with the path of the state folder.
    create
        Create an embedded database if it is missing.

    Raises
    ------
    InvalidInput
        The environment names no database, and the state folder contains none.
    Failure
        Airflow cannot resolve the database named by the environment.
    """
    if names_a_database():
        yield _named_by_environment()
    elif not create and not (settings.home / "postgres" / "PG_VERSION").exists():
        raise InvalidInput(
            f"{settings.home}: no database found; name the installation with --config mxtvhf.toml"
        )
    else:
        with embedded_postgresql(settings.home / "postgres") as database:
            yield database.uri


def _named_by_environment() -> str:
    if CONNECTION in os.environ:
        return os.environ[CONNECTION]
    command = [sys.executable, "-m", "airflow", "config", "get-value", "database", "sql_alchemy_conn"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0 or not result.stdout.strip():
        raise Failure(
            f"the address of Airflow's database is unknown: {' '.join(command[2:])} failed: "
            f"{result.stderr.strip()[-300:]}"
        )
    return result.stdout.strip().splitlines()[-1]
